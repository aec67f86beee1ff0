import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from corpus.document import Document
from corpus.sentences import Span
from eval.bundled import GOLD, bundled
from eval.errors import QuestionSetError
from eval.folder import folder_set, split_of
from eval.questions import (
    GoldConversation,
    GoldQuestion,
    GoldSpan,
    QuestionSet,
    of_split,
    said_before,
    sampled,
)

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
STEMS = sorted(path.stem for path in (ROOT / "corpus" / "texts").glob("*.md"))


def write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def a_question(**known: object) -> dict[str, Any]:
    answer = {"answers": ["1979年"], "answer_starts": [7]}
    return {"id": "q1", "question": "哪一年？", "paragraph_id": "p1", **answer, **known}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "small"
    made.mkdir()
    paragraphs = [
        {"id": "p1", "title": "历史", "text": "chroot 1979年出现。"},
        {"id": "p2", "title": "编排", "text": "编排管理容器。"},
    ]
    write(made / "paragraphs.jsonl", paragraphs)
    write(made / "questions.jsonl", [a_question()])
    return made


def only(questions: QuestionSet) -> GoldQuestion:
    ((found,),) = [conversation.questions for conversation in questions.conversations]
    return found


def bundled_texts() -> list[Document]:
    return [Document(id=f"texts/{s}.md", title=s, text=s, source=f"/x/{s}.md") for s in STEMS]


def test_a_paragraph_is_a_document_and_an_answer_has_its_place(folder: Path) -> None:
    found = folder_set(folder)
    assert found.name == "small"
    assert [(d.id, d.title) for d in found.documents] == [("p1", "历史"), ("p2", "编排")]
    question = only(found)
    assert (question.expected, question.documents, question.answers) == (
        "answer",
        ("p1",),
        ("1979年",),
    )
    assert question.spans == (GoldSpan("p1", 7, 12),)
    assert question.cluster == question.id == "q1"


def test_all_questions_about_an_article_are_in_the_same_split(folder: Path) -> None:
    rows = [a_question(id=f"q{n}", paragraph_id=f"p{n}", answer_starts=[-1]) for n in range(200)]
    paragraphs = [{"id": f"p{n}", "title": "", "text": "文"} for n in range(200)]
    write(folder / "questions.jsonl", rows)
    write(folder / "paragraphs.jsonl", paragraphs)
    halves = [one.questions[0].split for one in folder_set(folder).conversations]
    assert set(halves) == {"train", "tune", "test"}
    assert 70 <= halves.count("train") <= 130
    assert 30 <= halves.count("tune") <= 70
    assert split_of("1147-5") == split_of("1147-9-3") == split_of("1147")


def test_free_text_has_no_place_and_several_paragraphs_are_all_wanted(folder: Path) -> None:
    row = a_question(paragraph_ids=["p1", "p2"], answers=["很早"], answer_starts=[-1])
    write(folder / "questions.jsonl", [row])
    question = only(folder_set(folder))
    assert (question.documents, question.spans) == (("p1", "p2"), ())


@pytest.mark.parametrize("name", ["unanswerable_small", "unanswerable_sm"])
def test_a_set_of_refusals_asks_about_the_set_beside_it_less_what_is_removed(
    folder: Path, name: str
) -> None:
    refusals = folder.parent / name
    refusals.mkdir()
    row = a_question(answerable=False, kind="near_miss", answers=[], answer_starts=[])
    write(refusals / "questions.jsonl", [row])
    (refusals / "removed_ids.json").write_text('["p1"]', encoding="utf-8")
    found = folder_set(refusals)
    assert [document.id for document in found.documents] == ["p2"]
    question = only(found)
    assert (question.expected, question.kind) == ("refusal", "near_miss")
    assert (question.documents, question.answers, question.spans) == ((), (), ())


def test_a_set_of_refusals_may_have_paragraphs_of_its_own(folder: Path) -> None:
    own = folder.rename(folder.with_name("unanswerable_own"))
    assert [document.id for document in folder_set(own).documents] == ["p1", "p2"]


def test_a_history_becomes_turns_that_end_with_a_reply() -> None:
    turns = said_before(["故宫怎么走？", "坐地铁。", "远吗？", "不远[1]。"])
    assert [(t.question, t.answer.text) for t in turns] == [
        ("故宫怎么走？", "坐地铁。"),
        ("远吗？", "不远［1］。"),
    ]
    assert {turn.answer.kind for turn in turns} == {"chat"}
    # the one who asks now spoke second: the opening line got no reply of the other kind
    odd = said_before(["知道故宫吗？", "知道。", "它很大。"])
    assert [(t.question, t.answer.text) for t in odd] == [
        ("知道故宫吗？", ""),
        ("知道。", "它很大。"),
    ]
    assert said_before([]) == ()


def test_a_question_with_a_history_is_a_follow_up(folder: Path) -> None:
    write(folder / "questions.jsonl", [a_question(history=["你好", "你好"], entity="chroot")])
    found = folder_set(folder)
    assert (only(found).follow, only(found).entity) == ("follow_up", "chroot")
    assert found.conversations[0].history == said_before(["你好", "你好"])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (a_question(answer_starts=[0]), "q1: '1979年' is not at 0 of 'p1'"),
        (a_question(answer_starts=[]), "q1: 1 answers, 0 starts"),
        (a_question(paragraph_id="p9", answer_starts=[-1]), "q1: there is no paragraph 'p9'"),
        (a_question(question=5), "line 1: question: Input should be a valid string"),
    ],
)
def test_a_wrong_row_is_named_with_its_reason(
    folder: Path, row: dict[str, Any], reason: str
) -> None:
    write(folder / "questions.jsonl", [row])
    with pytest.raises(QuestionSetError, match="as a set of questions") as error:
        folder_set(folder)
    assert error.value.reason == reason


