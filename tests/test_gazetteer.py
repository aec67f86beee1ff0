from pathlib import Path

import pytest

from corpus.document import Document, Section
from index.gazetteer import Gazetteer
from index.rows import rows_of

TEXT = """容器隔离

隔离技术见《容器简史》，由 Kata Containers 与 cri-o 实现。

1. 进程隔离：共享内核。
2. 硬件分区。安全性高。
"""


def gathered(*documents: Document) -> Gazetteer:
    return Gazetteer.collect(row for document in documents for row in rows_of(document))


@pytest.fixture
def gazetteer() -> Gazetteer:
    sections = (Section("容器隔离", 1, 0, len(TEXT)),)
    return gathered(Document(id="d", title="年表", text=TEXT, source="d", sections=sections))


def test_titles_headings_names_quoted_titles_and_labels_are_gathered(
    gazetteer: Gazetteer,
) -> None:
    assert gazetteer.entries == {
        "Kata Containers": "name",
        "cri-o": "name",
        "容器简史": "name",
        "容器隔离": "heading",
        "年表": "title",
        "硬件分区": "heading",
        "进程隔离": "heading",
    }


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("KATA CONTAINERS 和進程隔離", ["Kata Containers", "进程隔离"]),
        ("cri-ox、xcri-o", []),
        ("用cri-o吗", ["cri-o"]),
        ("容器", []),
    ],
)
def test_names_are_recognised_in_either_script_and_any_case_but_not_inside_words(
    gazetteer: Gazetteer, text: str, names: list[str]
) -> None:
    assert [mention.name for mention in gazetteer.find(text)] == names


def test_a_mention_says_where_it_stands(gazetteer: Gazetteer) -> None:
    (mention,) = gazetteer.find("𠮷，硬體？硬件分區。")
    assert (mention.start, mention.end) == (5, 9)


def test_the_longest_of_several_names_is_taken() -> None:
    gazetteer = Gazetteer({"Docker": "name", "Docker Swarm": "name"})
    assert [m.name for m in gazetteer.find("Docker Swarm 与 Docker")] == ["Docker Swarm", "Docker"]


def test_a_heading_that_documents_share_names_nothing() -> None:
    text = "背景介绍\n\n正文。"
    sections = (Section("背景介绍", 1, 0, len(text)),)
    one, other = (
        Document(id=name, title=name, text=text, source=name, sections=sections)
        for name in ("甲文", "乙文")
    )
    assert set(gathered(one, other).entries) == {"甲文", "乙文"}


def test_what_was_saved_is_loaded(gazetteer: Gazetteer, tmp_path: Path) -> None:
    gazetteer.save(tmp_path / "names.json")
    assert Gazetteer.load((tmp_path / "names.json").read_bytes()).entries == gazetteer.entries
    with pytest.raises((ValueError, TypeError)):
        Gazetteer.load(b"[1]")
