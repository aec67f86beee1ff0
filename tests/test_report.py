import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from eval.measures import Score
from eval.outcome import Candidate, Outcome, Quote, Reply, Retrieved
from eval.plots import stages_plot
from eval.questions import GoldQuestion
from eval.report import report_html
from eval.results import About, Results, results
from eval.table import columns, scores_text, shown, width

ABOUT = About("small", "2026-01-01T00:00:00Z", "0", "char:猫", "here", 3, 9, 12.3, 0)
EVIL = "<script>alert('猫')</script>"
QUOTE = Quote(1, "d", 0, 5, "1979年", faithful=True)
FOUND = Retrieved("d<b>", 0, 9, EVIL, f"摘录{EVIL}", 0.75, holds_answer=True)
GIVEN = Reply(
    f"{EVIL}1979年[1]。",
    "grounded",
    (QUOTE,),
    0.9,
    standalone_question=f"补全{EVIL}",
    ranked=("d",),
    retrieved=(FOUND,),
    best=Candidate("d", 0, 5, f"单句{EVIL}"),
    timings={"embed": 8.0, "total": 20.0},
)
REFUSED = replace(GIVEN, text="文中没有。", kind="refusal", quotes=(), confidence=0.2)
RIGHT = GoldQuestion("q1", "哪一年？", "q1", documents=("d",), answers=("1979",), type="when")
WRONG = GoldQuestion(f"q2{EVIL}", f"何时{EVIL}", "q2", answers=(f"1980{EVIL}",), style=EVIL)
LACKING = GoldQuestion("u", "谁？", "u", expected="refusal", kind="near_miss")


@pytest.fixture
def run() -> Results:
    pairs = [(RIGHT, GIVEN), (WRONG, GIVEN), (LACKING, REFUSED), (LACKING, GIVEN)]
    outcomes = [
        Outcome(replace(question, id=f"{question.id}{n}"), reply)
        for n, (question, reply) in enumerate(pairs)
    ]
    return results(ABOUT, outcomes)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes.extend(attrs)


def test_what_came_from_documents_and_questions_is_never_markup(run: Results) -> None:
    page = report_html(run)
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.seen
    assert "&lt;script&gt;" in page
    assert "d&lt;b&gt;" in page


def test_the_page_needs_nothing_beside_it(run: Results) -> None:
    tags = Tags()
    tags.feed(report_html(run))
    assert not {"link", "img", "iframe", "script"} & set(tags.seen)
    links = [value for name, value in tags.attributes if name in {"href", "xlink:href", "src"}]
    assert [link for link in links if link and not link.startswith("#")] == []


def test_the_page_has_every_curve_and_every_group(run: Results) -> None:
    page = report_html(run)
    assert page.count("<svg") == 4
    for words in ("检索", "拒答", "按问题类型", "按说法", "按该拒的缘由", "near_miss", "耗时"):
        assert words in page
    assert "按对话中的位置" not in page


def test_the_worst_questions_are_shown_with_what_was_found(run: Results) -> None:
    page = report_html(run)
    listed = page[page.index("答得最差的问题") :]
    assert "共 2 题有误" in listed
    assert listed.count("<details>") == 2
    assert "该拒未拒" in listed
    assert "补全" in listed
    assert "0.750" in listed


def test_the_same_run_makes_the_same_page(run: Results) -> None:
    assert report_html(run) == report_html(run)


def test_without_matplotlib_the_page_says_how_to_get_the_curves(
    run: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as if it were not installed
    page = report_html(run)
    assert "<svg" not in page
    assert "pip install &#39;wenqu[eval]&#39;" in page
    assert "答得最差的问题" in page


def test_a_name_in_a_drawing_is_text() -> None:
    drawn = stages_plot([("a<b>$x$", 1.0, 2.0), ("total", 3.0, 4.0)])
    assert drawn.startswith("<svg")
    assert "a&lt;b&gt;$x$" in drawn


def test_the_table_has_a_column_for_each_half() -> None:
    halves = [Outcome(replace(RIGHT, id=split, split=split), GIVEN) for split in ("test", "tune")]
    text = scores_text(results(ABOUT, halves))
    assert re.match(r" +调参 +测试\n", text)
    (line,) = [line for line in text.splitlines() if "召回率 @1 " in line]
    assert line.count("100.0 [100.0, 100.0] n=1") == 2


def test_what_was_measured_in_one_half_only_leaves_a_gap() -> None:
    found = [
        Score("answer", "tune", 0.5, 0.25, 0.75, 4, 4),
        Score("cited", "tune", 1, 1, 1, 4, 9),
        Score("recall@1", "test", 1, 1, 1, 2, 2),
    ]
    text = scores_text(Results(1, ABOUT, tuple(found), ()))
    (line,) = [line for line in text.splitlines() if "回答含答案" in line]
    assert line.split() == ["回答含答案", "50.0", "[25.0,", "75.0]", "n=4", "–"]
    assert "100.0 [100.0, 100.0] n=4/9" in text


def test_numbers_are_shown_in_their_unit() -> None:
    assert shown(0.12345, "share") == "12.3"
    assert shown(0.05, "points") == "+5.0"
    assert shown(-0.05, "points") == "-5.0"
    assert shown(8.04, "milliseconds") == "8.0"


def test_columns_are_aligned_by_what_a_terminal_shows() -> None:
    assert width("容器ab（") == 8
    assert columns([["容器", "1"], ["a", "12"]]) == "容器   1\na     12"
