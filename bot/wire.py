"""Answers and hits as JSON: the same words in every channel."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

from bot.answer import Answer, Citation
from bot.conversations import Conversation
from bot.pieces import Piece, parts
from bot.verify import MARKER
from corpus.document import Document
from index.documents import DocumentInfo
from index.hit import Hit

Json: TypeAlias = dict[str, Any]

DELETED = "（文档已删除）"
_VERSION_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Sources:
    """What it takes to name documents and link to them.

    Attributes:
        infos: Of the documents that are spoken of; a deleted one is missing here.
        base: Goes before every link: "" or such as `https://docs.example.com`.
        collection: Named in links; "" where it is the one that is meant without a name.
        seal: Makes what opens a document of that id to who has no key; None where all have.
    """

    infos: Mapping[str, DocumentInfo]
    base: str = ""
    collection: str = ""
    seal: Callable[[str], str] | None = None

    def view_url(self, info: DocumentInfo, span: tuple[int, int] | None = None) -> str:
        """Link to the readable source, at a span; `v` tells whether the text is still the same.

        Who knows them may add `&cites=12-40,88-120`: all citations of the same answer in this
        document, to go from one to the next; see `bot.api.source`.
        """
        values: dict[str, object] = {"start": span[0], "end": span[1]} if span else {}
        values["v"] = version(info)
        if self.collection:
            values["collection"] = self.collection
        if self.seal:
            values["seal"] = self.seal(info.id)
        return f"{self.base.rstrip('/')}/documents/{quote(info.id, safe='/')}?{urlencode(values)}"


def version(info: DocumentInfo) -> str:
    """Return what changes with the text, short enough for a link."""
    return info.digest[:_VERSION_LENGTH]


def source_url(source: str) -> str | None:
    """Return `source` if a browser may follow it."""
    return source if source.startswith(("http://", "https://")) else None


def answer_json(
    answer: Answer, sources: Sources, *, session_id: str | None, turn_id: str | None
) -> Json:
    """Return the whole answer object."""
    return {
        "answer": _told(answer, sources),
        "citations": [citation_json(citation, sources) for citation in answer.citations],
        "refused": answer.refused,
        "refusal": None
        if answer.refusal is None
        else {
            "reason": answer.refusal.reason,
            "missing": list(answer.refusal.missing),
            "nearest": list(answer.refusal.nearest),
        },
        "confidence": round(answer.confidence, 4),
        "standalone_question": answer.standalone_question,
        "session_id": session_id,
        "turn_id": turn_id,
        "mode": answer.mode,
        "fallback": answer.fallback,
        "timings": dict(answer.timings),
    }


def _told(answer: Answer, sources: Sources) -> str:
    """Return the text of an answer without what stands on documents that were deleted since."""
    gone = {
        f"[{citation.number}]"
        for citation in answer.citations
        if citation.passage.document_id not in sources.infos
    }
    if not gone:
        return answer.text
    return "".join(_without(part, gone, len(answer.citations)) for part in parts(answer.text))


def _without(sentence: str, gone: set[str], citations: int) -> str:
    """Return `sentence`, or that it is deleted if it stands on what is gone, or on nothing else."""
    markers = [f"[{number}]" for number in MARKER.findall(sentence)]
    if not gone & set(markers) and (markers or len(gone) < citations):
        return sentence
    end = sentence[len(sentence.rstrip()) :]
    return f"{DELETED}{''.join(dict.fromkeys(markers))}{end}" if markers else end


def citation_json(citation: Citation, sources: Sources) -> Json:
    """Return a citation; of a document that was deleted since, only where it had been."""
    passage = citation.passage
    info = sources.infos.get(passage.document_id)
    return {
        "number": citation.number,
        "quote": citation.quote if info else "",
        "passage": passage.text if info else "",
        "document_id": passage.document_id,
        "title": info.title if info else DELETED,
        "headings": list(passage.headings) if info else [],
        "source_url": source_url(info.source) if info else None,
        "start": citation.start,
        "end": citation.end,
        "view_url": sources.view_url(info, (citation.start, citation.end)) if info else None,
    }


def piece_events(piece: Piece, number: int, sources: Sources) -> Iterator[tuple[str, Json]]:
    """Yield the events of one piece, which is the `number`th of its answer, from 1."""
    for citation in piece.citations:
        yield "citation", citation_json(citation, sources)
    yield "delta", {"text": piece.text, "sentence": number}


def candidates(hits: Sequence[Hit], sources: Sources) -> list[Json]:
    """Return the places that an answer may come from, each heading once, best first."""
    found: dict[tuple[str, tuple[str, ...]], Json] = {}
    for hit in hits:
        info = sources.infos.get(hit.passage.document_id)
        if info:
            place = {
                "document_id": info.id,
                "title": info.title,
                "headings": list(hit.passage.headings),
            }
            found.setdefault((info.id, hit.passage.headings), place)
    return list(found.values())


def hit_json(hit: Hit, rank: int, sources: Sources, *, explain: bool) -> Json:
    """Return a hit; `explain` adds what each retriever said of it."""
    passage = hit.passage
    info = sources.infos[passage.document_id]
    said = {"ranks": dict(hit.ranks), "scores": {k: round(v, 6) for k, v in hit.scores.items()}}
    return {
        "rank": rank,
        "score": round(hit.score, 6),
        "passage_id": passage.id,
        "document_id": passage.document_id,
        "title": info.title,
        "headings": list(passage.headings),
        "text": passage.text,
        "start": passage.start,
        "end": passage.end,
        "view_url": sources.view_url(info, (passage.start, passage.end)),
        **(said if explain else {}),
    }


def info_json(info: DocumentInfo, sources: Sources) -> Json:
    """Return what a list shows of a document."""
    return {
        "id": info.id,
        "title": info.title,
        "source": info.source,
        "source_url": source_url(info.source),
        "characters": info.characters,
        "passages": info.passages,
        "changed_at": info.changed_at,
        "version": version(info),
        "view_url": sources.view_url(info),
    }


def document_json(document: Document, info: DocumentInfo, sources: Sources) -> Json:
    """Return a whole document, which every offset points into."""
    return {
        **info_json(info, sources),
        "metadata": dict(document.metadata),
        "text": document.text,
        "sections": [
            {
                "heading": section.heading,
                "level": section.level,
                "start": section.start,
                "end": section.end,
            }
            for section in document.sections
        ],
    }


def conversation_json(conversation: Conversation, sources: Sources) -> Json:
    """Return a session with its turns, oldest first."""
    return {
        "session_id": conversation.id,
        "collection": conversation.collection,
        "started_at": conversation.started_at,
        "turns": [
            {
                "question": kept.turn.question,
                "asked_at": kept.asked_at,
                "vote": kept.vote,
                **answer_json(
                    kept.turn.answer, sources, session_id=conversation.id, turn_id=kept.id
                ),
            }
            for kept in conversation.turns
        ],
    }
