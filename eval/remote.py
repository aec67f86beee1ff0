"""A running server as respondent: the same questions over HTTP, and what can be seen from there."""

from collections.abc import Iterator
from time import perf_counter
from typing import Any
from urllib.parse import quote

import httpx2

from eval.errors import ServerError
from eval.outcome import Quote, Reply, ReplyKind, Retrieved, holds_answer
from eval.questions import GoldConversation, GoldQuestion
from eval.run import DEEP, DOCUMENTS, EXCERPT, PASSAGES

_OK = 200


class RemoteRespondent:
    """A server of wenqu. The best sentence is not seen from outside, everything else is."""

    def __init__(self, client: httpx2.Client, collection: str = "") -> None:
        """Ask through `client`, whose base is the address of the server.

        Args:
            client: Sends the requests.
            collection: To be asked; the server's default one if empty.
        """
        self._client = client
        self._collection = collection
        self._texts: dict[str, str] = {}

    def replies(self, conversation: GoldConversation) -> Iterator[Reply]:
        """Yield the reply to each question of one session.

        What the user said before is asked first; the server gives its own answers to it.

        Raises:
            ServerError: It does not answer as it should.
        """
        session = ""
        for turn in conversation.history:
            session = self._chat(turn.question, session)[0]["session_id"]
        for question in conversation.questions:
            said, spent = self._chat(question.text, session)
            session = said["session_id"]
            yield self._reply(question, said, spent)

    def _chat(self, question: str, session: str) -> tuple[dict[str, Any], float]:
        body: dict[str, Any] = {"question": question}
        if session:
            body["session_id"] = session
        if self._collection:
            body["collection"] = self._collection
        started = perf_counter()
        said = self._send("POST", "/api/chat", json=body)
        return said, (perf_counter() - started) * 1000

    def _reply(self, question: GoldQuestion, said: dict[str, Any], spent: float) -> Reply:
        quotes = tuple(self._quote(citation) for citation in said["citations"])
        kind: ReplyKind = "refusal" if said["refused"] else "grounded" if quotes else "chat"
        refusal = said["refusal"] or {"reason": "", "missing": []}
        alone = said["standalone_question"]
        hits = [] if kind == "chat" else self._search(alone)
        as_typed = self._search(question.text) if hits and alone != question.text else None
        return Reply(
            text=said["answer"],
            kind=kind,
            quotes=quotes,
            confidence=said["confidence"],
            reason=refusal["reason"],
            missing=tuple(refusal["missing"]),
            standalone_question=alone,
            ranked=_documents(hits),
            ranked_as_typed=None if as_typed is None else _documents(as_typed),
            retrieved=tuple(_retrieved(hit, question) for hit in hits[:PASSAGES]),
            timings={**said["timings"], "http": round(spent, 2)},
        )

    def _quote(self, citation: dict[str, Any]) -> Quote:
        start, end = citation["start"], citation["end"]
        text = self._text(citation["document_id"])
        return Quote(
            citation["number"], citation["document_id"], start, end, citation["quote"],
            text[start:end] == citation["quote"],
        )  # fmt: skip

    def _text(self, document_id: str) -> str:
        if document_id not in self._texts:
            said = self._send("GET", f"/api/documents/{quote(document_id)}", params=self._where())
            self._texts[document_id] = said["text"]
        return self._texts[document_id]

    def _search(self, question: str) -> list[dict[str, Any]]:
        params = {"q": question, "top_k": str(DEEP), **self._where()}
        hits: list[dict[str, Any]] = self._send("GET", "/api/search", params=params)["hits"]
        return hits

    def _where(self) -> dict[str, str]:
        return {"collection": self._collection} if self._collection else {}

    def _send(self, method: str, url: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401  # httpx2's own
        try:
            response = self._client.request(method, url, **options)
        except httpx2.HTTPError as error:
            raise ServerError(url, str(error) or type(error).__name__) from error
        if response.status_code != _OK:
            raise ServerError(url, f"status {response.status_code}: {response.text[:200]}")
        try:
            said = response.json()
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise ServerError(url, f"expected a JSON object, got {response.text[:200]!r}")
        return said


def _documents(hits: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(hit["document_id"] for hit in hits))[:DOCUMENTS]


def _retrieved(hit: dict[str, Any], question: GoldQuestion) -> Retrieved:
    headings = hit["headings"] or [""]
    return Retrieved(
        document_id=hit["document_id"],
        start=hit["start"],
        end=hit["end"],
        heading=headings[-1],
        excerpt=hit["text"][:EXCERPT],
        score=hit["score"],
        holds_answer=holds_answer(hit["text"], question),
    )