def test_what_is_no_set_is_told(folder: Path) -> None:
    (folder / "questions.jsonl").write_bytes(b'{"id": "\xff"}')
    with pytest.raises(QuestionSetError, match="byte 8 is not UTF-8"):
        folder_set(folder)
    (folder / "questions.jsonl").unlink()
    with pytest.raises(QuestionSetError, match="No such file"):
        folder_set(folder)
    with pytest.raises(QuestionSetError, match="expected a folder none beside it, found none"):
        folder_set(folder.parent / "unanswerable_none")
    write(folder / "paragraphs.jsonl", [{"id": "p", "title": "", "text": "  "}])
    with pytest.raises(QuestionSetError, match="no text in it"):
        folder_set(folder)
    refusals = folder.parent / "unanswerable_small"
    refusals.mkdir()
    (refusals / "removed_ids.json").write_text('{"p1": 1}', encoding="utf-8")
    with pytest.raises(QuestionSetError, match="expected a list of ids"):
        folder_set(refusals)


def test_a_line_separator_inside_a_text_does_not_end_the_line(folder: Path) -> None:
    write(folder / "paragraphs.jsonl", [{"id": "p1", "title": "", "text": "一\u2028二\u0085三"}])
    write(folder / "questions.jsonl", [a_question(answers=[], answer_starts=[])])
    assert folder_set(folder).documents[0].text == "一\u2028二\u0085三"


def test_a_sample_is_the_first_by_sha1_and_the_same_every_time() -> None:
    names = [f"q{n}" for n in range(9)]
    singles = tuple(GoldConversation((), (GoldQuestion(n, "？", n),)) for n in names)
    everything = QuestionSet("s", (), singles)

    def ids(questions: QuestionSet) -> list[str]:
        return [conversation.questions[0].id for conversation in questions.conversations]

    by_hash = sorted(names, key=lambda name: hashlib.sha1(name.encode()).hexdigest())
    assert ids(sampled(everything, 4)) == by_hash[:4]
    assert ids(sampled(everything, 99)) == by_hash
    assert ids(sampled(everything, 4, seed=7)) != by_hash[:4]


def test_spans_overlap_where_they_share_a_character() -> None:
    gold = GoldSpan("d", 3, 6)
    assert gold.overlaps("d", Span(5, 9))
    assert gold.overlaps("d", Span(0, 4))
    assert not gold.overlaps("d", Span(6, 9))
    assert not gold.overlaps("d", Span(0, 3))
    assert not gold.overlaps("e", Span(3, 6))


def test_the_bundled_questions_name_documents_of_the_bundled_texts() -> None:
    found = bundled(bundled_texts())
    questions = [q for conversation in found.conversations for q in conversation.questions]
    ids = {document.id for document in found.documents}
    assert {name for q in questions for name in (*q.documents, *q.alternatives)} == ids
    assert len({q.id for q in questions}) == len(questions)
    by_id = {q.id: q for q in questions}
    first = by_id["single-001"]
    assert (first.documents, first.alternatives) == (
        ("texts/os-virtualization.md",),
        ("texts/timeline.md",),
    )
    assert {q.expected for q in questions} == {"answer", "refusal", "chat"}


def test_twins_and_the_turns_of_a_dialogue_are_one_cluster() -> None:
    found = bundled(bundled_texts())
    by_id = {q.id: q for one in found.conversations for q in one.questions}
    simplified, traditional = by_id["single-001"], by_id["single-002"]
    assert (simplified.script, traditional.script) == ("simplified", "traditional")
    assert simplified.cluster == traditional.cluster == "single-001"
    turns = [q for q in by_id.values() if q.id.startswith("dialogue-01-")]
    assert [q.id[-2:] for q in turns] == ["-1", "-2", "-3"]
    assert [q.follow for q in turns] == ["first", "bare", "what_about"]
    assert {q.cluster for q in turns} == {"dialogue-01"}


def test_the_halves_together_are_the_whole_set() -> None:
    found = bundled(bundled_texts())
    halves = [of_split(found, split).conversations for split in ("train", "tune", "test")]
    assert sorted(map(repr, [one for part in halves for one in part])) == sorted(
        map(repr, found.conversations)
    )
    assert not of_split(found, "other").conversations


def test_a_question_about_a_text_that_is_not_there_is_told() -> None:
    with pytest.raises(QuestionSetError, match="'os-virtualization' is none of the texts"):
        bundled([Document(id="a", title="a", text="a", source="a.md")])
    assert {path.name for path in GOLD.glob("*.jsonl")} == {
        "singles.jsonl",
        "dialogues.jsonl",
        "unanswerable.jsonl",
        "chat.jsonl",
    }


@pytest.mark.skipif(not SHARED.exists(), reason="the development data lie beside the repository")
@pytest.mark.parametrize(
    ("name", "documents", "questions", "to_refuse"),
    [
        ("cmrc_trial", 256, 1000, 0),
        ("drcd_dev", 1000, 3524, 0),
        ("kdconv_travel", 1154, 568, 0),
        ("lecoqa_train", 1445, 1234, 0),
        ("unanswerable_cmrc_trial", 180, 592, 296),
        ("unanswerable_drcd_dev", 614, 982, 491),
        ("unanswerable_kdconv", 1154, 283, 123),
    ],
)
def test_the_development_sets_are_read_whole(
    name: str, documents: int, questions: int, to_refuse: int
) -> None:
    found = folder_set(SHARED / name)
    asked = [q for conversation in found.conversations for q in conversation.questions]
    assert (len(found.documents), len(asked)) == (documents, questions)
    assert sum(q.expected == "refusal" for q in asked) == to_refuse
