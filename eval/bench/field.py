"""A service with every channel set up, to be attacked; and the count of what came of it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory

from sqlalchemy import func, select

from bot.channels.jobs import ChannelJobRow
from bot.channels.slack_fake import FakeSlack
from bot.channels.testing import Call, FakePlatform
from bot.runtime import Runtime
from bot.settings import Settings
from bot.testing import CAT_QUESTION, cat_document, client_of
from bot.tokens import Tokens
from eval.bench.figures import Figure
from eval.bench.senders import Sender, channel_settings, senders
from eval.bench.wire import Overheard, Reply, Wire, overhearing

_FULL_SECONDS = 90.0
"""Of computing, for each kind of attack."""
_SHORT = 30
_SETTLED_SECONDS = 60.0
_TICK_SECONDS = 0.1
TAKEN = frozenset({200, 202})
REFUSED = frozenset({400, 401, 403, 404, 409, 413, 415, 422})


@dataclass(slots=True)
class Tally:
    """What came of many requests.

    Attributes:
        sent: How many there were.
        statuses: How often each status came back.
        complaints: What must not be, each so that it can be found again.
    """

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def note(self, reply: Reply, fault: str, what: object) -> None:
        """Count a reply; `fault` says what is wrong with it, "" if nothing."""
        self.sent += 1
        self.statuses[reply.status] += 1
        if fault:
            self.complaints.append(f"{fault}: {reply.status} {reply.body[:200]!r} to {what!r:.600}")

    def figure(self, case: str, what: str, began: float) -> Figure:
        """Return the line of the table."""
        statuses = ", ".join(f"{status}: {n}" for status, n in sorted(self.statuses.items()))
        wrong = f"; first: {self.complaints[0]}" if self.complaints else ""
        value = f"{len(self.complaints)} wrong ({statuses}){wrong}"
        seconds = time.monotonic() - began
        return Figure(case, f"{self.sent} {what}", value, not self.complaints, seconds)


@dataclass(frozen=True, slots=True)
class Field:
    """The service with all channels set up, and what stands around it.

    Attributes:
        wire: To the application.
        runtime: What it answers from.
        senders: The platforms that sign.
        tokens: Of the widget.
        heard: What is logged.
    """

    wire: Wire
    runtime: Runtime
    senders: tuple[Sender, ...]
    tokens: Tokens
    heard: Overheard

    def messages(self) -> int:
        """Count the questions that channels have accepted."""
        with self.runtime.database.read() as session:
            return session.scalar(select(func.count()).select_from(ChannelJobRow)) or 0

    def settle(self) -> None:
        """Wait until all that was asked is answered, so that nothing else goes on.

        Raises:
            TimeoutError: It takes too long.
        """
        waiting = select(func.count()).select_from(ChannelJobRow)
        until = time.monotonic() + _SETTLED_SECONDS
        while time.monotonic() < until:
            with self.runtime.database.read() as session:
                if not session.scalar(waiting.where(ChannelJobRow.state == "waiting")):
                    time.sleep(_TICK_SECONDS)  # the last reply is on its way
                    return
            time.sleep(_TICK_SECONDS)
        message = f"questions wait after {_SETTLED_SECONDS} s"
        raise TimeoutError(message)


@contextmanager
def standing(open_runtime: Callable[[Settings], Runtime] = Runtime.open) -> Iterator[Field]:
    """Set up a service with one document, in a folder of its own, and all platforms."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="wenqu-fuzz-"))
        platform = stack.enter_context(FakePlatform(_take))
        slack = stack.enter_context(FakeSlack())
        given = channel_settings(platform.url, slack.url)
        runtime = open_runtime(Settings.model_validate({**given, "data": folder}))
        stack.callback(runtime.close)
        runtime.library().ingest([cat_document("手册/猫")])
        heard = stack.enter_context(overhearing())
        client = stack.enter_context(client_of(runtime))
        tokens = Tokens.of(runtime.settings.secret_key.get_secret_value())
        yield Field(Wire(client), runtime, senders(CAT_QUESTION, platform.url), tokens, heard)


def _take(_call: Call) -> tuple[int, object]:
    """Take whatever is sent, as each platform would."""
    tokens = dict.fromkeys(("tenant_access_token", "accessToken", "access_token"), "t")
    seconds = dict.fromkeys(("expire", "expireIn", "expires_in"), 7200)
    return 200, {"code": 0, "errcode": 0, **tokens, **seconds}


def rounds(*, full: bool, seconds: float = _FULL_SECONDS, short: int = _SHORT) -> Iterator[int]:
    """Count up: as long as there is time to compute in full, and so many times in short."""
    until = time.process_time() + seconds
    number = 0
    while time.process_time() < until if full else number < short:
        number += 1
        yield number
