"""Requests to every channel that nobody signed, or that make no sense.

`python -m eval.bench.fuzz_protocols` runs it in full, some minutes of computing; tests run the
parts in their short form. What is sent follows from the seed.
"""

import sys
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from http import HTTPStatus
from random import Random

from bot.errors import TokenError
from bot.testing import CAT_QUESTION
from bot.tokens import PREFIX, Claims, Tokens
from eval.bench.field import REFUSED, TAKEN, Field, Tally, rounds, standing
from eval.bench.figures import Figure
from eval.bench.forging import Forger, altered, odd_json, odd_message, rubbish
from eval.bench.senders import Pairs, Request
from eval.bench.wire import Parsed, Reply

_FRESH_SECONDS = 60
_TOKEN = Claims("https://www.example.com", "default")
_JSON = (b"content-type", b"application/json")
_ACCEPT = (b"accept", b"application/json, text/event-stream")
_DEEP = (b"[" * 100_000, b'{"collection":' * 50_000, b'{"question":' + b"[" * 5000, b"\xff", b"")
_CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "ask", "arguments": {"question": CAT_QUESTION}},
}
_CHAT = {
    "model": "wenqu",
    "messages": [{"role": "user", "content": CAT_QUESTION}],
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_tokens": 50,
    "response_format": {"type": "text"},
    "tool_choice": "none",
}


def forge(field: Field, *, full: bool, seed: int) -> Tally:
    """Send what no platform has sent: it has to be refused, always in the same words."""
    tally, refusals = Tally(), set[bytes]()
    signed = _signed(field, tally)
    accepted, since = field.messages(), time.time()
    random = Random(seed)  # noqa: S311  # it has to be repeatable
    for _ in rounds(full=full):
        if time.time() > since + _FRESH_SECONDS:
            signed, since = _signed(field, tally), time.time()
        for sender in field.senders:
            right = signed[sender.name]
            others = [signed[name] for name in signed if name != sender.name]
            forger = Forger(sender, others, random, since)
            forged = forger.forged(right)
            reply = field.wire.ask(forged)
            same = forger.is_the_same(right, forged)
            expected = {401, 413, *((TAKEN | REFUSED) if same else ())}
            tally.note(reply, "" if reply.status in expected else "taken", forged)
            if reply.status == HTTPStatus.UNAUTHORIZED:
                refusals.add(reply.body)
    if len(refusals) != 1:
        tally.complaints.append(f"{len(refusals)} kinds of refusal: {[*refusals][:3]}")
    if field.messages() != accepted:
        tally.complaints.append(f"{field.messages() - accepted} forged questions were accepted")
    return tally


def _signed(field: Field, tally: Tally) -> dict[str, Request]:
    """Return what each platform has signed just now, after it was sent and taken."""
    now = time.time()
    found = {sender.name: sender.signed(sender.asked(1), now) for sender in field.senders}
    for request in found.values():
        reply = field.wire.ask(request)
        tally.note(reply, "" if reply.status in TAKEN else "not taken", request)
    return found


def strew(field: Field) -> Tally:
    """Send rubbish without a signature and with an old one: nothing reads or repeats it."""
    tally = Tally()
    field.settle()
    field.heard.drain()
    for sender in field.senders:
        old = sender.signed(sender.asked(2), time.time() - 4000)
        for body, headers in rubbish():
            bare = replace(old, body=body, headers=headers, query=())
            for sent in (bare, replace(old, body=body, headers=(*headers, *old.headers))):
                watched = Parsed()
                reply = field.wire.ask(sent, watched=watched)
                fault = "" if reply.status in {401, 413} else "taken"
                fault = f"parsed by {watched.names}" if watched.names else fault
                tally.note(reply, fault, sent.body[:50])
        watched = Parsed()
        field.wire.ask(sender.signed(sender.asked(2), time.time()), watched=watched)
        field.settle()
        if not watched.names:
            tally.complaints.append(f"nobody saw {sender.name} parse what was signed")
    told = [line for line in field.heard.lines if "canary" in line]
    tally.complaints += [f"in the log: {line:.200}" for line in told]
    return tally


