"""The one path from a question to an answer. Every channel takes it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import messages
from bot.answer import Answer, Refusal, Turn
from bot.compose import Composed, compose
from bot.direct import direct_answer
from bot.evidence import Evidence, gather
from bot.question import Question, check, understand
from bot.refuse import Judgement, judge
from bot.rewrite import standalone
from bot.select import select
from bot.smalltalk import small_talk
from bot.verify import supported
from bot.weights import weights
from corpus.document import Document
from corpus.errors import SpanError
from index.errors import DocumentNotFoundError
from index.hit import Hit
from index.library import Library
from index.search import HybridIndex
from index.stopwatch import Stopwatch

TOP_K = 8
_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Prepared:
    """A question with what was found for it, before anything is said.

    Attributes:
        question: As it was asked.
        standalone_question: What was searched.
        hits: Best first; empty for small talk and where there is nothing to search.
        index: What was searched, None before the first document.
        watch: Counts the milliseconds.
    """

    question: str
    standalone_question: str
    hits: tuple[Hit, ...]
    index: HybridIndex | None
    watch: Stopwatch


class Bot:
    """Answers questions about one collection. Safe to use from many threads."""

    def __init__(self, library: Library) -> None:
        """Answer from `library`, always from its newest state."""
        self.library = library

    def ask(self, question: str, turns: Sequence[Turn] = (), *, top_k: int = TOP_K) -> Answer:
        """Answer `question`, which may lean on `turns`, oldest first.

        Raises:
            QuestionError: It is empty, too long or broken.
            CorruptIndexError: The index cannot be searched.
        """
        return self.answer(self.prepare(question, turns, top_k=top_k))

    def search(self, question: str, k: int = TOP_K, *, watch: Stopwatch | None = None) -> list[Hit]:
        """Return what `ask` would answer from; the same search, without the answer."""
        generation = self.library.generation()
        return generation.index.search(check(question), k, watch=watch) if generation else []

    def prepare(
        self,
        question: str,
        turns: Sequence[Turn] = (),
        *,
        top_k: int = TOP_K,
        watch: Stopwatch | None = None,
    ) -> Prepared:
        """Make the question stand alone and search for it.

        Raises:
            QuestionError: It is empty, too long or broken.
        """
        watch = watch or Stopwatch()
        asked = check(question)
        generation = self.library.generation()
        index = generation.index if generation and len(generation.rows) else None
        if index is None or small_talk(asked):
            return Prepared(asked, asked, (), index, watch)
        with watch.stage("rewrite"):
            alone = standalone(asked, turns, index.gazetteer, index.segmenter)
        hits = tuple(index.search(alone, top_k, watch=watch))
        return Prepared(asked, alone, hits, index, watch)

    def answer(self, prepared: Prepared) -> Answer:
        """Answer from what was found, or say that it does not tell."""
        talk = small_talk(prepared.question)
        if talk:
            return self._finish(Answer(talk, "chat", confidence=1.0), prepared)
        if prepared.index is None:
            text = messages.in_script_of(prepared.question, messages.NOTHING_YET)
            refusal = Refusal("no_documents")
            return self._finish(Answer(text, "refusal", refusal=refusal), prepared)
        with prepared.watch.stage("read"):
            index = prepared.index
            question = understand(prepared.standalone_question, index.segmenter, index.gazetteer)
            evidence = gather(question, prepared.hits, prepared.index)
        with prepared.watch.stage("judge"):
            judgement = judge(question, prepared.hits, evidence, prepared.index)
        if judgement.confidence < weights().threshold:
            return self._finish(_refuse(prepared, judgement), prepared)
        with prepared.watch.stage("compose"):
            composed = self._compose(question, evidence)
        answer = Answer(
            composed.text, "grounded", composed.citations, confidence=judgement.confidence
        )
        return self._finish(answer, prepared)

    def _compose(self, question: Question, evidence: Sequence[Evidence]) -> Composed:
        selection = select(question, evidence, self._document_of)
        if selection.is_list:
            return compose(selection.evidence, as_list=True)
        quoted = [one.text for one in selection.evidence]
        direct = direct_answer(question, quoted[0])
        return compose(selection.evidence, direct=direct if supported(direct, quoted) else "")

    def _document_of(self, evidence: Evidence) -> Document | None:
        """Return the document as it was searched; None if it has since been replaced or deleted."""
        try:
            document = self.library.document(evidence.passage.document_id)
            evidence.passage.check(document)
        except (DocumentNotFoundError, SpanError):
            return None  # its passage can still be quoted this once
        return document

    def _finish(self, answer: Answer, prepared: Prepared) -> Answer:
        return replace(
            answer,
            standalone_question=prepared.standalone_question,
            timings=prepared.watch.timings(),
        )


def _refuse(prepared: Prepared, judgement: Judgement) -> Answer:
    headings = [hit.passage.headings or (hit.title,) for hit in prepared.hits]
    nearest = tuple(dict.fromkeys(" › ".join(path[-2:]) for path in headings))[:_NEAREST]
    said = messages.refusal(missing=judgement.missing, subject=judgement.subject, nearest=nearest)
    return Answer(
        messages.in_script_of(prepared.question, said),
        "refusal",
        refusal=Refusal("not_found", judgement.missing, nearest),
        confidence=judgement.confidence,
    )
