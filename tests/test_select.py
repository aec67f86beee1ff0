from dataclasses import replace

import pytest

from bot.evidence import Evidence
from bot.question import Question
from bot.select import select
from corpus.document import Document, Passage, Section

TEXT = """镜像的三个特点

- 一次构建，到处运行。
- 不可变更。
- 分层存放。

机器

小型机：整机切分，分成多个分区使用。

PC 服务器：切割成虚拟机或容器使用。

rkt 由 CoreOS 推出。rkt 和 Docker 类似，都能打包应用。rkt 和 Docker 不同的地方在于没有友好功能。

很久以前 rkt 和 Docker 都没有出现。

发布日期：2026年11月24日

这一阶段从 2017 年开始。拓展期从 2019 年开始。
"""
MACHINES = TEXT.index("机器\n")
DOCUMENT = Document(
    id="d",
    title="镜像与机器",
    text=TEXT,
    source="d.md",
    sections=(
        Section("镜像的三个特点", 1, 0, MACHINES),
        Section("机器", 1, MACHINES, len(TEXT)),
    ),
)
FEATURES = {"wanted": 0.0, "asks": 0.0, "subject": 1.0}


def evidence(sentence: str, score: float) -> Evidence:
    start = TEXT.index(sentence)
    section = DOCUMENT.sections[start >= MACHINES]
    passage = Passage.cut(DOCUMENT, section.start, section.end)
    end = start + len(sentence)
    return Evidence(passage, start, end, score, sentence, FEATURES)


def asked(kind: str, text: str, *subjects: str) -> Question:
    return Question(text, kind, (text,), (), subjects, ())  # type: ignore[arg-type]  # any kind


def texts(question: Question, *found: Evidence) -> list[str]:
    return [one.text for one in select(question, found, lambda _one: DOCUMENT).evidence]


def test_how_many_is_answered_by_the_heading_that_counts_and_what_stands_below() -> None:
    item = evidence("- 一次构建，到处运行。", 1.0)
    said = texts(asked("count", "镜像有几个特点？", "镜像"), item)
    assert said == [
        "镜像的三个特点", "- 一次构建，到处运行。", "- 不可变更。", "- 分层存放。",
    ]  # fmt: skip


def test_how_many_of_another_thing_is_not() -> None:
    item = evidence("- 一次构建，到处运行。", 1.0)
    assert "镜像的三个特点" not in texts(asked("count", "镜像有几层？", "镜像"), item)


@pytest.mark.parametrize(
    "question",
    [
        "小型机和 PC 服务器有什么不同？",
        "小型机跟PC服务器各怎么用？",
        "小型机 vs. PC 服务器的用法？",
    ],
)
def test_a_comparison_has_both_sides_also_where_the_corpus_has_no_name_for_them(
    question: str,
) -> None:
    small = evidence("小型机：整机切分，分成多个分区使用。", 9.0)
    servers = evidence("PC 服务器：切割成虚拟机或容器使用。", 1.0)
    assert texts(asked("compare", question, "小型机"), small, servers) == [small.text, servers.text]


def test_a_comparison_has_what_is_shared_and_what_tells_apart() -> None:
    alike = evidence("rkt 和 Docker 类似，都能打包应用。", 9.0)
    unlike = evidence("rkt 和 Docker 不同的地方在于没有友好功能。", 8.5)
    one = evidence("rkt 由 CoreOS 推出。", 8.4)
    far = evidence("很久以前 rkt 和 Docker 都没有出现。", 2.0)
    question = asked("compare", "rkt 和 Docker 有什么不同？", "rkt", "docker")
    assert texts(question, alike, unlike, one, far) == [alike.text, unlike.text]


def test_a_date_below_another_subject_is_not_the_one_that_is_asked_for() -> None:
    other = evidence("这一阶段从 2017 年开始。", 9.0)
    other = replace(other, features={**FEATURES, "wanted": 1.0, "subject": 0.0})
    right = evidence("拓展期从 2019 年开始。", 8.0)
    right = replace(right, features={**FEATURES, "wanted": 1.0, "subject": 1.0})
    question = replace(asked("when", "拓展期从哪一年开始？", "拓展期"), rest=("开始",))
    assert texts(question, other, right) == [right.text]
    below = replace(other, features={**other.features, "subject": 1.0})  # its heading says so
    assert texts(question, below, right)[0] == below.text


@pytest.mark.parametrize("sentence", ["rkt 由 CoreOS 推出。", "发布日期：2026年11月24日"])
def test_a_date_of_another_thing_or_of_the_text_is_not_the_one_that_is_asked_for(
    sentence: str,
) -> None:
    other = evidence(sentence, 9.0)
    other = replace(other, features={**FEATURES, "wanted": 1.0})  # its heading names the subject
    right = evidence("拓展期从 2019 年开始。", 8.0)
    right = replace(right, features={**FEATURES, "wanted": 1.0})
    question = replace(asked("when", "拓展期从哪一年开始？", "拓展期"), rest=("开始",))
    assert texts(question, other, right) == [right.text]
    assert texts(question, other)[0] == sentence