def confuse(field: Field, *, full: bool, seed: int) -> Tally:
    """Send what is signed and makes no sense: refused or ignored, never an error of ours."""
    random = Random(seed)  # noqa: S311  # it has to be repeatable
    tally = Tally()
    field.heard.drain()
    for number in rounds(full=full):
        for sender in field.senders:
            message = odd_message(sender, sender.asked(number + 10), random)
            reply = field.wire.ask(sender.signed(message, time.time() - random.random() * 250))
            tally.note(reply, "" if reply.status in TAKEN | REFUSED else "unexpected", message)
    return _with_errors(tally, field)


def confuse_clients(field: Field, *, full: bool, seed: int) -> Tally:
    """Send what makes no sense to OpenAI's interface, to MCP, and with a token of the widget."""
    random = Random(seed)  # noqa: S311  # it has to be repeatable
    tally = Tally()
    field.heard.drain()
    for _ in rounds(full=full):
        good = field.tokens.give(_TOKEN)
        token = altered(good, random)
        asked = odd_json({"question": CAT_QUESTION}, random)
        for request in (
            Request("/v1/chat/completions", odd_json(deepcopy(_CHAT), random), (_JSON,)),
            Request("/mcp", odd_json(deepcopy(_CALL), random), (_JSON, _ACCEPT)),
            Request("/api/chat", asked, _bearing(good)),
            Request("/api/chat", random.choice(_DEEP), _bearing(good)),
        ):
            reply = field.wire.ask(request)
            tally.note(reply, _fault_of(reply), request)
        request = Request("/api/chat", asked, _bearing(token))
        reply = field.wire.ask(request)
        allowed = {401} if not _is_good(field.tokens, token) else TAKEN | REFUSED
        tally.note(reply, "" if reply.status in allowed else "taken", request)
    return _with_errors(tally, field)


def figures(*, full: bool, seed: int) -> Iterator[Figure]:
    """Run all attacks on all channels."""
    with standing() as field:
        attacks: tuple[tuple[str, str, Callable[[], Tally]], ...] = (
            ("R35", "forged requests", lambda: forge(field, full=full, seed=seed)),
            ("R64", "bodies without a signature", lambda: strew(field)),
            ("R36", "signed messages that are odd", lambda: confuse(field, full=full, seed=seed)),
            (
                "R36",
                "odd requests to /v1, /mcp and by the widget",
                lambda: confuse_clients(field, full=full, seed=seed),
            ),
        )
        for case, what, attack in attacks:
            began = time.monotonic()
            yield attack().figure(case, what, began)


def _bearing(token: str) -> Pairs:
    return (_JSON, (b"authorization", b"Bearer " + token.encode()))


def _with_errors(tally: Tally, field: Field) -> Tally:
    tally.complaints += [f"in the log: {line:.2000}" for line in field.heard.errors]
    return tally


def _fault_of(reply: Reply) -> str:
    if reply.status not in TAKEN | REFUSED:
        return "unexpected"
    if b"Traceback" in reply.body:
        return "a trace"
    if reply.kind.startswith("text/event-stream"):
        ends = (b"data: [DONE]\n\n", b'"error"')
        return "" if any(end in reply.body[-2000:] for end in ends) else "no end"
    return "" if "json" in reply.kind or not reply.body else f"sent as {reply.kind!r}"


def _is_good(tokens: Tokens, token: str) -> bool:
    """Whether a token allows what was given: base64 spells some in more than one way."""
    if not token.startswith(PREFIX):
        return True  # it is not the widget's then, and says nothing
    try:
        return tokens.read(token) == _TOKEN
    except TokenError:
        return False


def main() -> int:
    """Run in full and print; a seed may be given."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else int(time.time())
    sys.stdout.write(f"seed {seed}\n")
    held = True
    for figure in figures(full=True, seed=seed):
        said = f"{figure.case}: {figure.what}: {figure.value} in {figure.seconds:.0f} s\n"
        sys.stdout.write(said)
        held &= figure.held
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
