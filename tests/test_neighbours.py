from bot.evidence import Evidence
from bot.neighbours import behind, told
from bot.question import Question
from corpus.document import Document, Passage, Section

TEXT = """平台

甲公司在 2006 年推出 Alpha，乙公司推出 Beta。这些平台没有流行起来。原来缺的是交付的手段。

大家认为容器就是虚拟机。我不太赞同这种看法。大家认为天是蓝的。天上有云。

2017 年新引擎不断出现。当年有 Kata、gVisor 和 Firecracker 问世。

为什么要隔离？因为资源有限。

- 短标签。这里是它的解释。
"""
DOCUMENT = Document(
    id="d", title="平台", text=TEXT, source="d.md", sections=(Section("平台", 1, 0, len(TEXT)),)
)


def evidence(sentence: str, wanted: float = 0.0) -> Evidence:
    start = TEXT.index(sentence)
    passage = Passage.cut(DOCUMENT, TEXT.index("甲"), len(TEXT.rstrip()))
    return Evidence(passage, start, start + len(sentence), 1.0, features={"wanted": wanted})


def asked(kind: str) -> Question:
    return Question("问", kind, ("问",), (), (), ())  # type: ignore[arg-type]  # any kind


def texts(found: list[Evidence]) -> list[str]:
    return [one.text for one in found]


def test_a_question_in_the_text_gives_way_to_what_follows_it() -> None:
    assert texts(told(asked("why"), evidence("为什么要隔离？")))[0] == "因为资源有限。"


def test_a_label_is_said_with_what_is_said_of_it() -> None:
    said = texts(told(asked("what"), evidence("- 短标签。")))
    assert said == ["- 短标签。", "这里是它的解释。"]


def test_a_list_points_back_to_what_it_is_of() -> None:
    this = "这些平台没有流行起来。"
    assert texts(told(asked("list"), evidence(this)))[0].startswith("甲公司在 2006 年")
    assert texts(told(asked("what"), evidence(this))) == [this]


def test_an_opinion_that_the_text_rejects_is_never_said_alone() -> None:
    rejected = texts(told(asked("yesno"), evidence("大家认为容器就是虚拟机。")))
    assert rejected == ["大家认为容器就是虚拟机。", "我不太赞同这种看法。"]
    assert len(told(asked("yesno"), evidence("大家认为天是蓝的。"))) == 1


def test_the_reason_behind_a_fact_is_added_where_it_is_asked_for() -> None:
    fact = evidence("这些平台没有流行起来。")
    assert texts(behind(asked("why"), fact)) == ["原来缺的是交付的手段。"]
    assert behind(asked("why"), evidence("这些平台没有流行起来。", wanted=1.0)) == []
    assert behind(asked("when"), fact) == []


def test_the_names_behind_their_announcement_are_added_to_a_list() -> None:
    announced = evidence("2017 年新引擎不断出现。")
    assert texts(behind(asked("list"), announced)) == ["当年有 Kata、gVisor 和 Firecracker 问世。"]
    assert behind(asked("list"), evidence("当年有 Kata、gVisor 和 Firecracker 问世。")) == []
