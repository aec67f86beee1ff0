from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval.curves import Threshold, reliability, risk_coverage, trade_off
from eval.measured import Measured, Row
from eval.measures import MEASURES, latencies, scores
from eval.outcome import Candidate, Outcome, Quote, Reply, Retrieved, claims, right
from eval.questions import GoldQuestion, GoldSpan
from eval.worst import regret, verdict, worst

DOCUMENTATION = Path(__file__).parents[1] / "docs" / "evaluation.md"
BY_NAME = {measure.name: measure for measure in MEASURES}


def a_quote(number: int, text: str, *, document: str = "d", faithful: bool = True) -> Quote:
    return Quote(number, document, 0, len(text), text, faithful)


GIVEN = Reply(
    text="1979 年[1]。chroot 于 1979 年出现[1]。",
    kind="grounded",
    quotes=(a_quote(1, "chroot 于 1979 年出现。"),),
    confidence=0.9,
    standalone_question="chroot 是哪一年出现的？",
    ranked=("x", "d", "e"),
    best=Candidate("d", 0, 15, "chroot 于 1979 年出现。"),
    timings={"embed": 8.0, "total": 20.0},
)
REFUSED = replace(GIVEN, text="文中没有提到“chroot”。", kind="refusal", quotes=(), confidence=0.2)
TALK = Reply("你好！", "chat", confidence=1.0)
ASKED = GoldQuestion(
    "q", "它是哪一年出现的？", "q", documents=("d",), answers=("1979年", "一九七九年")
)
UNKNOWN = GoldQuestion("u", "Podman 是谁写的？", "u", expected="refusal", kind="topic_absent")
GREETING = GoldQuestion("c", "你好", "c", expected="chat")


def measured(
    name: str,
    question: GoldQuestion,
    reply: Reply,
    **known: Any,  # noqa: ANN401  # fields of the question
) -> list[Row]:
    return list(BY_NAME[name].measured(Outcome(replace(question, **known), reply)))


@pytest.mark.parametrize(
    ("name", "given", "refused"),
    [
        ("recall@1", 0, 0),
        ("recall@5", 1, 1),
        ("mrr@10", 1 / 2, 1 / 2),
        ("ndcg@10", 0.6309297535714575, 0.6309297535714575),
        ("answer", 1, 0),
        ("exact", 1, 0),
        # 1979 年 is a run of 2 of the 8 units of the answer and of the 2 of the gold: 2·2/(8+2)
        ("f1", 4 / 10, 0),
        ("sentence", 1, 1),
        ("citation_recall", 1, 0),
        ("citation_document", 1, 0),
        ("answered", 1, 0),
        ("brier", 0.01, 0.64),
    ],
)
def test_an_answerable_question_by_hand(name: str, given: float, refused: float) -> None:
    assert measured(name, ASKED, GIVEN) == [pytest.approx((given,))]
    assert measured(name, ASKED, REFUSED) == [pytest.approx((refused,))]


def test_a_refusal_counts_as_no_answer_but_not_among_those_given() -> None:
    assert measured("answer_given", ASKED, GIVEN) == [(1,)]
    assert measured("answer_given", ASKED, REFUSED) == []
    assert measured("characters_p50", ASKED, REFUSED) == []
    assert measured("characters_p50", ASKED, GIVEN) == [(25,)]
    assert measured("sentences", ASKED, GIVEN) == [(2,)]


def test_a_year_in_a_marker_is_no_answer() -> None:
    quote = a_quote(1, "出现了。")
    reply = replace(GIVEN, text="出现了[1]。", quotes=(quote,))
    assert measured("answer", ASKED, reply, answers=("1",)) == [(0,)]


def test_where_all_are_wanted_all_have_to_be_said_and_quoted() -> None:
    quotes = (a_quote(1, "一是 CRI。"), a_quote(2, "二是 CNI。"))
    reply = replace(GIVEN, text="一是 CRI[1]。二是 CNI[2]。", quotes=quotes)
    known = {"answers": (), "answers_all": ("CRI", "CNI")}
    assert measured("answer", ASKED, reply, **known) == [(1,)]
    assert measured("citation_recall", ASKED, reply, **known) == [(1,)]
    one = replace(reply, text="一是 CRI[1]。", quotes=quotes[:1])
    assert measured("answer", ASKED, one, **known) == [(0,)]
    assert measured("citation_recall", ASKED, one, **known) == [(0,)]


def test_an_alternative_is_as_good_as_the_document_and_counts_once() -> None:
    reply = replace(GIVEN, ranked=("x", "twin", "d", "e"))
    known = {"documents": ("d", "e"), "alternatives": ("twin",)}
    assert measured("recall@5", ASKED, reply, **known) == [(1,)]
    # x d e, the twin being d: e is at rank 3, not 4
    assert measured("recall@1", ASKED, replace(reply, ranked=("twin",)), **known) == [(1 / 2,)]
    gained = (1 / 1.584962500721156 + 1 / 2) / (1 + 1 / 1.584962500721156)
    assert measured("ndcg@10", ASKED, reply, **known) == [pytest.approx((gained,))]


