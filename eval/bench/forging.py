"""Requests that nobody signed, made from one that somebody did; and messages that are odd."""

import gzip
import json
import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from eval.bench.senders import Pairs, Request, Sender

CANARY = "金丝雀canary"
"""Stands in rubbish: nothing of it may be found in a log."""

_TIMES = (
    b"", b"abc", b"-1", b"1e9", b"nan", b"inf", b"1.5", b"0", b"9" * 400, b"+1700000000",
    b"0x65550000", b"1700000000.0", "\uff11".encode() * 10, b"\xff" * 10,
)  # fmt: skip
_TEN_KB = b"x" * 10_000
_LONG = 100_000
_XML_VALUE = re.compile(rb">([^<>]+)<|\[CDATA\[(.*?)\]\]")
_ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, 2**63, -(2**63) - 1, 10**400, "", " ", "\0", "\ud800",
    "\u202e", "x" * 5000, "٣", "[S1]", "../../etc/passwd", "http://127.0.0.1:1/", [], {}, [[]],
    [None], {"": {}}, {"text": {"text": []}}, [1, "x", {"a": None}],
)  # fmt: skip
_BROKEN = (
    b"", b"{", b"[]", b"null", b'"x"', b"NaN", b"1", b"\xff\xfe", b"[" * 5000,
    b'{"a":' * 5000 + b"1" + b"}" * 5000, b"{}", b'{"type":"nobody_knows"}', b"\x1f\x8b\x08",
    b'{"a":1,"a":2}', b'{"a":1e999}', b"<xml>", b"<xml/>", b"payload={", b"payload=%7B%7D",
    b'<!DOCTYPE x [<!ENTITY a "b">]><xml><Content>&a;</Content></xml>',
)  # fmt: skip


def rubbish() -> Iterator[tuple[bytes, Pairs]]:
    """Yield bodies that no parser should ever meet, with headers that tell of them."""
    json_of_canary = json.dumps({"type": "event_callback", "text": CANARY}).encode()
    for body in (b"{", b"[1]", b"[" * _LONG, b"<a>" * _LONG, b"\xff" * 99, json_of_canary, b""):
        yield body, ((b"content-type", b"application/json"),)
    packed = gzip.compress(CANARY.encode() * 1000, mtime=0)
    yield packed, ((b"content-type", b"application/json"), (b"content-encoding", b"gzip"))
    yield f"payload={CANARY}".encode(), ((b"content-type", b"application/x-www-form-urlencoded"),)
    yield b"x" * 30_000_000, ()


@dataclass(frozen=True, slots=True)
class Forger:
    """Changes what one platform has sent.

    Attributes:
        sender: The platform.
        others: Requests of other platforms, whose signatures are good there.
        random: What chooses.
        now: Unix time.
    """

    sender: Sender
    others: Sequence[Request]
    random: Random
    now: float

    def forged(self, right: Request) -> Request:
        """Return a request that the platform did not send, made from one that it did."""
        ways: tuple[Callable[[Request], Request], ...] = (
            self._with_another_value,
            self._with_another_value,
            self._with_another_body,
            self._with_another_body,
            self._with_other_headers,
            self._at_another_time,
        )
        return self.random.choice(ways)(right)

    def is_the_same(self, one: Request, other: Request) -> bool:
        """Whether the signature of one is good for the other."""
        pairs = (one.headers, one.query) == (other.headers, other.query)
        signed, found = (self.sender.covered(each.body) for each in (one, other))
        return pairs and (one.body == other.body or (bool(signed) and signed == found))

    def _at_another_time(self, _right: Request) -> Request:
        far = self.random.choice((-305, -400, -3600, -86_400, -1e8, 500, 3600, 86_400, 1e8))
        return self.sender.signed(self.sender.asked(1), self.now + far)

    def _with_another_value(self, right: Request) -> Request:
        """Change the value of a header or parameter."""
        pairs = list(right.headers or right.query)
        at = self.random.randrange(len(pairs))
        name, value = pairs[at]
        pairs[at] = (name, self._changed_value(name, value))
        return _with(right, tuple(pairs))

    def _changed_value(self, name: bytes, value: bytes) -> bytes:
        if name.endswith(b"timestamp") and self.random.random() < 0.5:  # noqa: PLR2004  # one half
            return self.random.choice((*_TIMES, value + b"000", value[:-3], value + b".0"))
        other = b"x" * len(value)
        choices: tuple[bytes, ...] = (
            b"", value[:-1], value + b"0", value.swapcase(), value.upper(), b" " + value,
            value + b",", value + b"," + value, value + b"  " + value, _TEN_KB, value + _TEN_KB,
            "é签".encode(), other, value[::-1], value + b"\xff",
        )  # fmt: skip
        changed = self.random.choice((*choices, *[self._with_another_byte(value)] * 15))
        return changed if changed != value else value + b"x"

    def _with_another_byte(self, value: bytes) -> bytes:
        at = self.random.randrange(len(value))
        other = value[at] ^ self.random.choice((1, 2, 4, 8, 16, 32, 64))
        return value[:at] + bytes([other]) + value[at + 1 :]

    def _with_other_headers(self, right: Request) -> Request:
        """Leave some out, say some twice, or take those of somebody else."""
        pairs = right.headers or right.query
        at = self.random.randrange(len(pairs))
        name, value = pairs[at]
        elsewhere = self.random.choice(self.others)
        found = self.random.choice(
            (
                (),
                pairs[:at] + pairs[at + 1 :],
                (*pairs, (name, value)),
                ((name, value), *pairs),
                (*pairs, (name, b"x")),
                ((name, b""), *pairs),
                elsewhere.headers or elsewhere.query,
            )
        )
        return _with(right, found)

    def _with_another_body(self, right: Request) -> Request:
        body = right.body
        at = self.random.randrange(len(body))
        covered = self.sender.covered(body)
        changed = (
            body[:at] + body[at + 1 :],
            body[:at] + bytes([self.random.randrange(256)]) + body[at:],
            body[:at],
            body + b" ",
            body + body,
            self.random.choice((b"{", b"", b"\xff", b"[" * 9999, b"<xml>", _TEN_KB)),
            *[self._with_another_byte(body)] * 3,
            *[body.replace(covered, self._with_another_byte(covered))] * 3,
        )
        return replace(right, body=self.random.choice(changed))


