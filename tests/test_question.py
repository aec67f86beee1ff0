import re

import pytest

from bot.errors import QuestionError
from bot.lexicon import Kind
from bot.question import LONGEST, check, kind_of, understand, words_to_find
from bot.smalltalk import small_talk
from corpus.words import Segmenter
from index.gazetteer import Gazetteer


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("chroot 是哪一年出现的？", "when"),
        ("Docker 什麼時候發佈？", "when"),
        ("谁创立了 CNCF？", "who"),
        ("哪家公司收购了 Docker？", "who"),
        ("它位于哪个城市？", "where"),
        ("Mirantis 接管了多少客户？", "count"),
        ("资源隔离分为哪几类？", "list"),
        ("有哪些容器引擎？", "list"),
        ("rkt 和 Docker 有什么区别？", "compare"),
        ("为什么需要隔离？", "why"),
        ("如何打包应用？", "how"),
        ("rkt 是 CoreOS 的吗？", "yesno"),
        ("Docker 是否开源？", "yesno"),
        ("Docker 是开源的么？", "yesno"),
        ("CNCF 主攻什么？", "what"),
        ("什么是 Pod？", "definition"),
        ("Borg 是什么？", "definition"),
        ("Borg 的前身", "what"),
    ],
)
def test_the_wording_tells_what_is_wanted(text: str, kind: Kind) -> None:
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "empty"), ("  ？！", "empty"), ("\u200b", "empty"), ("容" * (LONGEST + 1), "too_long"),
     ("容\ud800", "broken")],
)  # fmt: skip
def test_what_is_no_question_is_refused_with_its_reason(text: str, code: str) -> None:
    with pytest.raises(QuestionError, match="cannot answer this question") as caught:
        check(text)
    assert caught.value.code == code


def test_a_question_is_taken_apart(segmenter: Segmenter) -> None:
    gazetteer = Gazetteer({"Kata Containers": "name", "容器简史": "title"})
    question = understand(
        "请问《容器简史》里 Kata Containers 社区是哪一年成立的？", segmenter, gazetteer
    )
    assert question.names == ("kata containers", "容器简史")
    assert question.subjects == ("容器简史", "kata containers")
    assert question.rest == ("社区", "成立")
    assert "containers" in question.content
    assert not {"请问", "哪", "的", "是"} & set(question.content)


def test_an_english_word_beside_a_known_subject_is_no_name(segmenter: Segmenter) -> None:
    gazetteer = Gazetteer({"PaaS": "name"})
    assert understand("PaaS platform 有哪些？", segmenter, gazetteer).names == ("paas",)
    assert understand("podman 是什么？", segmenter, gazetteer).names == ("podman",)
    assert understand("PaaS 和 Podman", segmenter, gazetteer).names == ("paas", "podman")


@pytest.mark.parametrize(
    "text",
    [
        "你好",
        "您好！",
        "Hello",
        "谢谢你",
        "多謝！",
        "你是谁？",
        "你能做什么？",
        "再见",
        "好的",
        "谢谢，很有帮助",
        "拜拜，下次再聊",
    ],
)
def test_small_talk_is_answered_as_a_person_would(text: str) -> None:
    assert small_talk(text)


@pytest.mark.parametrize(
    "text", ["你好，chroot 是什么？", "谢谢 Google 的人是谁？", "Docker 能做什么？", "谁", "容器"]
)
def test_a_question_about_the_documents_is_no_small_talk(text: str) -> None:
    assert small_talk(text) is None


def test_the_reply_is_in_the_script_of_the_question() -> None:
    assert "问渠" in (small_talk("你是谁？") or "")
    assert "問渠" in (small_talk("你叫什麼名字？") or "")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Docker 是哪一年发布的？", ["Docker", "发布"]),
        ("那会儿是在哪家公司里头用的 Cgroups？", ["公司", "Cgroups"]),
        ("是什么？", ["是什么？"]),
    ],
)
def test_what_only_asks_is_not_looked_for(text: str, kept: list[str], segmenter: Segmenter) -> None:
    found = words_to_find(text, segmenter)
    assert len(found) == len(text)
    assert [part for part in re.split(r"[\s？]+", found) if part] == [
        part.strip("？") for part in kept
    ]
