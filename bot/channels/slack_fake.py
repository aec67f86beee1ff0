"""A Slack of our own on loopback, which speaks the wire format of the real one, for tests.

It holds what it is sent to the limits of Block Kit, counts, and misbehaves when told to.
"""

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from aiohttp import WSMsgType, web

from bot.channels.slack_blocks import SEARCHING
from bot.wire import Json

BOT_TOKEN = "xoxb-fake-bot"  # noqa: S105  # of no workspace
APP_TOKEN = "xapp-fake-app"  # noqa: S105  # likewise
SIGNING_SECRET = "wenqu-slack-test-secret"  # noqa: S105  # likewise
TEAM, BOT = "T0TEST", "U0BOT"
_SECONDS = 60
_TICK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Trouble:
    """What goes wrong with one call.

    Attributes:
        status: Of HTTP; 0 breaks the connection instead of an answer.
        headers: Of the answer.
        error: Slack's name of the error, if it gives one.
        done: Whether the call has its effect nevertheless.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict, hash=False)
    error: str = ""
    done: bool = False


class FakeSlack:
    """The Web API, addresses for answers to commands, and Socket Mode, in a thread.

    Attributes:
        calls: Name and arguments of each call that was taken.
        messages: Channel and timestamp to message, as it is now.
        responses: Path of a `response_url` to what is shown there now.
        uses: The same to how often it was sent to.
        acknowledged: Envelopes of Socket Mode that were, in order.
    """

    def __init__(self) -> None:
        """Make it; it answers inside `with`."""
        self.calls: list[tuple[str, Json]] = []
        self.messages: dict[tuple[str, str], Json] = {}
        self.responses: dict[str, list[Json]] = {}
        self.uses: dict[str, int] = {}
        self.acknowledged: list[str] = []
        self.connections = 0
        self._troubles: dict[str, deque[Trouble]] = {}
        self._sockets: list[web.WebSocketResponse] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._going = asyncio.Event()
        self._going.set()
        self._last = int(time.time()) * 1_000_000
        self.port = 0

    @property
    def url(self) -> str:
        """What `slack_api_url` is set to."""
        return f"http://127.0.0.1:{self.port}/api/"

    def response_url(self, name: str) -> str:
        """Where the answer to a command goes."""
        return f"http://127.0.0.1:{self.port}/commands/{name}"

    def trouble(self, method: str, *troubles: Trouble) -> None:
        """Have the next calls of a method, or of `commands`, go wrong."""
        self._troubles.setdefault(method, deque()).extend(troubles)

    def hold(self) -> None:
        """Answer no call until `go_on`."""
        self._loop.call_soon_threadsafe(self._going.clear)

    def go_on(self) -> None:
        """Answer the calls that wait, and those to come."""
        self._loop.call_soon_threadsafe(self._going.set)

    def answers(self, channel: str, thread: str = "") -> list[Json]:
        """Return those of `said` that have become answers."""
        return [said for said in self.said(channel, thread) if said["text"] != SEARCHING]

    def said(self, channel: str, thread: str = "") -> list[Json]:
        """Return the messages in a channel, or below one of them, oldest first."""
        return [
            message
            for (where, _), message in sorted(self.messages.items())
            if where == channel and message.get("thread_ts", "") == thread
        ]

    def push(self, kind: str, payload: Json, envelope: str) -> None:
        """Send an envelope by Socket Mode to whoever is connected."""
        sent = {"type": kind, "envelope_id": envelope, "payload": payload}
        asyncio.run_coroutine_threadsafe(self._push(json.dumps(sent)), self._loop).result(_SECONDS)

    def hang_up(self) -> None:
        """Have whoever is connected by Socket Mode connect anew."""
        told = json.dumps({"type": "disconnect", "reason": "refresh_requested"})
        asyncio.run_coroutine_threadsafe(self._push(told), self._loop).result(_SECONDS)

    async def _push(self, text: str) -> None:
        open_ones = [socket for socket in self._sockets if not socket.closed]
        await open_ones[-1].send_str(text)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self._ready.wait(_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)

    def _serve(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._call)
        app.router.add_post("/commands/{name}", self._command)
        app.router.add_get("/socket", self._socket)
        runner = web.AppRunner(app, shutdown_timeout=0)
        self._loop.run_until_complete(self._listen(runner))
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _listen(self, runner: web.AppRunner) -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if request.content_type == "application/json":
            arguments: Json = await request.json()
        else:
            arguments = {**request.query, **dict(await request.post())}
        wanted = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
        await self._going.wait()
        if request.headers.get("authorization") != f"Bearer {wanted}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        trouble = self._next_trouble(method)
        if trouble and not trouble.done:
            return self._broken(request, trouble)
        self.calls.append((method, arguments))
        answer = self._METHODS[method](self, arguments)
        return self._broken(request, trouble) if trouble else web.json_response(answer)

    def _next_trouble(self, method: str) -> Trouble | None:
        waiting = self._troubles.get(method)
        return waiting.popleft() if waiting else None

    def _broken(self, request: web.Request, trouble: Trouble) -> web.StreamResponse:
        if trouble.status == 0:
            assert request.transport  # noqa: S101  # it is open
            request.transport.abort()
            return web.Response()
        if trouble.error:
            body = {"ok": False, "error": trouble.error}
            return web.json_response(body, status=trouble.status, headers=trouble.headers)
        return web.Response(status=trouble.status, headers=trouble.headers, text="<html>")

    def _auth_test(self, _: Json) -> Json:
        return {"ok": True, "team": "测试", "user": "wenqu", "team_id": TEAM, "user_id": BOT}

    def _post(self, arguments: Json) -> Json:
        if error := wrong(arguments):
            return {"ok": False, "error": error}
        self._last += 1
        timestamp = f"{self._last // 1_000_000}.{self._last % 1_000_000:06}"
        message = {**arguments, "ts": timestamp, "bot_id": "B0BOT", "user": BOT}
        self.messages[arguments["channel"], timestamp] = message
        return {"ok": True, "channel": arguments["channel"], "ts": timestamp, "message": message}

    def _update(self, arguments: Json) -> Json:
        where = (arguments["channel"], arguments["ts"])
        error = "" if where in self.messages else "message_not_found"
        if error := error or wrong(arguments):
            return {"ok": False, "error": error}
        self.messages[where] = {**self.messages[where], **arguments}
        return {"ok": True, "channel": where[0], "ts": where[1], "text": arguments["text"]}

    def _history(self, arguments: Json) -> Json:
        return self._list(arguments, "")

    def _replies(self, arguments: Json) -> Json:
        return self._list(arguments, arguments["ts"])

    def _list(self, arguments: Json, thread: str) -> Json:
        found = self.said(arguments["channel"], thread)
        oldest = float(arguments["oldest"])
        later = [message for message in found if float(message["ts"]) > oldest]
        return {"ok": True, "messages": later[: int(arguments["limit"])]}

    def _open(self, _: Json) -> Json:
        return {"ok": True, "url": f"ws://127.0.0.1:{self.port}/socket"}

    _METHODS: dict[str, Callable[["FakeSlack", Json], Json]] = {  # noqa: RUF012  # never changed
        "auth.test": _auth_test,
        "chat.postMessage": _post,
        "chat.update": _update,
        "conversations.history": _history,
        "conversations.replies": _replies,
        "apps.connections.open": _open,
    }

    async def _command(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        trouble = self._next_trouble("commands")
        if trouble and not trouble.done:
            return self._broken(request, trouble)
        message: Json = await request.json()
        self.uses[name] = self.uses.get(name, 0) + 1
        shown = self.responses.setdefault(name, [])
        if self.uses[name] > 5 or wrong(message):  # noqa: PLR2004  # Slack's limit
            return web.Response(status=404, text="used_url")
        if message.get("replace_original"):
            shown.clear()
        shown.append(message)
        return self._broken(request, trouble) if trouble else web.Response(text="ok")

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        self.connections += 1
        await socket.send_str(json.dumps({"type": "hello", "num_connections": 1}))
        async for said in socket:
            if said.type == WSMsgType.TEXT:
                self.acknowledged.append(json.loads(said.data)["envelope_id"])
        return socket


def wrong(message: Json) -> str:
    """Return Slack's name of what is wrong with a message, "" if nothing is.

    https://docs.slack.dev/reference/block-kit/blocks gives the limits.
    """
    blocks = message.get("blocks", [])
    if not message.get("text") and not blocks:
        return "no_text"
    fits = len(blocks) <= 50 and all(map(_fits, blocks))  # noqa: PLR2004
    return "" if fits else "invalid_blocks"


def _fits(block: Json) -> bool:
    buttons = [*block.get("elements", ()), *filter(None, [block.get("accessory")])]
    names = [button["action_id"] for button in buttons]
    return (
        0 < len(block.get("text", {"text": "-"})["text"]) <= 3000  # noqa: PLR2004
        and len(block.get("block_id", "")) <= 255  # noqa: PLR2004
        and len(buttons) <= 25  # noqa: PLR2004
        and len(names) == len(set(names))
        and all(len(button.get("url", "")) <= 3000 for button in buttons)  # noqa: PLR2004
        and all(len(button.get("value", "")) <= 2000 for button in buttons)  # noqa: PLR2004
        and all(len(button["text"]["text"]) <= 75 for button in buttons)  # noqa: PLR2004
    )
