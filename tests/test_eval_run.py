import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bot.answer import Turn
from bot.bot import Bot
from bot.errors import ExtraNotInstalledError
from bot.problems import UNUSABLE, problem_of
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import client_of
from corpus.document import Passage
from corpus.words import Segmenter
from eval.cli import evaluate
from eval.errors import QuestionSetError, ServerError
from eval.folder import folder_set, split_of
from eval.indexing import apart, bot_over, collection_name
from eval.outcome import Outcome
from eval.questions import GoldConversation, GoldQuestion, QuestionSet
from eval.remote import RemoteRespondent
from eval.results import load
from eval.run import LocalRespondent, ask_all, retrieved
from eval.session import Wish, measure, question_set
from index.database import Database
from index.embed import Progress
from index.hit import Hit
from index.testing import CharEmbedder

ROOT = Path(__file__).parents[1]
HALVES = ("tune", "test")
PARAGRAPHS: list[dict[str, Any]] = [
    {"id": "history", "title": "历史", "text": "chroot 于 1979 年出现。jail 于 1999 年出现。"},
    {"id": "cats", "title": "猫", "text": "猫喜欢鱼。猫害怕水。"},
    {"id": "dogs", "title": "狗", "text": "狗喜欢骨头。狗不怕水。"},
]
QUESTIONS: list[dict[str, Any]] = [
    {
        "id": "q1",
        "question": "chroot 是哪一年出现的？",
        "paragraph_id": "history",
        "answers": ["1979 年"],
        "answer_starts": [9],
    },
    {
        "id": "q2",
        "question": "它害怕什么？",
        "history": ["猫喜欢什么？", "猫喜欢鱼。"],
        "paragraph_id": "cats",
        "answers": ["水"],
        "answer_starts": [8],
    },
    {
        "id": "q3",
        "question": "马喜欢什么？",
        "paragraph_id": None,
        "answers": [],
        "answer_starts": [],
        "answerable": False,
        "kind": "topic_absent",
    },
]


def silent(_stage: str, _share: float) -> None:
    return


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "small"
    made.mkdir()
    for name, rows in [("paragraphs", PARAGRAPHS), ("questions", QUESTIONS)]:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (made / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "var")


