"""Answers in the JSON of OpenAI's chat completions.

Clients look for sources in three places, so they stand in all three, in the order of the markers:
as `annotations` of the message, as `citations` and as `search_results` beside it. The whole answer
object is in `wenqu`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.wire import Json

_BYTES_A_TOKEN = 3


def tokens(text: str) -> int:
    """Estimate tokens: one for three bytes of UTF-8, that is a Chinese character or half a word.

    There is no language model whose tokens could be counted; this is near what usual ones give.
    """
    return -(-len(text.encode()) // _BYTES_A_TOKEN)


@dataclass(frozen=True, slots=True)
class Head:
    """What is the same in a completion and in every chunk of a stream.

    Attributes:
        id: Of the answer.
        created: Unix time, in seconds.
        model: As it was asked for.
    """

    id: str
    created: int
    model: str


@dataclass(slots=True)
class Room:
    """Takes whole sentences as long as they fit: a part of one would have lost its marker.

    Attributes:
        limit: Tokens, None for any number.
        text: What was taken.
        is_full: Whether a sentence did not fit; then no other is taken.
    """

    limit: int | None
    text: str = ""
    is_full: bool = False

    def take(self, sentence: str) -> bool:
        """Add a sentence and return whether it fits."""
        fits = self.limit is None or tokens(self.text + sentence) <= self.limit
        self.is_full = self.is_full or not fits
        if not self.is_full:
            self.text += sentence
        return not self.is_full


@dataclass(frozen=True, slots=True)
class Said:
    """An answer to send.

    Attributes:
        content: What the reader sees.
        is_cut: Whether it is a part of the answer.
        reply: The whole answer object.
        prompt: The messages that it answers.
    """

    content: str
    is_cut: bool
    reply: Json
    prompt: str

    @property
    def finish_reason(self) -> str:
        """Why it ends: a refusal is a complete answer, too."""
        return "length" if self.is_cut else "stop"

    @property
    def annotations(self) -> list[Json]:
        """The sources of `content`, each once, at its first marker; offsets are code points."""
        found = []
        for citation in self.reply["citations"]:
            marker = f"[{citation['number']}]"
            start = self.content.find(marker)
            if start >= 0 and citation["view_url"]:
                place = {
                    "start_index": start,
                    "end_index": start + len(marker),
                    "title": citation["title"],
                    "url": citation["view_url"],
                }
                found.append({"type": "url_citation", "url_citation": place})
        return found

    @property
    def usage(self) -> Json:
        """Tokens, estimated."""
        prompt, completion = tokens(self.prompt), tokens(self.content)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }

    @property
    def sources(self) -> Json:
        """What stands beside the choices. The n-th of each list is the source of `[n]`."""
        citations = self.reply["citations"]
        return {
            "citations": [citation["view_url"] or "" for citation in citations],
            "search_results": [
                {
                    "title": citation["title"],
                    "url": citation["view_url"] or "",
                    "snippet": citation["quote"],
                }
                for citation in citations
            ],
            "wenqu": self.reply,
        }


def completion(head: Head, said: Said) -> Json:
    """Return a whole completion."""
    message = {
        "role": "assistant",
        "content": said.content,
        "refusal": None,
        "annotations": said.annotations,
    }
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": said.finish_reason,
    }
    return {
        "id": head.id,
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": [choice],
        "usage": said.usage,
        **said.sources,
    }


def opening(head: Head, *, has_usage: bool) -> Json:
    """Return the first chunk of a stream, which can go before there is an answer."""
    return _chunk(head, {"role": "assistant", "content": ""}, has_usage=has_usage)


def written(head: Head, sentence: str, *, has_usage: bool) -> Json:
    """Return a chunk with a sentence."""
    return _chunk(head, {"content": sentence}, has_usage=has_usage)


def closing(head: Head, said: Said, *, has_usage: bool) -> Iterator[Json]:
    """Yield the chunks after the last sentence: all sources at once, the end, the tokens."""
    if said.annotations:
        yield _chunk(head, {"annotations": said.annotations}, has_usage=has_usage)
    yield {**_chunk(head, {}, said.finish_reason, has_usage=has_usage), **said.sources}
    if has_usage:
        yield {**_chunk(head, {}, has_usage=True), "choices": [], "usage": said.usage}


def _chunk(head: Head, delta: Json, finish_reason: str | None = None, *, has_usage: bool) -> Json:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {
        "id": head.id,
        "object": "chat.completion.chunk",
        "created": head.created,
        "model": head.model,
        "choices": [choice],
        **({"usage": None} if has_usage else {}),
    }