@pytest.mark.parametrize("name", ["recall@1", "recall@5", "recall@10", "mrr@10", "ndcg@10"])
def test_a_measure_looks_as_deep_as_its_name_says(name: str) -> None:
    depth = int(name.partition("@")[2])
    others = [f"x{n}" for n in range(20)]
    for place, seen in [(depth, True), (depth + 1, False)]:
        ranked = (*others[: place - 1], "d", *others[place:])
        ((value,),) = measured(name, ASKED, replace(GIVEN, ranked=ranked))
        assert (value > 0) == seen, place


@pytest.mark.parametrize("name", ["passage@1", "passage@5"])
def test_passages_are_looked_at_as_deep_as_the_name_says(name: str) -> None:
    depth = int(name.partition("@")[2])
    for place, seen in [(depth, 1), (depth + 1, 0)]:
        found = [Retrieved("d", 0, 9, "", "…", 1.0, n == place) for n in range(1, 12)]
        assert measured(name, ASKED, replace(GIVEN, retrieved=tuple(found))) == [(seen,)]


def test_percentiles_are_those_that_the_name_says() -> None:
    asked = [replace(ASKED, id=str(n), cluster=str(n)) for n in range(1, 21)]
    said = [replace(GIVEN, text=f"{'字' * n}[1]", timings={"total": n}) for n in range(1, 21)]
    outcomes = [Outcome(*pair) for pair in zip(asked, said, strict=True)]
    found = {
        score.measure: score.value for score in scores(outcomes, [*MEASURES, *latencies(outcomes)])
    }
    assert (found["characters_p50"], found["characters_p90"]) == (10, 18)
    assert (found["total_p50"], found["total_p95"]) == (10, 19)


def test_a_passage_counts_by_the_answer_in_it() -> None:
    found = [Retrieved("d", 0, 9, "", "…", 1.0, holds) for holds in (False, False, True)]
    reply = replace(GIVEN, retrieved=tuple(found))
    assert measured("passage@1", ASKED, reply) == [(0,)]
    assert measured("passage@5", ASKED, reply) == [(1,)]


def test_the_best_sentence_has_to_stand_where_the_answer_does() -> None:
    assert measured("sentence_span", ASKED, GIVEN, spans=(GoldSpan("d", 9, 14),)) == [(1,)]
    assert measured("sentence_span", ASKED, GIVEN, spans=(GoldSpan("d", 20, 24),)) == [(0,)]
    assert measured("sentence_span", ASKED, GIVEN) == []
    unseen = replace(GIVEN, best=None)  # a server does not tell
    assert measured("sentence", ASKED, unseen) == []
    assert measured("sentence_span", ASKED, unseen, spans=(GoldSpan("d", 9, 14),)) == []


def test_sentences_are_judged_by_the_quotes_that_they_name() -> None:
    quotes = (a_quote(1, "容器隔离进程。"), a_quote(2, "编排管理容器。", faithful=False))
    text = "容器隔离进程[1]。编排管理容器。[2]网络互通[1]。最后一句。"
    reply = replace(GIVEN, text=text, quotes=quotes)
    assert [(claim.text, claim.quotes) for claim in claims(reply)] == [
        ("容器隔离进程。", ("容器隔离进程。",)),
        ("编排管理容器。", ("编排管理容器。",)),
        ("网络互通。", ("容器隔离进程。",)),
        ("最后一句。", ()),
    ]
    assert measured("supported", ASKED, reply) == [(1,), (1,), (0,), (0,)]
    assert measured("cited", ASKED, reply) == [(1,), (1,), (1,), (0,)]
    assert measured("faithful", ASKED, reply) == [(1,), (0,)]
    assert claims(REFUSED) == []


@pytest.mark.parametrize(
    "end", ["[1]。", "。[1]", "。”[1]", "[1]。”", '."[1]', "！！[1]", "[1]", "…[1]"]
)
def test_a_marker_belongs_to_the_sentence_it_ends(end: str) -> None:
    reply = replace(GIVEN, text=f"他说：“容器隔离进程{end}", quotes=(a_quote(1, "容器隔离进程。"),))
    assert [len(claim.quotes) for claim in claims(reply)] == [1]
    followed = replace(reply, text=f"{reply.text}编排管理容器。")
    if set(end) & set("。！"):  # elsewhere the sentence goes on
        assert [len(claim.quotes) for claim in claims(followed)] == [1, 0]


