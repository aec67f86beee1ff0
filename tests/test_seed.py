"""The real article that the cleaning has to master; it stands beside the project, not in it."""

import html
import re
from pathlib import Path

import pytest

from corpus.document import Document
from corpus.read import read

SEED = Path(__file__).parents[1].parent / "shared" / "seed" / "container-history.txt"

pytestmark = pytest.mark.skipif(not SEED.exists(), reason=f"{SEED} is not here")

SECTIONS = [
    ("容器技术之发展简史", 1),
    ("背景", 2),
    ("技术萌芽期", 2),
    ("技术迸发期", 2),
    ("商用探索期", 2),
    ("商用拓展期", 2),
    ("小结", 2),
    ("闲言碎语", 2),
    ("参考文献", 2),
]
MOJIBAKE = {"å¼€": "开", "æˆ‘": "我", "æ¦‚": "概"}  # all there are in it


@pytest.fixture(scope="module")
def article() -> Document:
    (found,) = read(SEED)
    assert isinstance(found, Document)
    return found


@pytest.fixture(scope="module")
def original() -> str:
    return SEED.read_text(encoding="utf-8")


def test_title_author_and_date_come_from_the_front_matter_and_open_the_text(
    article: Document,
) -> None:
    assert article.title == "容器技术之发展简史"
    assert article.metadata["author"] == "阿里云系统组技术博客"
    assert article.metadata["categories"] == "博客、阿里云系统组技术博客、首页"
    assert article.text.startswith(
        "容器技术之发展简史\n\n作者：阿里云系统组技术博客\n\n"
        "发布日期：2020年10月13日（Tue, 13 Oct 2020 00:00:00 GMT）\n\n"
    )


def test_no_tag_entity_mark_or_mojibake_is_left(article: Document) -> None:
    assert not re.search(r"[<>*\u00a0\t\r]|&\w+;|&#|https?:|\.png|\bimg\b", article.text)
    assert not re.search("[\u0080-\u00ff\u02c6\u201a\u0192\u20ac]", article.text.replace("·", ""))
    assert "我们在把小型机相关技术“军转民”" in article.text
    assert "“容器”的概念开始被重新审视和实现" in article.text
    assert "减少出现故障的概率" in article.text


def test_its_sections_are_recognised_though_most_are_bold_paragraphs(article: Document) -> None:
    assert [(section.heading, section.level) for section in article.sections] == SECTIONS
    ends = [section.end for section in article.sections]
    assert ends[0] == len(article.text)
    starts = [section.start for section in article.sections[2:]]
    assert [end + 2 for end in ends[1:-1]] == starts


def test_its_lists_are_recognised_with_their_numbers(article: Document) -> None:
    items = re.findall(r"^(?:- |\d\. ).*", article.text, re.MULTILINE)
    classes = ["进程隔离", "OS虚拟化", "硬件虚拟化", "硬件分区", "语言运行时隔离"]
    begin = next(n for n, item in enumerate(items) if item.startswith("- 进程隔离。"))
    assert [item[2:].split("。")[0] for item in items[begin : begin + 5]] == classes
    forms = [item.split("。")[0] for item in items if re.match(r"\d\. [^。]*服务。", item)]
    assert forms == [
        "1. 通用容器编排服务",
        "2. Kubernetes容器编排服务",
        "3. Serverless容器实例服务",
    ]
    assert [item[:9] for item in items if "期：" in item] == [
        "1. 技术萌芽期：",
        "2. 技术迸发期：",
        "3. 商用探索期：",
        "4. 商用拓展期：",
    ]
    references = article.text[article.sections[-1].start :].split("\n\n", 1)[1]
    assert len(references.split("\n")) == 7


def test_no_character_of_healthy_text_is_changed(article: Document, original: str) -> None:
    body = original.split("---\n", 2)[2]
    for spoiled, healthy in MOJIBAKE.items():
        assert body.count(spoiled) == 1
        body = body.replace(spoiled, healthy)
    blocks = re.split(r"</?(?:div|p|ul|ol|li|h2|blockquote|hr)\b[^>]*>|<img[^>]*>", body)
    plain = [html.unescape(re.sub(r"<[^>]+>|\*", "", block)).strip() for block in blocks]
    wanted = [block for block in plain if block]
    lines = [re.sub(r"^(?:- |\d\. )", "", line) for line in article.text.split("\n") if line]
    assert lines[3:] == wanted  # after title, author and date


def test_it_is_the_same_in_other_encodings(
    article: Document, original: str, tmp_path: Path
) -> None:
    for encoding in ("utf-8-sig", "gb18030", "utf-16"):
        path = tmp_path / SEED.name
        path.write_bytes(original.encode(encoding))
        (found,) = read(path)
        assert isinstance(found, Document)
        assert (found.text, found.sections) == (article.text, article.sections)