def _with(request: Request, pairs: Pairs) -> Request:
    return replace(request, headers=pairs) if request.headers else replace(request, query=pairs)


def altered(token: str, random: Random) -> str:
    """Return a token with something in it changed."""
    at = random.randrange(len(token))
    other = random.choice("ABCxyz019-_.")
    changed = (token[:at] + other + token[at + 1 :], token[:at], token + other, token[:at] * 2)
    return random.choice((*changed, token.swapcase(), token[:4], "wqw_..", token[4:]))


def odd_message(sender: Sender, message: bytes, random: Random) -> bytes:
    """Return a message that the platform would never send, signed or not."""
    if random.random() < 0.1:  # noqa: PLR2004  # some
        return random.choice(_BROKEN)
    if sender.reads_json:
        return odd_json(json.loads(message), random)
    spans = [found.span() for found in _XML_VALUE.finditer(message)]
    start, end = random.choice(spans)
    value = random.choice(("", "&a;", "]]>", "<x/>", "x" * 5000, "\0", "9" * 400, "-1", "\ufffe"))
    before, after = message[: start + 1], message[end - 1 :]
    return random.choice((before + value.encode() + after, before + after, message[:start]))


def odd_json(value: object, random: Random) -> bytes:
    """Return JSON like `value`, with one to three of its parts replaced, left out or added."""
    for _ in range(random.randint(1, 3)):
        holder, key = random.choice([*_places(value)] or [(None, None)])
        if holder is None:
            value = deepcopy(random.choice(_ODD))
        else:
            random.choice((_replace, _replace, _replace, _remove, _nest, _add))(holder, key, random)
    return json.dumps(value).encode()


def _places(value: object) -> Iterator[tuple[Any, Any]]:
    inner = (
        [*value.items()]
        if isinstance(value, dict)
        else [*enumerate(value)]
        if isinstance(value, list)
        else []
    )
    for key, held in inner:
        yield value, key
        yield from _places(held)


_Change = Callable[[Any, Any, Random], None]


def _replace(holder: Any, key: Any, random: Random) -> None:  # noqa: ANN401  # any JSON
    holder[key] = deepcopy(random.choice(_ODD))


def _remove(holder: Any, key: Any, _random: Random) -> None:  # noqa: ANN401  # likewise
    del holder[key]


def _nest(holder: Any, key: Any, random: Random) -> None:  # noqa: ANN401  # likewise
    for _ in range(random.choice((1, 2, 40))):
        holder[key] = random.choice(([holder[key]], {"text": holder[key]}))


def _add(holder: Any, key: Any, random: Random) -> None:  # noqa: ANN401  # likewise
    if isinstance(holder, dict):
        name = random.choice(("", "type", "event", "user", "\ud800", f"{key}s"))
        holder[name] = deepcopy(random.choice(_ODD))
    else:
        holder.append(deepcopy(random.choice(_ODD)))