def test_refusals_are_counted_against_what_should_be_refused() -> None:
    assert measured("refusal_f1", ASKED, GIVEN) == [(0, 0)]
    assert measured("refusal_f1", ASKED, REFUSED) == [(1, 0)]
    assert measured("refusal_f1", UNKNOWN, REFUSED) == [(1, 1)]
    assert measured("refusal_f1", UNKNOWN, GIVEN) == [(0, 1)]
    assert measured("refusal_f1", GREETING, TALK) == []
    assert measured("answered", UNKNOWN, GIVEN) == []


@pytest.mark.parametrize(
    ("kind", "near"), [("topic_absent", False), ("near_miss", True), ("attribute_absent", True)]
)
def test_near_misses_are_counted_apart(kind: str, *, near: bool) -> None:
    assert bool(measured("refused_near_miss", UNKNOWN, REFUSED, kind=kind)) == near
    assert bool(measured("refused_topic_absent", UNKNOWN, REFUSED, kind=kind)) != near


def test_a_refusal_names_what_is_missing_if_the_question_does() -> None:
    said = replace(REFUSED, text="文中没有提到“podman”。")
    assert measured("names_missing", UNKNOWN, said, missing=("Podman",)) == [(1,)]
    assert measured("names_missing", UNKNOWN, REFUSED, missing=("Podman",)) == [(0,)]
    assert measured("names_missing", UNKNOWN, REFUSED, missing=("作者",)) == []
    assert measured("names_missing", UNKNOWN, GIVEN, missing=("Podman",)) == []


def test_right_is_what_would_have_been_said() -> None:
    assert right(Outcome(ASKED, GIVEN)) is True
    assert right(Outcome(ASKED, REFUSED)) is True
    assert right(Outcome(ASKED, replace(REFUSED, best=Candidate("d", 0, 2, "容器")))) is False
    assert right(Outcome(ASKED, replace(REFUSED, best=None))) is None
    assert right(Outcome(ASKED, TALK)) is False
    assert right(Outcome(UNKNOWN, REFUSED)) is False
    assert measured("aurc", ASKED, replace(REFUSED, best=None)) == []
    assert measured("aurc", GREETING, TALK) == []
    assert measured("ece", UNKNOWN, REFUSED) == [(0.2, 0)]


def test_follow_ups_and_scripts_are_compared_with_their_counterparts() -> None:
    assert measured("follow_up", ASKED, GIVEN, follow="first") == [(1, 0)]
    assert measured("follow_up", ASKED, REFUSED, follow="pronoun") == [(0, 1)]
    assert measured("follow_up", ASKED, GIVEN) == []
    assert measured("script", ASKED, GIVEN, script="traditional") == [(1, 1)]
    assert measured("script", ASKED, GIVEN, script="simplified") == [(1, 0)]
    assert measured("script", ASKED, GIVEN) == []


def test_a_rewrite_is_judged_by_what_it_names_and_what_it_finds() -> None:
    assert measured("rewrite_entity", ASKED, GIVEN, entity="Chroot") == [(1,)]
    assert measured("rewrite_entity", ASKED, GIVEN, entity="jail") == [(0,)]
    lost = replace(GIVEN, ranked_as_typed=("x", "y"))
    assert measured("rewrite_gain", ASKED, lost, follow="pronoun") == [(1,)]
    worse = replace(GIVEN, ranked=("x",), ranked_as_typed=("d",))
    assert measured("rewrite_gain", ASKED, worse, follow="pronoun") == [(-1,)]
    assert measured("rewrite_gain", ASKED, GIVEN, follow="pronoun") == [(0,)]
    assert measured("rewrite_gain", ASKED, lost, follow="first") == []
    sixth = replace(GIVEN, ranked=(*"abcef", "d"), ranked_as_typed=(*"abce", "d"))
    assert measured("rewrite_gain", ASKED, sixth, follow="pronoun") == [(-1,)]
    assert measured(
        "rewrite_gain", ASKED, replace(sixth, ranked_as_typed=sixth.ranked), follow="pronoun"
    ) == [(0,)]


def test_small_talk_is_measured_by_itself() -> None:
    assert measured("chat", GREETING, TALK) == [(1,)]
    assert measured("chat", GREETING, REFUSED) == [(0,)]
    assert measured("chat", ASKED, TALK) == []
    assert [m.name for m in MEASURES if measured(m.name, GREETING, TALK)] == ["chat"]


def test_each_stage_has_two_latencies_and_the_total_comes_last() -> None:
    found = latencies([Outcome(ASKED, GIVEN), Outcome(GREETING, TALK)])
    assert [m.name for m in found] == ["embed_p50", "embed_p95", "total_p50", "total_p95"]
    assert list(found[0].measured(Outcome(ASKED, GIVEN))) == [(8.0,)]
    assert list(found[0].measured(Outcome(GREETING, TALK))) == []


