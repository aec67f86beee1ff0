"""The one path from a question to an answer. Every channel takes it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import messages
from bot.answer import Answer, Refusal, Turn
from bot.compose import Composed, compose
from bot.direct import direct_answer
from bot.evidence import Evidence, gather
from bot.lists import whole_list
from bot.question import Question, check, understand
from bot.refuse import Judgement, judge
from bot.rewrite import standalone
from bot.smalltalk import small_talk
from bot.verify import supported
from bot.weights import weights
from index.errors import DocumentNotFoundError
from index.hit import Hit
from index.library import Library
from index.search import HybridIndex
from index.stopwatch import Stopwatch

TOP_K = 8
_NEAREST = 3
_SECOND = 1.5
"""A further sentence is added while its score is within this of the best: odds of 1 to 4.5."""
_ENOUGH = 180
"""Characters of an answer after which no further sentence is added."""
_SENTENCES = 3


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
            return self._finish(_refuse(question, prepared, judgement), prepared)
        with prepared.watch.stage("compose"):
            composed = self._compose(question, evidence)
        answer = Answer(
            composed.text, "grounded", composed.citations, confidence=judgement.confidence
        )
        return self._finish(answer, prepared)

    def _compose(self, question: Question, evidence: Sequence[Evidence]) -> Composed:
        best = evidence[0]
        if question.kind == "list":
            items = self._list(best)
            if items:
                return compose(items, as_list=True)
        chosen = _choose(evidence)
        direct = direct_answer(question, chosen[0].text)
        return compose(chosen, direct=direct if supported(direct, [chosen[0].text]) else "")

    def _list(self, best: Evidence) -> list[Evidence]:
        try:
            document = self.library.document(best.passage.document_id)
        except DocumentNotFoundError:
            return []  # deleted since the search; its passage can still be quoted this once
        return whole_list(document, best)

    def _finish(self, answer: Answer, prepared: Prepared) -> Answer:
        return replace(
            answer,
            standalone_question=prepared.standalone_question,
            timings=prepared.watch.timings(),
        )


def _choose(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Return the best sentence and those that are about as good, in reading order."""
    best = evidence[0]
    chosen = [best]
    for other in evidence[1:]:
        size = sum(len(e.text) for e in chosen)
        if len(chosen) == _SENTENCES or size + len(other.text) > _ENOUGH:
            break
        if best.score - other.score > _SECOND:
            break
        if other.text not in [e.text for e in chosen]:
            chosen.append(other)
    first = best.passage.document_id
    return sorted(
        chosen, key=lambda e: (e.passage.document_id != first, e.passage.document_id, e.start)
    )


def _refuse(question: Question, prepared: Prepared, judgement: Judgement) -> Answer:
    nearest = tuple(
        dict.fromkeys(
            " › ".join(hit.passage.headings[-2:]) for hit in prepared.hits if hit.passage.headings
        )
    )[:_NEAREST]
    subject = question.text[:0]
    said = messages.refusal(missing=judgement.missing, subject=subject, nearest=nearest)
    return Answer(
        messages.in_script_of(prepared.question, said),
        "refusal",
        refusal=Refusal("not_found", judgement.missing, nearest),
        confidence=judgement.confidence,
    )
