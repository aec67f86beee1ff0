"""The parts of the benchmark against the kits that need no kit.

The kits are not installed where tests run: they bring two hundred packages and take minutes. That
their recipes work is seen by `make bench`, which fails if one does not.
"""

import http.server
import itertools
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from corpus.document import Document
from corpus.words import Segmenter
from eval.bench.kits.ledger import Job, Ledger, Values, work_off
from eval.bench.kits.material import made, passages_of, sentences_of
from eval.bench.kits.plan import FULL, GRAPH, LABELS, QUICK, jobs
from eval.bench.kits.plot import query_plot
from eval.bench.kits.pressure import never_twice, press
from eval.bench.kits.recipe import KITS, OURS, STACKS, Tools, by_sentence, open_recipe
from eval.bench.kits.summary import Spread, bars, best_kit, ratio, spread
from eval.bench.kits.table import as_json, lines, markdown
from eval.bench.kits.wenqu_recipe import Given
from eval.errors import ResultsError
from eval.session import Wish, question_set
from index.dense import Dense
from index.gazetteer import Gazetteer
from index.lexical import Bags, Lexical
from index.rows import rows_of
from index.search import HybridIndex

KITS_FOLDER = Path(__file__).parents[1] / "eval" / "bench" / "kits"
SMALL = replace(QUICK, sizes=(10, 1000), rounds=2)
ASKED = ["容器是什么？", "谁发明了 chroot？", "Docker 是哪一年发布的？", "编排和调度有什么区别？"]


@pytest.fixture(scope="module")
def said() -> list[str]:
    return sentences_of(question_set(Wish()).documents)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.jsonl", {"run": 1})


def test_the_bare_reference_ranks_as_wenqu_does_with_the_same_terms_and_vectors(
    said: list[str], segmenter: Segmenter, tmp_path: Path
) -> None:
    pytest.importorskip("bm25s", reason="the reference needs it: pip install bm25s")
    passages = made(said, ASKED, 300)
    rows = [
        rows_of(Document(id=f"{at:07}", title="", text=text, source=""))[0]
        for at, text in enumerate(passages.texts)
    ]
    bags = Bags.count(map(segmenter.terms, passages.texts))
    ours = HybridIndex(
        rows,
        Dense.build(passages.vectors),
        Lexical.build(bags),
        Given("given", passages.known),
        segmenter,
        Gazetteer({}),
    )
    bare = open_recipe("bare", Tools(Path(), segmenter.terms, passages.known))
    bare.build(passages.texts, passages.vectors, tmp_path)
    bare.load(tmp_path)
    for question in ASKED:
        hits = ours.search(question, 20)
        scores = {int(hit.passage.document_id): hit.score for hit in hits}
        found = bare.search(question, 20)
        # scores are added in another order: those that are as good as equal may change places
        ranked = [scores.get(at, hits[-1].score) for at in found]
        assert ranked == pytest.approx([hit.score for hit in hits], abs=1e-4)
        assert found[0] == int(hits[0].passage.document_id)


def test_sentences_that_are_remembered_are_cut_alike(segmenter: Segmenter) -> None:
    quick = by_sentence(segmenter.terms)
    for document in question_set(Wish()).documents:
        for row in rows_of(document):
            assert quick(row.passage.text) == segmenter.terms(row.passage.text)


def test_made_up_passages_are_the_same_every_time_and_of_real_sentences(said: list[str]) -> None:
    one, other = made(said, ASKED, 50), made(said, ASKED, 50)
    assert one.texts == other.texts
    assert np.array_equal(one.vectors, other.vectors)
    assert np.linalg.norm(one.vectors, axis=1) == pytest.approx(np.ones(50), abs=1e-5)
    assert list(one.known) == ASKED
    assert all(any(text.startswith(sentence) for sentence in said) for text in one.texts)
    # another size, and the questions have the same vectors: a query job makes no passages
    assert np.array_equal(one.known[ASKED[0]], made(said, ASKED, 0).known[ASKED[0]])


