"""A running server as respondent: the same questions over HTTP, and what can be seen from there."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ValidationError

from eval.errors import ServerError
from eval.outcome import Quote, Reply, ReplyKind, Retrieved, holds_answer
from eval.questions import GoldConversation, GoldQuestion, QuestionSet
from eval.run import DEEP, DOCUMENTS, EXCERPT, PASSAGES

_OK = 200
_NO_QUESTION = 422


class _Citation(BaseModel):
    number: int
    document_id: str
    start: int
    end: int
    quote: str


class _Refusal(BaseModel):
    reason: str
    missing: tuple[str, ...]


class _Chat(BaseModel):
    answer: str
    citations: tuple[_Citation, ...]
    refused: bool
    refusal: _Refusal | None
    confidence: float
    standalone_question: str
    session_id: str
    timings: dict[str, float]


class _Hit(BaseModel):
    document_id: str
    start: int
    end: int
    headings: tuple[str, ...]
    text: str
    score: float


class _Search(BaseModel):
    hits: tuple[_Hit, ...]


class _Item(BaseModel):
    id: str
    title: str


class _Documents(BaseModel):
    documents: tuple[_Item, ...]


class _Document(BaseModel):
    text: str


_Said = TypeVar("_Said", bound=BaseModel)


class RemoteRespondent:
    """A server of wenqu. The best sentence is not seen from outside, everything else is."""

    def __init__(self, client: httpx2.Client, collection: str = "") -> None:
        """Ask through `client`, whose base is the address of the server.

        Args:
            client: Sends the requests.
            collection: To be asked; the server's default one if empty.
        """
        self._client = client
        self._where = {"collection": collection} if collection else {}
        self._texts: dict[str, str] = {}

    def known(self, questions: QuestionSet) -> QuestionSet:
        """Return the set with its documents named as the server names them.

        A document is the server's of the same id, or else its only one of the same title.

        Raises:
            ServerError: It does not have one of the documents, or does not answer as it should.
        """
        url = "/api/documents"
        listed = self._get(url, _Documents).documents
        ids = {item.id for item in listed}
        by_title: dict[str, list[str]] = {}
        for item in listed:
            by_title.setdefault(item.title, []).append(item.id)
        names: dict[str, str] = {}
        for document in questions.documents:
            same = [document.id] if document.id in ids else by_title.get(document.title, [])
            if len(same) != 1:
                reason = f"it has {len(same)} documents like {document.id!r} of {questions.name}"
                raise ServerError(url, reason)
            names[document.id] = same[0]
        return replace(
            questions,
            conversations=tuple(
                replace(one, questions=tuple(_renamed(q, names) for q in one.questions))
                for one in questions.conversations
            ),
        )

    def replies(self, conversation: GoldConversation) -> Iterator[Reply]:
        """Yield the reply to each question of one session.

        What the user said before is asked first; the server gives its own answers to it.

        Raises:
            ServerError: It does not answer as it should.
        """
        session = ""
        for turn in conversation.history:
            said = self._chat(turn.question, session)
            session = said.session_id if isinstance(said, _Chat) else session
        for question in conversation.questions:
            started = perf_counter()
            said = self._chat(question.text, session)
            spent = (perf_counter() - started) * 1000
            if isinstance(said, _Chat):
                session = said.session_id
                yield self._reply(question, said, spent)
            else:
                yield Reply("", "error", reason=said)

    def _chat(self, question: str, session: str) -> _Chat | str:
        """Return what the server says, or why it says that this is no question."""
        url = "/api/chat"
        body = {"question": question, **self._where}
        if session:
            body["session_id"] = session
        response = self._send("POST", url, json=body)
        if response.status_code == _NO_QUESTION:
            return response.text[:200]
        return _parsed(url, response, _Chat)

    def _reply(self, question: GoldQuestion, said: _Chat, spent: float) -> Reply:
        kind: ReplyKind = "grounded" if said.citations else "refusal" if said.refused else "chat"
        alone = said.standalone_question
        hits = () if kind == "chat" else self._search(alone)
        as_typed = self._search(question.text) if hits and alone != question.text else None
        return Reply(
            text=said.answer,
            kind=kind,
            quotes=tuple(self._quote(citation) for citation in said.citations),
            confidence=said.confidence,
            reason=said.refusal.reason if said.refusal else "",
            missing=said.refusal.missing if said.refusal else (),
            standalone_question=alone,
            ranked=_documents(hits),
            ranked_as_typed=None if as_typed is None else _documents(as_typed),
            retrieved=tuple(_retrieved(hit, question) for hit in hits[:PASSAGES]),
            timings={**said.timings, "http": round(spent, 2)},
        )

    def _quote(self, said: _Citation) -> Quote:
        if said.document_id not in self._texts:
            url = f"/api/documents/{quote(said.document_id)}"
            self._texts[said.document_id] = self._get(url, _Document).text
        faithful = self._texts[said.document_id][said.start : said.end] == said.quote
        return Quote(said.number, said.document_id, said.start, said.end, said.quote, faithful)

    def _search(self, question: str) -> tuple[_Hit, ...]:
        return self._get("/api/search", _Search, q=question, top_k=str(DEEP)).hits

    def _get(self, url: str, model: type[_Said], **params: str) -> _Said:
        return _parsed(url, self._send("GET", url, params={**params, **self._where}), model)

    def _send(self, method: str, url: str, **options: Any) -> httpx2.Response:  # noqa: ANN401  # httpx2's own
        try:
            return self._client.request(method, url, **options)
        except httpx2.HTTPError as error:
            raise ServerError(url, str(error) or type(error).__name__) from error


def _parsed(url: str, response: httpx2.Response, model: type[_Said]) -> _Said:
    if response.status_code != _OK:
        raise ServerError(url, f"status {response.status_code}: {response.text[:200]}")
    try:
        return model.model_validate_json(response.content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise ServerError(url, f"{where}: {first['msg']}") from error


def _renamed(question: GoldQuestion, names: Mapping[str, str]) -> GoldQuestion:
    return replace(
        question,
        documents=tuple(names[name] for name in question.documents),
        alternatives=tuple(names[name] for name in question.alternatives),
        spans=(),  # into our text; the server may have cleaned it otherwise
    )


def _documents(hits: tuple[_Hit, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(hit.document_id for hit in hits))[:DOCUMENTS]


def _retrieved(hit: _Hit, question: GoldQuestion) -> Retrieved:
    return Retrieved(
        document_id=hit.document_id,
        start=hit.start,
        end=hit.end,
        heading=hit.headings[-1] if hit.headings else "",
        excerpt=hit.text[:EXCERPT],
        score=hit.score,
        holds_answer=holds_answer(hit.text, question),
    )
