import pytest

from bot.certain import is_certain
from bot.evidence import Evidence
from bot.question import understand
from corpus.document import Document, Passage
from corpus.words import Segmenter
from index.gazetteer import Gazetteer

GAZETTEER = Gazetteer(
    {"Docker": "name", "Kubernetes": "name", "Borg": "name", "参考文献": "heading"}
)


def certain(segmenter: Segmenter, question: str, sentence: str, heading: str = "背景") -> bool:
    document = Document(id="d", title="史", text=sentence, source="")
    passage = Passage("d", 0, len(sentence), sentence, (heading,))
    passage.check(document)
    asked = understand(question, segmenter, GAZETTEER)
    found = Evidence(passage, 0, len(sentence), 1.0, features={"wanted": 1.0})
    return is_certain(asked, [found], None)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Docker 是哪一年出现的？", "2013年，Docker 问世。"),
        ("Kubernetes 的前身是什么？", "人们称它 Borg（Kubernetes 的前身）。"),
        ("Docker 和 Borg 是什么关系？", "Borg 比 Docker 早得多。"),
        ("Docker 的全称是什么？", "Docker（Dock Worker）。"),
        ("Docker 被谁收购了？", "2019年，另一家公司宣布收购Docker。"),
        ("Borg 是被哪家公司采用的？", "起初只有一家采用 Borg。"),
    ],
)
def test_a_form_that_answers_needs_no_model(
    segmenter: Segmenter, question: str, sentence: str
) -> None:
    assert certain(segmenter, question, sentence)


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Docker 是哪一年出现的？", "2013年和2014年，Docker 都没有对手。"),  # which of them?
        ("Docker 是哪一年开源的？", "2013年，Docker 问世。"),  # something else is asked of it
        ("Kubernetes 是哪一年出现的？", "2013年，Docker 问世。"),
        ("Kubernetes 的作者是谁？", "人们称它 Borg（Kubernetes 的前身）。"),
        ("Docker 和 Borg 是什么关系？", "Docker 很流行。"),
        ("Docker 被谁收购了？", "Docker 收购了一些公司。"),  # the other way round
    ],
)
def test_a_near_miss_does_not_answer(segmenter: Segmenter, question: str, sentence: str) -> None:
    assert not certain(segmenter, question, sentence)


def test_a_heading_is_answered_by_its_section(segmenter: Segmenter) -> None:
    assert certain(segmenter, "参考文献有哪些？", "一本书。", heading="参考文献")
    assert not certain(segmenter, "参考文献有哪些？", "一本书。")
