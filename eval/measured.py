"""What is measured of one question: a row of numbers for each thing that counts.

Each function takes an outcome and returns its rows: none where the measure does not apply, one
for most, several where sentences or citations are counted. `eval.measures` says which statistic
is taken of them.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from bot.verify import without_markers
from corpus.fold import fold
from corpus.sentences import Span
from eval.metrics import character_f1, exact, ndcg, recall, reciprocal_rank
from eval.outcome import Outcome, by_document, claims, holds_answer

Row: TypeAlias = tuple[float, ...]
Measured: TypeAlias = Callable[[Outcome], Sequence[Row]]

_DEPTH = 10


def recall_at(k: int) -> Measured:
    """Return the measure "share of the right documents among the first `k`"; `metrics.recall`."""

    def measured(outcome: Outcome) -> list[Row]:
        wanted = set(outcome.question.documents)
        return [(recall(_ranked(outcome), wanted, k=k),)] if wanted else []

    return measured


def reciprocal_rank_10(outcome: Outcome) -> list[Row]:
    """MRR@10: 1 / rank of the first right document; `metrics.reciprocal_rank`."""
    wanted = set(outcome.question.documents)
    return [(reciprocal_rank(_ranked(outcome), wanted, k=_DEPTH),)] if wanted else []


def ndcg_10(outcome: Outcome) -> list[Row]:
    """nDCG@10 of the documents, each right or not; `metrics.ndcg`."""
    wanted = set(outcome.question.documents)
    return [(ndcg(_ranked(outcome), wanted, k=_DEPTH),)] if wanted else []


def passage_at(k: int) -> Measured:
    """Return the measure "an answer stands in one of the first `k` passages".

    Top-k accuracy of open-domain question answering (Karpukhin et al. 2020, section 5).
    """

    def measured(outcome: Outcome) -> list[Row]:
        if not _has_answer(outcome):
            return []
        return [(float(any(found.holds_answer for found in outcome.reply.retrieved[:k])),)]

    return measured


def answer_contains(outcome: Outcome) -> list[Row]:
    """Whether the answer says a right answer; `metrics.contains`. A refusal says none."""
    return [(float(_answers(outcome)),)] if _has_answer(outcome) else []


def answer_when_given(outcome: Outcome) -> list[Row]:
    """As `answer_contains`, of the questions that were answered: 1 - selective risk."""
    return answer_contains(outcome) if outcome.reply.kind == "grounded" else []


def answer_exact(outcome: Outcome) -> list[Row]:
    """Whether the answer, or its first sentence, is a right answer; `metrics.exact`.

    A short answer that is followed by the sentence it comes from is that first sentence.
    """
    if not _has_answer(outcome):
        return []
    said = claims(outcome.reply)
    texts = [without_markers(outcome.reply.text), said[0].text] if said else []
    return [(float(exact(texts, _wordings(outcome))),)]


def answer_f1(outcome: Outcome) -> list[Row]:
    """Character F1 of the whole answer as CMRC 2018 defines it; `metrics.character_f1`."""
    if not _has_answer(outcome):
        return []
    said = without_markers(outcome.reply.text) if outcome.reply.kind == "grounded" else ""
    return [(character_f1(said, _wordings(outcome)),)]


def best_sentence_contains(outcome: Outcome) -> list[Row]:
    """Whether the best single sentence says a right answer, answered or not."""
    best = outcome.reply.best
    if best is None or not _has_answer(outcome):
        return []
    return [(float(holds_answer(best.text, outcome.question)),)]


def best_sentence_overlaps(outcome: Outcome) -> list[Row]:
    """Whether the best single sentence stands where the answer does."""
    best = outcome.reply.best
    spans = outcome.question.spans
    if best is None or not spans:
        return []
    place = Span(best.start, best.end)
    return [(float(any(span.overlaps(best.document_id, place) for span in spans)),)]


def citation_recall(outcome: Outcome) -> list[Row]:
    """Whether what is quoted holds a right answer; all quotes together where all are wanted.

    After ALCE's citation recall (Gao et al. 2023): that what has to be said is backed by what is
    cited. ALCE asks a model whether it is; here the known answer has to stand in the quotes.
    """
    if not _has_answer(outcome):
        return []
    quoted = "\n".join(quote.text for quote in outcome.reply.quotes)
    return [(float(holds_answer(quoted, outcome.question)),)]


def citation_document(outcome: Outcome) -> list[Row]:
    """Whether a right document is cited."""
    question = outcome.question
    if not question.documents:
        return []
    good = {*question.documents, *question.alternatives}
    return [(float(any(quote.document_id in good for quote in outcome.reply.quotes)),)]


def sentence_supported(outcome: Outcome) -> list[Row]:
    """For each sentence said: whether its quotes say it; `bot.verify.supported`.

    After ALCE's citation precision (Gao et al. 2023), by words instead of by a model. A sentence
    without a quote is not supported.
    """
    return [(float(claim.supported),) for claim in claims(outcome.reply)]


def sentence_cited(outcome: Outcome) -> list[Row]:
    """For each sentence said: whether it has a marker that leads to a citation."""
    return [(float(bool(claim.quotes)),) for claim in claims(outcome.reply)]


def quote_faithful(outcome: Outcome) -> list[Row]:
    """For each citation: whether `document.text[start:end] == quote`."""
    return [(float(quote.faithful),) for quote in outcome.reply.quotes]


def follow_up(outcome: Outcome) -> list[Row]:
    """Within dialogues: whether it is answered right, and whether it is a follow-up question."""
    if not outcome.question.follow or not _has_answer(outcome):
        return []
    return [(float(_answers(outcome)), float(outcome.question.follow != "first"))]


def rewrite_names_entity(outcome: Outcome) -> list[Row]:
    """Whether the standalone question names what the follow-up question means."""
    if not outcome.question.entity:
        return []
    return [(float(fold(outcome.question.entity) in fold(outcome.reply.standalone_question)),)]


def rewrite_gain_5(outcome: Outcome) -> list[Row]:
    """Of follow-up questions: recall@5 as rewritten, less recall@5 as typed."""
    question, reply = outcome.question, outcome.reply
    if question.follow in {"", "first"} or not question.documents:
        return []
    if reply.ranked_as_typed is None:
        return [(0.0,)]
    wanted = set(question.documents)
    before = by_document(reply.ranked_as_typed, question)
    return [(recall(_ranked(outcome), wanted, k=5) - recall(before, wanted, k=5),)]


def traditional(outcome: Outcome) -> list[Row]:
    """Of questions asked in both scripts: whether it is answered right, whether traditional."""
    if not outcome.question.script or not _has_answer(outcome):
        return []
    return [(float(_answers(outcome)), float(outcome.question.script == "traditional"))]


def characters(outcome: Outcome) -> list[Row]:
    """Characters of an answer with sources, without its markers."""
    if outcome.reply.kind != "grounded":
        return []
    return [(float(len(without_markers(outcome.reply.text))),)]


def sentence_count(outcome: Outcome) -> list[Row]:
    """Sentences of an answer with sources."""
    said = claims(outcome.reply)
    return [(float(len(said)),)] if said else []


def milliseconds(stage: str) -> Measured:
    """Return the measure "milliseconds spent in `stage`"."""

    def measured(outcome: Outcome) -> list[Row]:
        spent = outcome.reply.timings.get(stage)
        return [] if spent is None else [(spent,)]

    return measured


def _has_answer(outcome: Outcome) -> bool:
    question = outcome.question
    return question.expected == "answer" and bool(question.answers or question.answers_all)


def _answers(outcome: Outcome) -> bool:
    reply = outcome.reply
    return reply.kind == "grounded" and holds_answer(without_markers(reply.text), outcome.question)


def _wordings(outcome: Outcome) -> tuple[str, ...]:
    question = outcome.question
    return question.answers or ("".join(question.answers_all),)


def _ranked(outcome: Outcome) -> list[str]:
    return by_document(outcome.reply.ranked, outcome.question)