class Opener:
    """Opens runtimes over the same files, as one command after the other does."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self.alphabet = "猫狗年鱼水"
        self.opened: list[Runtime] = []

    def __call__(
        self, settings: Settings, *, threads: int = 1, progress: Progress | None = None
    ) -> Runtime:
        del threads, progress
        embedder = CharEmbedder(self.alphabet)
        runtime = Runtime(settings, Database(settings.database), embedder, self.segmenter)
        self.opened.append(runtime)
        return runtime


@pytest.fixture
def opener(segmenter: Segmenter) -> Iterator[Opener]:
    made = Opener(segmenter)
    yield made
    for runtime in made.opened:
        runtime.close()


@pytest.fixture
def bot(folder: Path, settings: Settings, opener: Opener) -> Bot:
    return bot_over(opener(settings), folder_set(folder))


def by_id(outcomes: list[Outcome]) -> dict[str, Outcome]:
    return {outcome.question.id: outcome for outcome in outcomes}


def test_an_outcome_says_what_the_bot_says(folder: Path, bot: Bot) -> None:
    asked: list[tuple[int, int]] = []
    questions = folder_set(folder)
    outcomes = ask_all(questions, LocalRespondent(bot), lambda *at: asked.append(at))
    assert asked == [(1, 3), (2, 3), (3, 3)]
    reply = by_id(outcomes)["q1"].reply
    answer = bot.ask("chroot 是哪一年出现的？")
    assert (reply.text, reply.kind) == (answer.text, answer.kind)
    assert reply.confidence == pytest.approx(answer.confidence)
    assert [(q.start, q.end, q.text) for q in reply.quotes] == [
        (c.start, c.end, c.quote) for c in answer.citations
    ]
    assert reply.timings.keys() == answer.timings.keys()
    assert all(quote.faithful for outcome in outcomes for quote in outcome.reply.quotes)


def test_documents_are_ranked_as_the_search_ranks_them(folder: Path, bot: Bot) -> None:
    outcomes = by_id(ask_all(folder_set(folder), LocalRespondent(bot)))
    reply = outcomes["q1"].reply
    hits = bot.search("chroot 是哪一年出现的？", 50)
    assert list(reply.ranked) == [hit.passage.document_id for hit in hits]
    assert reply.ranked[0] == "history"
    first = reply.retrieved[0]
    assert (first.document_id, first.holds_answer) == ("history", True)
    assert first.excerpt.startswith("chroot 于 1979 年出现")
    assert reply.best is not None
    assert reply.best.document_id == "history"


def test_of_a_passage_the_innermost_heading_and_the_beginning_are_kept() -> None:
    question = GoldQuestion("q", "？", "q", answers=("末尾",))
    text = f"开头{'字' * 100}末尾"
    hit = Hit(Passage("d", 5, 5 + len(text), text, ("上", "下")), 0.5)
    kept = retrieved(hit, question)
    assert (kept.document_id, kept.start, kept.end) == ("d", 5, 109)
    assert (kept.heading, kept.holds_answer) == ("下", True)
    assert text.startswith(kept.excerpt)
    assert 40 <= len(kept.excerpt) < len(text)


def test_what_was_said_before_is_given_to_the_bot(folder: Path, bot: Bot) -> None:
    questions = folder_set(folder)
    outcome = by_id(ask_all(questions, LocalRespondent(bot)))["q2"]
    turns = questions.conversations[1].history
    assert [turn.question for turn in turns] == ["猫喜欢什么？"]
    answer = bot.ask("它害怕什么？", turns)
    assert outcome.reply.standalone_question == answer.standalone_question
    assert (outcome.reply.ranked_as_typed is not None) == (
        answer.standalone_question != "它害怕什么？"
    )


def test_a_dialogue_goes_on_from_the_bot_s_own_answers(bot: Bot) -> None:
    typed = ["猫喜欢什么？", "它害怕什么？"]
    questions = tuple(GoldQuestion(f"d-{n}", text, "d") for n, text in enumerate(typed))
    dialogue = QuestionSet("d", (), (GoldConversation((), questions),))
    replies = [outcome.reply for outcome in ask_all(dialogue, LocalRespondent(bot))]
    first = bot.ask(typed[0])
    second = bot.ask(typed[1], [Turn(typed[0], first)])
    assert [reply.text for reply in replies] == [first.text, second.text]
    assert replies[1].standalone_question == second.standalone_question


def test_a_question_that_cannot_be_asked_is_an_outcome_too(bot: Bot) -> None:
    broken = GoldConversation((), (GoldQuestion("q", "？？", "q"), GoldQuestion("r", "猫？", "q")))
    outcomes = ask_all(QuestionSet("s", (), (broken,)), LocalRespondent(bot))
    assert [outcome.reply.kind == "error" for outcome in outcomes] == [True, False]
    assert "no letter, digit or Chinese character" in outcomes[0].reply.reason


def test_an_index_is_kept_and_only_what_changed_is_made_again(
    folder: Path, settings: Settings, opener: Opener
) -> None:
    def generation() -> str:
        opened = bot_over(opener(settings), folder_set(folder)).library.generation()
        assert opened is not None
        return opened.name

    first = generation()
    assert generation() == first
    rows = [json.dumps(row, ensure_ascii=False) for row in PARAGRAPHS[:2]]
    (folder / "paragraphs.jsonl").write_text("\n".join(rows), encoding="utf-8")
    changed = bot_over(opener(settings), folder_set(folder))
    assert [info.id for info in changed.library.documents()] == ["cats", "history"]
    second = generation()
    assert second != first
    opener.alphabet = "猫狗"  # another model
    third = generation()
    assert third != second
    assert generation() == third


def test_an_index_for_measuring_is_apart_from_the_user_s() -> None:
    mine = Settings(data=Path("var"), database_url="postgresql://somewhere/db")
    assert apart(mine).data == Path("var/eval")
    assert apart(mine).database == "sqlite:///var/eval/wenqu.db"
    assert collection_name("cmrc_trial") == "cmrc_trial"
    assert collection_name("我的集") != collection_name("他的集")
    assert Settings(collection=collection_name("问 答/" * 40)).collection


def test_a_measurement_has_scores_and_says_where_they_come_from(
    folder: Path, settings: Settings, opener: Opener
) -> None:
    run = measure(Wish(data=folder), settings, opener, silent)
    assert (run.about.set, run.about.documents, run.about.passages) == ("small", 3, 3)
    assert run.about.model == "char:猫狗年鱼水"
    found = {(score.measure, score.split): score for score in run.scores}
    recalled = [found["recall@10", split] for split in HALVES if ("recall@10", split) in found]
    assert {score.value for score in recalled} == {1}
    assert sum(score.questions for score in recalled) == 2
    again = measure(Wish(data=folder), settings, opener, silent)
    kept = [score for score in run.scores if not score.measure.endswith(("_p50", "_p95"))]
    assert [score for score in again.scores if score in kept] == kept


def test_a_server_is_measured_like_the_bot_inside_it(
    folder: Path, settings: Settings, opener: Opener
) -> None:
    questions = folder_set(folder)
    runtime = opener(settings)
    local = ask_all(questions, LocalRespondent(bot_over(runtime, questions)))
    with client_of(runtime) as client:
        server = RemoteRespondent(client, collection="small")
        remote = ask_all(server.known(questions), server)
    for here, there in zip(local[::2], remote[::2], strict=True):  # those without a history
        assert there.reply == replace(
            here.reply,
            confidence=round(here.reply.confidence, 4),
            best=None,
            timings=there.reply.timings,
            retrieved=tuple(
                replace(hit, score=round(hit.score, 6)) for hit in here.reply.retrieved
            ),
        )
        assert there.reply.timings["http"] >= there.reply.timings["total"]
    assert remote[1].reply.standalone_question


def test_a_server_names_documents_in_its_own_way(
    folder: Path, settings: Settings, opener: Opener
) -> None:
    questions = folder_set(folder)
    runtime = opener(settings)
    bot_over(runtime, questions)
    renamed = replace(
        questions,
        documents=tuple(replace(d, id=f"our/{d.id}") for d in questions.documents),
        conversations=tuple(
            replace(
                one,
                questions=tuple(
                    replace(q, documents=tuple(f"our/{name}" for name in q.documents))
                    for q in one.questions
                ),
            )
            for one in questions.conversations
        ),
    )
    with client_of(runtime) as client:
        server = RemoteRespondent(client, collection="small")
        asked = [q for one in server.known(renamed).conversations for q in one.questions]
        assert [q.documents for q in asked] == [("history",), ("cats",), ()]
        stranger = replace(questions.documents[0], id="other", title="没有的")
        with pytest.raises(ServerError, match="it has 0 documents like 'other' of small"):
            server.known(replace(renamed, documents=(stranger,)))


def answering(status: int, body: str) -> RemoteRespondent:
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(status, text=body))
    return RemoteRespondent(httpx2.Client(transport=transport, base_url="http://somewhere"))


def test_what_the_server_takes_for_no_question_is_an_outcome(folder: Path) -> None:
    outcomes = ask_all(folder_set(folder), answering(422, "no letter in it"))
    assert [(outcome.reply.kind, outcome.reply.reason) for outcome in outcomes] == [
        ("error", "no letter in it")
    ] * 3


def refusing(_request: httpx2.Request) -> httpx2.Response:
    message = "connection refused"
    raise httpx2.ConnectError(message)


def test_a_server_that_does_not_answer_is_told(folder: Path) -> None:
    questions = folder_set(folder)
    with pytest.raises(ServerError, match="/api/chat does not answer: status 503: busy"):
        ask_all(questions, answering(503, "busy"))
    with pytest.raises(ServerError, match="/api/chat does not answer: body: Invalid JSON"):
        ask_all(questions, answering(200, "<html>"))
    with pytest.raises(ServerError, match="documents: Field required"):
        answering(200, "{}").known(questions)
    nowhere = httpx2.Client(transport=httpx2.MockTransport(refusing), base_url="http://nowhere")
    with pytest.raises(ServerError, match="connection refused"):
        RemoteRespondent(nowhere).known(questions)


def test_a_server_that_is_not_there_is_told(folder: Path, settings: Settings) -> None:
    nowhere = Wish(data=folder, base="http://127.0.0.1:9")  # a port that nobody listens on
    with pytest.raises(ServerError, match="/api/documents does not answer") as error:
        measure(nowhere, settings, Runtime.open, silent)
    assert (problem_of(error.value).code, problem_of(error.value).exit_status) == ("server", 1)


def test_a_server_cannot_be_asked_without_the_library_for_it(
    folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)  # as if it were not installed
    with pytest.raises(ExtraNotInstalledError, match=r"pip install 'wenqu\[eval\]'") as error:
        measure(Wish(data=folder, base="http://somewhere"), settings, Runtime.open, silent)
    assert "需要 httpx2" in problem_of(error.value).detail


def test_the_command_prints_a_table_and_writes_a_report(
    folder: Path,
    tmp_path: Path,
    opener: Opener,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WENQU_DATA", str(tmp_path / "var"))
    out = tmp_path / "deep" / "out"
    options = ["--data", str(folder), "--limit", "2", "--out", str(out)]
    assert evaluate(options, opener) == 0
    said = capsys.readouterr().out
    assert "召回率 @10" in said
    assert "100.0 [100.0, 100.0]" in said
    assert len(load(out / "results.json").outcomes) == 2
    assert "<svg" in (out / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "var" / "eval").is_dir()


@pytest.mark.parametrize("options", [["--limit", "0"], ["--split", "dev"], ["--seed", "-1"]])
def test_a_wrong_option_is_told_before_anything_is_loaded(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        evaluate(options)
    assert options[0] in capsys.readouterr().err


def test_a_set_without_a_question_of_the_split_is_told(folder: Path) -> None:
    (folder / "questions.jsonl").write_text(json.dumps(QUESTIONS[0]), encoding="utf-8")
    other = next(split for split in ("tune", "test") if split != split_of("history"))
    with pytest.raises(QuestionSetError, match=f"none of the split '{other}'") as error:
        question_set(Wish(data=folder, split=other))
    problem = problem_of(error.value)
    assert (problem.code, problem.exit_status) == ("question_set", UNUSABLE)


def test_the_bundled_questions_are_asked_about_the_bundled_texts() -> None:
    found = question_set(Wish())
    assert len(found.documents) == len(list((ROOT / "corpus" / "texts").glob("*.md")))
    halves = [question_set(Wish(split=split)) for split in ("tune", "test")]
    assert sum(len(half.conversations) for half in halves) == len(found.conversations)
    assert len(question_set(Wish(limit=7)).conversations) == 7


@pytest.mark.slow
def test_the_real_model_finds_the_bundled_texts(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    run = measure(Wish(split="tune", limit=12), settings, Runtime.open, silent)
    found = {score.measure: score.value for score in run.scores}
    assert found["recall@5"] >= 0.8
    assert found["faithful"] == found["cited"] == 1