def test_a_made_up_passage_is_one_passage_for_wenqu(said: list[str]) -> None:
    for text in made(said, ASKED, 200).texts:
        document = Document(id="0", title="", text=text, source="")
        assert [row.passage.text for row in rows_of(document)] == [text]


def test_questions_are_about_the_documents_that_are_kept() -> None:
    whole = passages_of(None, documents=1000, questions=1000)
    part = passages_of(None, documents=2, questions=1000)
    few = passages_of(None, documents=1000, questions=7)
    assert len(set(part.owners)) == 2
    assert part.texts == whole.texts[: len(part.texts)]
    assert all(one.documents <= set(part.owners) and one.documents for one in part.asked)
    assert 0 < len(few.asked) <= 7
    assert len({one.text for one in whole.asked}) == len(whole.asked)
    assert len({whole.key, part.key, few.key}) == 3


def test_an_unknown_stack_is_named_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"'txtai' is no stack: expected one of wenqu, bare, lang"):
        open_recipe("txtai", Tools(Path(), str.split))


def test_every_stack_has_its_turn_in_every_round_and_none_is_always_first() -> None:
    planned = [job for job in jobs(SMALL, ["bundled"]) if job.measure == "query"]
    given = [job for job in planned if job.case == "10/given"]
    assert sorted(job.stack for job in given if job.round == 1) == sorted(STACKS)
    firsts = [next(job.stack for job in given if job.round == turn) for turn in (0, 1)]
    assert firsts == [OURS, "bare"]
    assert len(set(planned)) == len(planned)


def test_embedding_is_measured_in_all_rounds_at_the_smallest_size_only() -> None:
    planned = [job for job in jobs(SMALL, ["bundled"]) if job.stack == OURS]
    rounds = {
        case: [job.round for job in planned if job.case == case]
        for case in ("10/model", "1000/model", "1000/given")
    }
    assert rounds == {"10/model": [0, 1], "1000/model": [0], "1000/given": [0, 1]}


def test_what_a_job_needs_is_made_before_it() -> None:
    planned = list(jobs(FULL, ["cmrc_trial", "drcd_dev"]))
    built = {(job.case, job.stack): at for at, job in enumerate(planned) if job.measure == "build"}
    for at, job in enumerate(planned):
        if job.measure == "query":
            assert built[job.case.partition("/")[0], job.stack] < at
        if job.measure in {"cold", "load", "chat"}:
            assert built["served", job.stack] < at
    assert {job.measure for job in planned[:2]} == {"embed"}
    assert GRAPH in {job.stack for job in planned if job.case == "100000/given"}
    assert {job.stack for job in planned} - {"model"} <= set(LABELS)


def test_a_run_goes_on_where_it_was_cut_off(ledger: Ledger, tmp_path: Path) -> None:
    wanted = [Job("cold", "served", stack) for stack in STACKS]
    tried: list[str] = []

    def measure(job: Job) -> Values:
        tried.append(job.stack)
        if job.stack == "langchain" and len(tried) < 6:
            raise subprocess.CalledProcessError(1, "cold", stderr="out of memory")
        if job.stack == "haystack" and len(tried) < 6:
            raise KeyboardInterrupt
        return {"seconds": len(tried)}

    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        work_off(wanted, ledger, measure, said.append)
    assert said[2] == "[3/5] cold served langchain 0: failed: out of memory"
    again = Ledger(tmp_path / "ledger.jsonl", {"run": 1})
    assert again.values == ledger.values == {
        wanted[0]: {"seconds": 1}, wanted[1]: {"seconds": 2}, wanted[3]: {"seconds": 4},
    }  # fmt: skip
    tried.extend("x")
    assert work_off(wanted, again, measure, said.append) == 0
    assert tried[-2:] == ["langchain", "haystack"]
    assert said[-1].startswith("[2/2] cold served haystack 0: seconds 8 (")


