from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels.openai import said_before
from bot.channels.openai_schema import CompletionRequest
from bot.channels.openai_wire import Room, tokens
from bot.runtime import Runtime
from bot.testing import CAT_QUESTION
from bot.told import completed, told
from bot.verify import MARKER
from corpus.document import Document


def turns(*messages: tuple[str, Any]) -> list[tuple[str, str]]:
    body = {"model": "wenqu", "messages": [{"role": r, "content": c} for r, c in messages]}
    before = said_before(CompletionRequest.model_validate(body).messages)
    return [(turn.question, turn.answer.text) for turn in before]


def test_each_question_goes_with_all_that_was_replied_to_it() -> None:
    assert turns(("user", "一？"), ("assistant", "甲"), ("user", "二？"), ("assistant", "乙")) == [
        ("一？", "甲"),
        ("二？", "乙"),
    ]
    assert turns(("user", "一？"), ("user", "二？"), ("assistant", "乙")) == [
        ("一？", ""),
        ("二？", "乙"),
    ]
    assert turns(("user", "一？"), ("assistant", "甲"), ("assistant", "乙")) == [("一？", "甲乙")]
    assert turns(("assistant", "你好"), ("user", "一？")) == [("", "你好"), ("一？", "")]
    assert turns(("system", "听我的"), ("user", "一？"), ("tool", "5"), ("assistant", None)) == [
        ("一？", "")
    ]


def test_a_reply_that_is_told_claims_nothing_whatever_its_markers() -> None:
    assert told("一？", "甲[1]。乙[2][3]。").answer.text == "甲。乙。"
    assert told("一？", "数组 a[0] 和 [[1]2]").answer.text == "数组 a 和 ［2］"
    assert told("一？", "甲").answer.kind == "chat"


def test_of_what_is_told_only_so_much_counts_as_we_would_have_read_and_said() -> None:
    turn = told("一" * 3000, "二" * 3000)
    assert (turn.question, turn.answer.text) == ("一" * 2000, "二" * 2000)


@given(st.text(alphabet="[]12甲 １", max_size=12))
def test_no_reply_can_look_as_if_it_had_a_source(reply: str) -> None:
    assert not MARKER.search(told("一？", reply).answer.text)


@given(
    st.lists(
        st.tuples(st.sampled_from(["user", "assistant", "system", "tool"]), st.text("甲一[1]"))
    )
)
def test_no_question_is_lost_and_none_is_made_up(messages: list[tuple[str, str]]) -> None:
    found = turns(("system", ""), *messages)
    asked = [text for role, text in messages if role == "user"]
    assert [question for question, _ in found if question] == [text for text in asked if text]


def test_a_question_that_leaned_on_the_one_before_stands_for_the_whole(runtime: Runtime) -> None:
    library = runtime.library()
    names = ("Docker", "Podman", "chroot")
    library.ingest([Document(name, name, f"{name} 是软件。", f"{name}.md") for name in names])
    before = [
        told("chroot 是哪一年出现的？", "1979 年[1]。"),
        told("谢谢", "不客气！"),
        told("那 Docker 呢？", ""),
        told("那 Podman 呢？", ""),
    ]
    alone = [
        turn.answer.standalone_question for turn in completed(before[:1] + before[2:], library)
    ]
    assert alone == [
        "chroot 是哪一年出现的？",
        "Docker 是哪一年出现的？",
        "Podman 是哪一年出现的？",
    ]
    thanked = completed(before[:2], library)
    assert thanked[1].answer.standalone_question == "谢谢"
    assert len(completed(before * 30, library)) == 20


def test_before_the_first_document_turns_are_as_they_were_told(runtime: Runtime) -> None:
    before = [told(CAT_QUESTION, "在屋顶上。")]
    assert completed(before, runtime.library("new")) == tuple(before)


def test_a_token_is_three_bytes() -> None:
    assert [tokens(text) for text in ("", "a", "abc", "abcd", "中", "中a", "𠮷")] == [
        0, 1, 1, 2, 1, 2, 2,
    ]  # fmt: skip


@given(st.lists(st.text("中a。", min_size=1, max_size=9)), st.integers(1, 12))
def test_a_room_holds_the_longest_run_of_sentences_that_fits(texts: list[str], limit: int) -> None:
    room = Room(limit)
    taken = [room.take(text) for text in texts]
    fitting = [n for n in range(len(texts) + 1) if tokens("".join(texts[:n])) <= limit]
    longest = max(fitting)
    assert room.text == "".join(texts[:longest])
    assert taken == [True] * longest + [False] * (len(texts) - longest)
    assert room.is_full == (longest < len(texts))


CONVERSATIONS = [
    ["chroot 是哪一年出现的？", "它是谁写的？", "那 Docker 呢？", "它呢？"],
    ["Kubernetes 是什么时候发布的？", "谢谢", "那 Docker 呢？", "是谁开发的？", "为什么？"],
    ["什么是 cgroups？", "是哪家公司开发的？", "那 LXC 呢？", "哪一年？"],
]


@pytest.mark.slow
@pytest.mark.parametrize("questions", CONVERSATIONS, ids=lambda questions: questions[0])
def test_a_conversation_kept_by_the_client_is_answered_like_one_kept_by_us(
    site: str, questions: list[str]
) -> None:
    session_id, messages = None, []
    with httpx2.Client(base_url=site, timeout=60) as client:
        for question in questions:
            asked = {"question": question, "session_id": session_id}
            ours = client.post("/api/chat", json=asked).json()
            session_id = ours["session_id"]
            messages.append({"role": "user", "content": question})
            body = {"model": "wenqu", "messages": messages}
            theirs = client.post("/v1/chat/completions", json=body).json()
            reply = theirs["wenqu"]
            assert reply["standalone_question"] == ours["standalone_question"]
            assert theirs["choices"][0]["message"]["content"] == ours["answer"]
            messages.append(theirs["choices"][0]["message"])
