import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bot.problems import UNUSABLE, problem_of
from eval.cli import evaluate
from eval.compare import Comparison, common, compare, comparison_text
from eval.errors import ResultsError
from eval.outcome import Outcome, Quote, Reply
from eval.questions import GoldQuestion
from eval.results import About, Results, load, results, save

ABOUT = About("small", "2026-01-01T00:00:00Z", "0", "char:猫", "here", 1, 1, 0.5, 0)
QUOTE = Quote(1, "d", 0, 5, "1979年", faithful=True)
RIGHT = Reply("1979年[1]。", "grounded", (QUOTE,), 0.9, ranked=("d",))
WRONG = Reply("文中没有。", "refusal", confidence=0.1, reason="not_found", ranked=("x",))


def a_run(marks: str) -> Results:
    """One question for each mark, `+` answered right, `-` refused."""
    questions = [
        GoldQuestion(f"q{n}", "？", f"q{n}", split="tune", documents=("d",), answers=("1979 年",))
        for n in range(len(marks))
    ]
    replies = [RIGHT if mark == "+" else WRONG for mark in marks]
    outcomes = [Outcome(*pair) for pair in zip(questions, replies, strict=True)]
    return results(ABOUT, outcomes)


def compared(first: Results, second: Results) -> dict[str, Comparison]:
    found = compare(*common(first, second))
    return {comparison.measure.name: comparison for comparison in found}


def test_a_difference_on_most_questions_is_real_and_has_its_direction() -> None:
    worse, better = a_run("-" * 30), a_run("+" * 24 + "-" * 6)
    found = compared(worse, better)["answer"]
    assert [found.first, found.second, found.changed] == pytest.approx([0, 0.8, 24])
    assert 0.6 <= found.low < 0.8 < found.high <= 1
    assert found.real
    assert "确有提高" in comparison_text([found])
    assert re.search(
        r"回答含答案 +0\.0 +80\.0 +\+80\.0 \[\+[0-9.]+, \+[0-9.]+\] +24 ", comparison_text([found])
    )
    backwards = compared(better, worse)["answer"]
    assert (backwards.low, backwards.high) == pytest.approx((-found.high, -found.low))
    assert "确有下降" in comparison_text([backwards])


def test_a_difference_on_one_question_of_many_may_be_chance() -> None:
    found = compared(a_run("+" * 29 + "-"), a_run("+" * 30))["answer"]
    assert found.low == 0
    # one coin decides: all assignments are as large
    assert found.p == 1
    assert not found.real


def test_what_does_not_differ_is_not_compared() -> None:
    run = a_run("+-+")
    assert compared(run, run) == {}
    assert comparison_text([]) == "没有一个问题的结果不同。"
    found = compared(a_run("+" * 5), a_run("+" * 4 + "-"))
    assert "follow_up" not in found
    assert {"answer", "recall@1", "answered", "citation_recall"} <= set(found)
    # one sentence less, and all sentences of both runs have their quote
    assert "cited" not in found


def test_many_comparisons_make_each_less_sure() -> None:
    found = compared(a_run("-" * 8 + "+" * 22), a_run("+" * 30)).values()
    assert len(found) > 5
    assert all(one.p <= one.adjusted for one in found)
    assert min(one.p for one in found) < 0.05 < min(one.adjusted for one in found)
    assert "可能是偶然" in comparison_text(list(found))


def test_less_risk_is_better() -> None:
    sure = replace(WRONG, kind="grounded", confidence=0.99, text="1980年[1]。", quotes=(QUOTE,))
    first = a_run("+" * 30)
    second = results(ABOUT, [replace(outcome, reply=sure) for outcome in first.outcomes])
    text = comparison_text([compared(first, second)["brier"]])
    assert "确有下降" in text
    assert "Brier" in text


def test_of_a_length_it_is_only_said_that_it_differs() -> None:
    first = a_run("+" * 30)
    wordy = replace(RIGHT, text="1979年，也就是那一年[1]。")
    second = results(ABOUT, [replace(outcome, reply=wordy) for outcome in first.outcomes])
    assert "确有不同" in comparison_text([compared(first, second)["characters_p50"]])


def test_only_questions_that_both_asked_are_compared() -> None:
    short, long = a_run("++"), a_run("-++")
    mine, theirs = common(short, long)
    assert [outcome.question.id for outcome in mine] == ["q0", "q1"]
    assert [outcome.reply.kind for outcome in theirs] == ["refusal", "grounded"]
    assert [one.question.id for one in common(long, short)[0]] == ["q0", "q1"]
    with pytest.raises(ResultsError, match="no question in common with small"):
        common(short, long, split="test")


def test_the_same_id_has_to_be_the_same_question() -> None:
    first = a_run("+")
    changed = replace(first.outcomes[0].question, answers=("1980 年",))
    second = replace(first, outcomes=(Outcome(changed, RIGHT),))
    with pytest.raises(ResultsError, match="q0 is another question there"):
        common(first, second)


def test_results_are_the_same_after_they_were_saved(tmp_path: Path) -> None:
    run = a_run("+-")
    save(run, tmp_path / "r.json")
    assert load(tmp_path / "r.json") == run
    raw = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert raw["format"] == 1
    assert raw["outcomes"][0]["question"]["answers"] == ["1979 年"]


def test_what_is_no_file_of_results_is_told(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    with pytest.raises(ResultsError, match="No such file"):
        load(path)
    save(a_run("+"), path)
    raw = path.read_text(encoding="utf-8")
    path.write_text(raw.replace('"format": 1', '"format": 2'), encoding="utf-8")
    with pytest.raises(ResultsError, match="format: Input should be 1"):
        load(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ResultsError) as error:
        load(path)
    problem = problem_of(error.value)
    assert (problem.code, problem.exit_status) == ("results", UNUSABLE)
    assert str(path) in problem.detail


def test_the_command_compares_two_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    save(a_run("-" * 30), first)
    save(a_run("+" * 30), second)
    assert evaluate(["--compare", str(first), str(second)]) == 0
    said = capsys.readouterr().out
    assert "比较两者都有的 30 题" in said
    assert "回答含答案" in said
    assert "确有提高" in said
    assert "Holm" in said
