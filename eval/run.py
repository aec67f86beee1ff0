"""From questions to outcomes: whoever answers is asked, and all that comes back is kept."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeAlias

from bot.answer import Answer, Turn
from bot.bot import Bot, Prepared, Weighed
from corpus.document import Passage
from corpus.errors import WenquError
from eval.outcome import Candidate, Outcome, Quote, Reply, Retrieved, holds_answer
from eval.questions import GoldConversation, GoldQuestion, QuestionSet
from index.hit import Hit

Asked: TypeAlias = Callable[[int, int], None]
"""Called with how many questions have been asked, and of how many."""

DEEP = 50
"""Passages looked at to find ten different documents; what is answered from stays as it is."""
DOCUMENTS = 10
"""Documents kept of them."""
PASSAGES = 10
"""Passages kept of them."""
EXCERPT = 90
"""Characters kept of a passage."""
NO_SENTENCE = Candidate("", 0, 0, "")


class Respondent(Protocol):
    """Answers questions."""

    def replies(self, conversation: GoldConversation) -> Iterator[Reply]:
        """Yield the reply to each question of a conversation, in order."""


def ask_all(
    questions: QuestionSet, respondent: Respondent, asked: Asked | None = None
) -> list[Outcome]:
    """Ask all questions of a set, one after the other."""
    total = sum(len(conversation.questions) for conversation in questions.conversations)
    outcomes: list[Outcome] = []
    for conversation in questions.conversations:
        replies = respondent.replies(conversation)
        for question, reply in zip(conversation.questions, replies, strict=True):
            outcomes.append(Outcome(question, reply))
            if asked:
                asked(len(outcomes), total)
    return outcomes


class LocalRespondent:
    """The bot in this process."""

    def __init__(self, bot: Bot) -> None:
        """Ask `bot`."""
        self._bot = bot

    def replies(self, conversation: GoldConversation) -> Iterator[Reply]:
        """Yield the reply to each question, given the bot's own answers to those before it."""
        turns = list(conversation.history)
        for question in conversation.questions:
            try:
                prepared = self._bot.prepare(question.text, turns)
                weighed = self._bot.weigh(prepared) if prepared.hits else None
                answer = self._bot.answer(prepared, weighed)
                yield self._reply(question, prepared, weighed, answer)
            except WenquError as error:
                yield Reply("", "error", reason=str(error), best=NO_SENTENCE)
                continue
            turns.append(Turn(question.text, answer))

    def _reply(
        self, question: GoldQuestion, prepared: Prepared, weighed: Weighed | None, answer: Answer
    ) -> Reply:
        index, alone = prepared.index, prepared.standalone_question
        found = _deep(index.search(alone, DEEP), weighed.hits) if index and weighed else []
        rewritten = index is not None and alone != prepared.question
        return Reply(
            text=answer.text,
            kind=answer.kind,
            quotes=tuple(self._quote(answer)),
            confidence=answer.confidence,
            reason=answer.refusal.reason if answer.refusal else "",
            missing=answer.refusal.missing if answer.refusal else (),
            standalone_question=alone,
            ranked=documents_of(found),
            ranked_as_typed=documents_of(index.search(prepared.question, DEEP))
            if index and rewritten
            else None,
            retrieved=tuple(retrieved(hit, question) for hit in found[:PASSAGES]),
            best=_best(weighed) if weighed else NO_SENTENCE,
            timings=answer.timings,
        )

    def _quote(self, answer: Answer) -> Iterator[Quote]:
        for citation in answer.citations:
            document_id = citation.passage.document_id
            text = self._bot.library.document(document_id).text
            faithful = text[citation.start : citation.end] == citation.quote
            yield Quote(
                citation.number, document_id, citation.start, citation.end, citation.quote, faithful
            )


def _deep(found: Sequence[Hit], first: Sequence[Hit]) -> list[Hit]:
    """Return all hits, those that were answered from in front, in the order after reading."""
    ids = {hit.passage.id for hit in first}
    return [*first, *(hit for hit in found if hit.passage.id not in ids)]


def documents_of(hits: list[Hit]) -> tuple[str, ...]:
    """Return the first documents of the hits, best first, each once."""
    return tuple(dict.fromkeys(hit.passage.document_id for hit in hits))[:DOCUMENTS]


def retrieved(hit: Hit, question: GoldQuestion) -> Retrieved:
    """Return what is kept of a hit."""
    passage: Passage = hit.passage
    return Retrieved(
        document_id=passage.document_id,
        start=passage.start,
        end=passage.end,
        heading=passage.headings[-1] if passage.headings else "",
        excerpt=passage.text[:EXCERPT],
        score=hit.score,
        holds_answer=holds_answer(passage.text, question),
    )


def _best(weighed: Weighed) -> Candidate:
    if not weighed.evidence:
        return NO_SENTENCE
    best = weighed.evidence[0]
    return Candidate(best.passage.document_id, best.start, best.end, best.text)
