import pytest

from bot.answer import Answer, Refusal, Turn
from bot.rewrite import standalone
from corpus.words import Segmenter
from index.gazetteer import Gazetteer

GAZETTEER = Gazetteer(
    {"Docker": "name", "Kubernetes": "name", "CNCF": "name", "Google": "name", "故宫": "title",
     "颐和园": "title", "Kata Containers": "name", "硬件分区": "heading"}
)  # fmt: skip


def turn(question: str, answer: str = "好。", alone: str = "") -> Turn:
    # A refusal may say what it likes; a grounded answer would need its quotes.
    said = Answer(
        answer, "refusal", refusal=Refusal("not_found"), standalone_question=alone or question
    )
    return Turn(question, said)


CHAT = Turn("谢谢", Answer("不客气！", "chat"))
DOCKER = turn("Docker 是哪一年发布的？", "2013 年。")


@pytest.mark.parametrize(
    ("turns", "question", "expected"),
    [
        ([DOCKER], "它解决了什么问题？", "Docker解决了什么问题？"),
        ([DOCKER], "它的核心创新是什么？", "Docker的核心创新是什么？"),
        ([DOCKER], "那 Kubernetes 呢？", "Kubernetes 是哪一年发布的？"),
        ([DOCKER], "Kata Containers呢", "Kata Containers 是哪一年发布的？"),
        ([turn("CNCF 是什么？")], "哪一年成立的？", "CNCF 哪一年成立的？"),
        ([turn("谁创立了 CNCF？", "Google 等。")], "哪一年？", "创立了 CNCF 哪一年？"),
        ([turn("CNCF 由谁创立？")], "它是什么时候成立的？", "CNCF是什么时候成立的？"),
        ([DOCKER, turn("故宫在哪里？")], "那里门票多少钱？", "故宫门票多少钱？"),
        ([DOCKER], "故宫的门票多少钱？", "故宫的门票多少钱？"),
        ([DOCKER, turn("故宫在哪里？")], "那 Docker 是谁做的？", "那 Docker 是谁做的？"),
        ([turn("故宮在哪裡？")], "這裡門票多少錢？", "故宫門票多少錢？"),
        ([turn("有什么好玩的？", "可以去颐和园。")], "那里几点开门？", "颐和园几点开门？"),
        ([turn("第二代系统是什么？")], "第一代呢？", "第一代系统是什么？"),
        ([turn("Docker 1.0 是何时发布的？")], "那 2.0 呢？", "Docker 2.0 是何时发布的？"),
        ([turn("2013 年发生了什么？")], "2014 年呢？", "2014 年发生了什么？"),
        ([turn("Podman 是谁开发的？")], "那 Buildah 呢？", "Buildah 是谁开发的？"),  # both unknown
        ([DOCKER], "Podman 是哪一年发布的？", "Podman 是哪一年发布的？"),  # unknown, but a subject
        ([DOCKER], "它和 Kubernetes 有什么区别？", "Docker和 Kubernetes 有什么区别？"),
        (
            [DOCKER],
            "Kubernetes 的作者是谁？他还做了什么？",
            "Kubernetes 的作者是谁？他还做了什么？",
        ),
        ([turn("它是什么？", alone="Docker是什么？")], "它由谁发布？", "Docker由谁发布？"),
        (
            [turn("隔离技术分成哪几类？", "隔离技术分成 5 类：进程隔离。")],
            "第三类的缺点是什么？",
            "隔离技术 第三类的缺点是什么？",
        ),
        ([turn("隔离技术 第三类的缺点是什么？")], "那硬件分区呢？", "硬件分区的缺点是什么？"),
        (
            [turn("容器镜像解决了什么问题？", "容器镜像打包了环境。")],
            "它不能解决什么？",
            "容器镜像不能解决什么？",
        ),
        (
            [DOCKER, turn("CNCF 是什么？"), turn("Kubernetes 是什么？")],
            "它们是什么关系？",
            "CNCF和Kubernetes是什么关系？",
        ),
        ([DOCKER, CHAT], "那 Kubernetes 呢？", "Kubernetes 是哪一年发布的？"),
    ],
)
def test_a_question_is_completed_from_the_conversation(
    segmenter: Segmenter, turns: list[Turn], question: str, expected: str
) -> None:
    assert standalone(question, turns, GAZETTEER, segmenter) == expected


@pytest.mark.parametrize("question", ["它是什么？", "那 X 呢？", "哪一年？", "Docker 是什么？"])
def test_a_first_question_is_never_changed(segmenter: Segmenter, question: str) -> None:
    assert standalone(question, [], GAZETTEER, segmenter) == question


def test_a_conversation_about_nothing_known_is_still_remembered(segmenter: Segmenter) -> None:
    asked = standalone("什么时候？", [turn("运动会在哪里举行？")], GAZETTEER, segmenter)
    assert "运动会" in asked
    assert asked.endswith("什么时候？")
