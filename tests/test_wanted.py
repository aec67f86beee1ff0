from bot.answer import Answer, Refusal, Turn
from bot.conversations import Complaint, KeptTurn
from bot.wanted import Wanted, wanted


def refused(at: str, question: str, alone: str = "", missing: tuple[str, ...] = ()) -> Complaint:
    refusal = Refusal("not_found", missing, (f"近 {at}",))
    answer = Answer("没有提到。", "refusal", refusal=refusal, standalone_question=alone)
    return Complaint(KeptTurn(at, at, Turn(question, answer)))


def disliked(at: str, question: str, *comments: str, dislikes: int = 1) -> Complaint:
    answer = Answer("你好", "chat", standalone_question=question)
    return Complaint(KeptTurn(at, at, Turn(question, answer), "down"), dislikes, comments)


def test_one_question_is_one_entry_however_it_was_written() -> None:
    found = wanted(
        [
            refused("3", "Podman 是哪一年發布的？", missing=("Podman",)),
            disliked("2", "ＰＯＤＭＡＮ是哪一年发布的", "没说年份", dislikes=2),
            refused("1", "那它呢？", alone="podman 是哪一年发布的?"),
        ]
    )
    assert found == [
        Wanted(
            question="Podman 是哪一年發布的？",
            refused=2,
            disliked=2,
            asked_at="3",
            missing=("Podman",),
            nearest=("近 3",),
            comments=("没说年份",),
        )
    ]


def test_questions_are_in_the_order_in_which_they_were_asked_last() -> None:
    complaints = [refused("3", "乙？"), refused("2", "甲？"), refused("1", "乙？")]
    assert [(each.question, each.refused) for each in wanted(complaints)] == [
        ("乙？", 2),
        ("甲？", 1),
    ]


def test_comments_are_newest_first() -> None:
    (found,) = wanted([disliked("2", "甲？", "新"), disliked("1", "甲？", "旧", "更旧")])
    assert found.comments == ("新", "旧", "更旧")
    assert (found.missing, found.nearest, found.refused) == ((), (), 0)


def test_questions_of_marks_only_are_not_one_question() -> None:
    assert [each.question for each in wanted([refused("2", "？"), refused("1", "！")])] == [
        "？",
        "！",
    ]