def test_a_score_has_its_value_interval_and_number_of_questions() -> None:
    asked = [replace(ASKED, id=str(n), cluster=str(n)) for n in range(8)]
    outcomes = [Outcome(question, GIVEN if n < 6 else REFUSED) for n, question in enumerate(asked)]
    (found,) = scores(outcomes, [BY_NAME["answer"]], split="tune", seed=1)
    assert (found.measure, found.split, found.value, found.questions) == ("answer", "tune", 0.75, 8)
    (each,) = scores(outcomes, [BY_NAME["cited"]])  # two sentences of each of six answers
    assert (each.questions, each.rows) == (6, 12)
    assert 0.375 <= found.low < 0.75 < found.high <= 1
    assert scores(outcomes, [BY_NAME["chat"]]) == []
    assert scores([], MEASURES) == []


def test_names_of_measures_are_there_once_and_each_is_explained() -> None:
    assert len(BY_NAME) == len(MEASURES)
    assert [m.name for m in MEASURES if not explained(m.measured)] == []
    assert all(measure.label for measure in MEASURES)


def test_every_measure_is_documented() -> None:
    text = DOCUMENTATION.read_text(encoding="utf-8")
    assert [measure.name for measure in MEASURES if f"`{measure.name}`" not in text] == []


def explained(function: Measured) -> bool:
    if "<locals>" in function.__qualname__:  # made by a function that explains it
        return function.__qualname__.split(".")[0] in {"recall_at", "passage_at"}
    return bool(function.__doc__)


def test_the_reliability_diagram_by_hand() -> None:
    surer = replace(GIVEN, confidence=0.94)
    wrong = replace(GIVEN, text="1980 年[1]。", confidence=0.92)
    outcomes = [Outcome(ASKED, GIVEN), Outcome(ASKED, surer), Outcome(ASKED, wrong)]
    found = reliability([*outcomes, Outcome(UNKNOWN, REFUSED), Outcome(GREETING, TALK)])
    assert [(b.right, b.count) for b in found] == [(0, 1), (pytest.approx(2 / 3), 3)]
    assert [b.confidence for b in found] == [pytest.approx(0.2), pytest.approx(0.92)]
    assert reliability([]) == []


def test_the_risk_coverage_curve_by_hand() -> None:
    wrong = replace(GIVEN, text="1980 年[1]。", confidence=0.9)
    outcomes = [Outcome(ASKED, reply) for reply in (GIVEN, wrong, replace(GIVEN, confidence=0.5))]
    outcomes.append(Outcome(ASKED, replace(GIVEN, confidence=0.95)))
    # .95 right; two at .9, one of them wrong; .5 right
    assert risk_coverage(outcomes) == [(1 / 4, 0), (3 / 4, 1 / 3), (1, 1 / 4)]
    assert risk_coverage([]) == []


def test_the_trade_off_by_hand() -> None:
    outcomes = [
        Outcome(ASKED, GIVEN),
        Outcome(ASKED, REFUSED),
        Outcome(UNKNOWN, replace(GIVEN, confidence=0.4)),
        Outcome(GREETING, TALK),
    ]
    assert trade_off(outcomes) == [
        Threshold(0.0, answered=1, refused=0, f1=0),
        Threshold(0.2, answered=1, refused=0, f1=0),
        Threshold(0.4, answered=1 / 2, refused=0, f1=0),
        Threshold(0.9, answered=1 / 2, refused=1, f1=2 / 3),
    ]
    assert trade_off(outcomes[:2]) == []
    assert trade_off(outcomes[2:3]) == []


def test_the_worst_is_what_was_sure_and_wrong() -> None:
    wrong = replace(GIVEN, text="1980 年[1]。")
    error = Reply("", "error", reason="broken")
    cases = {
        "error": Outcome(ASKED, error),
        "wrong": Outcome(ASKED, wrong),
        "unsure": Outcome(ASKED, replace(wrong, confidence=0.5)),
        "invented": Outcome(UNKNOWN, replace(GIVEN, confidence=0.8)),
        "timid": Outcome(ASKED, REFUSED),
        "right": Outcome(ASKED, GIVEN),
        "good": Outcome(UNKNOWN, REFUSED),
        "free": Outcome(replace(ASKED, answers=()), wrong),
        "hello": Outcome(GREETING, TALK),
        "rude": Outcome(GREETING, GIVEN),
    }
    named = [
        Outcome(replace(outcome.question, id=name), outcome.reply)
        for name, outcome in cases.items()
    ]
    order = ["error", "wrong", "invented", "unsure", "rude", "timid"]
    assert [outcome.question.id for outcome in worst(named)] == order
    assert [verdict(outcome) for outcome in worst(named)] == [
        "出错",
        "答错",
        "该拒未拒",
        "答错",
        "把寒暄当成提问",
        "误拒",
    ]
    assert regret(cases["right"]) == 0
