"""The one path from a question to an answer. Every channel takes it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot import messages
from bot.answer import Answer, Refusal, Turn
from bot.compose import Composed, compose
from bot.defining import with_definition
from bot.evidence import Evidence, gather
from bot.ordinals import Item, item_meant, ordinal_in
from bot.question import Question, check, understand, words_to_find
from bot.reading import USES, Readings, Use, read, rerank
from bot.refuse import Judgement, judge
from bot.rewrite import standalone
from bot.select import select
from bot.short import short_answer
from bot.smalltalk import small_talk
from bot.statement import CONFIDENCE, statement
from bot.verify import supported
from bot.wording import in_words_of
from corpus.document import Document, Passage
from corpus.errors import SpanError
from index.errors import DocumentNotFoundError
from index.hit import Hit
from index.library import Library
from index.reader import Reader
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


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the passages found say to a question.

    Attributes:
        question: Taken apart.
        hits: Best first, after reading.
        readings: Of the first hits; empty without a reader.
        evidence: Sentences, best first.
        judgement: Whether they answer.
    """

    question: Question
    hits: Sequence[Hit]
    readings: Readings
    evidence: Sequence[Evidence]
    judgement: Judgement


class Bot:
    """Answers questions about one collection. Safe to use from many threads."""

    def __init__(
        self, library: Library, reader: Reader | None = None, uses: frozenset[Use] = USES
    ) -> None:
        """Answer from `library`, always from its newest state.

        Args:
            library: To search.
            reader: To read what is found; None to go by words and vectors alone.
            uses: What the reader is for.
        """
        self.library = library
        self._reader = reader
        self._uses = uses

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
        if generation is None:
            return []
        index = generation.index
        asked = in_words_of(index, check(question))
        return index.search(asked, k, words=words_to_find(asked, index.segmenter), watch=watch)

    def prepare(
        self,
        question: str,
        turns: Sequence[Turn] = (),
        *,
        top_k: int = TOP_K,
        rewritten: str | None = None,
        watch: Stopwatch | None = None,
    ) -> Prepared:
        """Make the question stand alone and search for it.

        Args:
            question: As it was typed.
            turns: Which it may lean on, oldest first.
            top_k: Passages to find.
            rewritten: The question standing alone, if that is known already.
            watch: Counts the milliseconds.

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
            alone = rewritten or standalone(asked, turns, index.gazetteer, index.segmenter)
            alone = in_words_of(index, alone)
        words = words_to_find(alone, index.segmenter)
        hits = tuple(index.search(alone, top_k, words=words, watch=watch))
        return Prepared(asked, alone, hits, index, watch)

    def answer(self, prepared: Prepared, weighed: Weighed | None = None) -> Answer:
        """Answer from what was found, or say that it does not tell.

        Args:
            prepared: The question with what was found.
            weighed: What `weigh` makes of it, if that is known already.
        """
        talk = small_talk(prepared.question)
        if talk:
            return self._finish(Answer(talk, "chat", confidence=1.0), prepared)
        weighed = weighed or self.weigh(prepared)
        if weighed is None:
            text = messages.in_script_of(prepared.question, messages.NOTHING_YET)
            refusal = Refusal("no_documents")
            return self._finish(Answer(text, "refusal", refusal=refusal), prepared)
        if weighed.judgement.refused:
            return self._finish(_refuse(prepared, weighed), prepared)
        with prepared.watch.stage("compose"):
            composed = self._compose(weighed)
        confidence = weighed.judgement.confidence
        answer = Answer(composed.text, "grounded", composed.citations, confidence=confidence)
        return self._finish(answer, prepared)

    def weigh(self, prepared: Prepared) -> Weighed | None:
        """Read what was found and judge whether it answers; None if nothing was searched."""
        index = prepared.index
        if index is None:
            return None
        with prepared.watch.stage("read"):
            question = understand(prepared.standalone_question, index.segmenter, index.gazetteer)
            found = with_definition(question, prepared.hits, index)
            found, item = self._with_item(question, found)
            readings = read(self._reader, self._uses, question.text, found)
            hits = rerank(found, readings)
            evidence = gather(question, hits, index, readings, item)
        with prepared.watch.stage("judge"):
            judgement = judge(question, hits, evidence, index, readings, item)
            stated = statement(question.text, index)
            if stated:
                hits, evidence = [stated[0], *hits], [stated[1]]
                judgement = replace(judgement, confidence=CONFIDENCE)
        return Weighed(question, hits, readings, evidence, judgement)

    def _compose(self, weighed: Weighed) -> Composed:
        selection = select(weighed.question, weighed.evidence, self._document_of)
        if selection.is_list:
            return compose(selection.evidence, as_list=True)
        quoted = [one.text for one in selection.evidence]
        direct = short_answer(weighed.question, selection.evidence[0], weighed.readings)
        return compose(selection.evidence, direct=direct if supported(direct, quoted) else "")

    def _with_item(
        self, question: Question, hits: Sequence[Hit]
    ) -> tuple[Sequence[Hit], Item | None]:
        """Put the list item that «第二代» means first, if a document found has one."""
        ordinal = ordinal_in(question.text)
        for hit in {hit.passage.document_id: hit for hit in reversed(hits)}.values():
            document = self._document_of(hit.passage) if ordinal else None
            item = item_meant(document, ordinal) if document and ordinal else None
            if item:
                return (replace(hit, passage=item.passage), *hits), item
        return hits, None

    def _document_of(self, passage: Passage) -> Document | None:
        """Return the document as it was searched; None if it has since been replaced or deleted."""
        try:
            document = self.library.document(passage.document_id)
            passage.check(document)
        except (DocumentNotFoundError, SpanError):
            return None  # its passage can still be quoted this once
        return document

    def _finish(self, answer: Answer, prepared: Prepared) -> Answer:
        return replace(
            answer,
            standalone_question=prepared.standalone_question,
            timings=prepared.watch.timings(),
        )


def _refuse(prepared: Prepared, weighed: Weighed) -> Answer:
    judgement = weighed.judgement
    headings = [hit.passage.headings or (hit.title,) for hit in weighed.hits]
    nearest = tuple(dict.fromkeys(" › ".join(path[-2:]) for path in headings))[:_NEAREST]
    said = messages.refusal(missing=judgement.missing, subject=judgement.subject, nearest=nearest)
    return Answer(
        messages.in_script_of(prepared.question, said),
        "refusal",
        refusal=Refusal("not_found", judgement.missing, nearest),
        confidence=judgement.confidence,
    )