def test_a_line_that_was_cut_off_is_measured_again(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    job = Job("cold", "served", OURS)
    ledger.record(job, {"seconds": 1.5})
    whole = path.read_text(encoding="utf-8")
    for length in range(whole.index("\n") + 1, len(whole)):
        path.write_text(whole[:length], encoding="utf-8")
        assert Ledger(path, {"run": 1}).values == {}
        assert path.read_text(encoding="utf-8") == '{"run": 1}\n'
    path.write_text(whole, encoding="utf-8")
    assert Ledger(path, {"run": 1}).values == {job: {"seconds": 1.5}}


def test_measurements_of_another_run_are_not_mixed_in(ledger: Ledger, tmp_path: Path) -> None:
    del ledger
    with pytest.raises(ResultsError, match="it is of another run: remove it or choose another"):
        Ledger(tmp_path / "ledger.jsonl", {"run": 2})
    (tmp_path / "ledger.jsonl").write_text('{"run": 1}\n{"job": {}}\n', encoding="utf-8")
    with pytest.raises(ResultsError, match="line 2: "):
        Ledger(tmp_path / "ledger.jsonl", {"run": 1})


def rounds(measure: str, case: str, name: str, **of: list[float]) -> dict[Job, Values]:
    """Return the values of each stack, one a round."""
    return {
        Job(measure, case, stack, turn): {name: value}
        for stack, values in of.items()
        for turn, value in enumerate(values)
    }


def test_a_ratio_is_taken_within_a_round() -> None:
    # twice as fast in every round, while the machine grew ten times slower
    measured = rounds("query", "10/given", "p50", wenqu=[1.0, 10.0, 3.0], bare=[2.0, 20.0])
    assert ratio(measured, "query", "10/given", ("bare", OURS), "p50") == 2.0
    assert spread(measured, "query", "10/given", OURS, "p50") == Spread(3.0, 1.0, 10.0, 3)
    assert spread(measured, "query", "10/given", "haystack", "p50") is None
    assert ratio(measured, "query", "10/given", ("haystack", OURS), "p50") is None
    assert ratio(measured, "query", "9/given", ("bare", OURS), "p50") is None


def measured_by_hand() -> dict[Job, Values]:
    return {
        **rounds("cold", "served", "seconds", wenqu=[1.5], langchain=[6.0], haystack=[5.0]),
        **rounds("query", "1000/given", "p50", wenqu=[1.0], bare=[0.4], llamaindex=[10.0]),
        **rounds("quality", "bundled", "mrr", wenqu=[0.95], bare=[0.94], haystack=[0.96]),
    }


def test_bars_are_met_or_missed_or_not_measured() -> None:
    assert [(bar.met, bar.said) for bar in bars(measured_by_hand(), [10, 1000], ["bundled"])] == [
        (True, "1.50 s"),
        (True, "0.30"),
        (True, "0.100"),
        (False, "2.50 times"),
        (None, "not measured"),
        (False, "0.9500, haystack 0.9600"),
    ]
    assert best_kit(measured_by_hand(), "cold", "served", "seconds") == "haystack"
    assert {bar.met for bar in bars({}, [10], ["bundled"])} == {None}


def test_memory_is_held_to_the_bare_reference_round_by_round() -> None:
    for ours, met in (([510.0, 301.0, 700.0], True), ([501.0, 301.0, 699.0], False)):
        bare = [310.0, 100.0, 500.0] if met else [300.0, 100.0, 400.0]
        measured = rounds("cold", "served", "megabytes", wenqu=ours, bare=bare)
        (bar,) = [one for one in bars(measured, [10], []) if "memory" in one.name]
        assert (bar.met, bar.said) == (met, "+200 MB" if met else "+201 MB")


def test_the_table_has_a_row_a_measure_and_a_column_a_stack() -> None:
    measured = measured_by_hand()
    chinese = markdown(measured, SMALL, ["bundled"], chinese=True)
    english = markdown(measured, SMALL, ["bundled"], chinese=False)
    head, _, first = english.splitlines()[:3]
    assert head == "|  | wenqu | bare (faiss + bm25s) | LangChain | LlamaIndex | Haystack |"
    assert first == "| cold start to first hits, s | 1.50 | – | 6.00 ×4 | – | 5.00 ×3.33 |"
    assert (
        len(chinese.splitlines())
        == len(english.splitlines())
        == 2 + len(list(lines(SMALL, ["bundled"])))
    )
    assert (
        "| 搜索，不算嵌入，1,000 段，毫秒，p50 | 1.00 | 0.40 ×0.4 | – | 10.00 ×10 | – |" in chinese
    )
    assert "| bundled MRR@10 | 0.9500 | 0.9400 | – | – | 0.9600 |" in english


def test_several_rounds_show_their_spread() -> None:
    measured = rounds("cold", "served", "seconds", wenqu=[1.5, 1.0, 1.2])
    assert "| 1.20 (1.00–1.50) |" in markdown(measured, SMALL, [], chinese=False)


def test_the_results_say_all_that_was_measured() -> None:
    found = as_json({"machine": "2 × CPU"}, measured_by_hand(), SMALL, ["bundled"])
    cells = found["cells"]
    assert isinstance(cells, list)
    assert len(cells) == len(measured_by_hand())
    one = {"measure": "cold", "case": "served", "stack": "langchain", "value": "seconds"}
    assert {**one, "median": 6.0, "low": 6.0, "high": 6.0, "rounds": 1, "to_wenqu": 4.0} in cells
    assert found["about"] == {"machine": "2 × CPU"}


def test_the_plot_has_a_curve_for_each_stack_that_was_measured() -> None:
    drawn = query_plot(measured_by_hand(), [10, 1000])
    assert drawn.startswith("<svg")
    assert [label for label in LABELS.values() if f">{label}<" in drawn] == [
        "wenqu", "bare (faiss + bm25s)", "LlamaIndex",
    ]  # fmt: skip
    assert drawn == query_plot(measured_by_hand(), [10, 1000])


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers, save what is asked about 坏."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(500 if "%E5%9D%8F" in self.path else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_answers_are_counted_and_failures_are_not_among_them(port: int) -> None:
    found = press(port, itertools.cycle(["好", "坏"]), clients=2, seconds=0.3)
    assert found.failed > 0
    assert len(found.milliseconds) > 0
    assert abs(len(found.milliseconds) - found.failed) <= 2  # every second one
    assert list(found.milliseconds) == sorted(found.milliseconds)
    assert 0 < found.per_second <= len(found.milliseconds) / 0.3


def test_nobody_listening_is_a_failure_and_no_answer() -> None:
    found = press(1, itertools.cycle(["好"]), clients=1, seconds=0.05)
    assert found.failed > 0
    assert found.milliseconds == ()


def test_no_question_comes_twice() -> None:
    asked = list(itertools.islice(never_twice(["甲", "乙"]), 6))
    assert asked == ["甲", "乙", "2 甲", "2 乙", "3 甲", "3 乙"]


def test_the_kits_are_pinned_to_one_version_each() -> None:
    rows = (KITS_FOLDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    packages = [row for row in rows if row and not row.startswith("#")]
    assert [row for row in packages if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.]*", row)] == []
    assert packages == sorted(packages)
    families = {"langchain": "langchain-", "llamaindex": "llama-index-", "haystack": "haystack-ai"}
    assert set(families) == set(KITS)
    for prefix in families.values():
        assert any(row.startswith(prefix) for row in packages)


def test_every_stack_has_a_recipe() -> None:
    recipes: Mapping[str, Path] = {stack: KITS_FOLDER / f"{stack}_recipe.py" for stack in STACKS}
    assert {stack for stack, path in recipes.items() if not path.exists()} == set()
