"""A large real documentation in Markdown with comments, shortcodes and tables in HTML."""

import re
from pathlib import Path

import pytest

from corpus.document import Document
from corpus.read import read

DOCS = Path(__file__).parents[1].parent / "shared" / "data" / "k8s_zh" / "docs"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DOCS.exists(), reason=f"{DOCS} is not here"),
]


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    found = list(read(DOCS, base=DOCS))
    return [document for document in found if isinstance(document, Document)]


def test_every_file_becomes_a_document_with_its_own_id(documents: list[Document]) -> None:
    assert len(documents) == len(list(DOCS.rglob("*.md")))
    assert len({document.id for document in documents}) == len(documents)


@pytest.mark.parametrize(
    "remains", ["<!--", "-->", "{{<", "{{%", "{#", "```", "|---", "<td>", "\ufffd"]
)
def test_nothing_that_only_the_site_builder_reads_is_left(
    documents: list[Document], remains: str
) -> None:
    assert [document.source for document in documents if remains in document.text] == []


def test_the_english_originals_in_comments_are_gone(documents: list[Document]) -> None:
    for document in documents:
        source = (DOCS / document.source).read_text(encoding="utf-8-sig")
        comments = re.findall(r"<!--(.*?)-->", source, re.DOTALL)
        visible = re.sub(r"<!--.*?-->", "", source, flags=re.DOTALL)
        for comment in comments:
            for line in comment.split("\n"):
                sentence = line.strip()
                if len(sentence) > 60 and sentence.count(" ") > 8 and sentence not in visible:
                    assert sentence not in document.text


def test_no_chinese_sentence_is_lost(documents: list[Document]) -> None:
    unseen = (
        r"\A---.*?\n---\s|<!--.*?-->|\{\{< comment >\}\}.*?\{\{< /comment >\}\}|\{\{[<%].*?[>%]\}\}"
        r"|<caption style=.display: ?none.*?</caption>"
    )
    lost, runs = [], 0
    for document in documents:
        source = (DOCS / document.source).read_text(encoding="utf-8-sig")
        source = re.sub(unseen, "|", source, flags=re.DOTALL)
        for run in re.findall(r"[\u4e00-\u9fff]{9,}", source):
            runs += 1
            if run not in document.text:
                lost.append((document.source, run))
    assert runs > 20_000
    assert lost == []


def test_headings_of_the_source_are_its_sections(documents: list[Document]) -> None:
    (document,) = (d for d in documents if d.source == "concepts/workloads/pods/pod-lifecycle.md")
    headings = [(section.heading, section.level) for section in document.sections]
    assert headings[:4] == [
        ("Pod 的生命周期", 1),
        ("Pod 生命期", 2),
        ("Pod 阶段", 2),
        ("容器状态", 2),
    ]
    assert headings[-1] == ("接下来", 2)
