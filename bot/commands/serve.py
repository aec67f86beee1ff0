"""`wenqu serve`: the HTTP service."""

import errno
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bot.commands.options import configured, parser_for
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.api.state import State

_UNUSABLE = 2
_FILES_BESIDE = 256
"""That are open beside the connections: the index, the database, what is uploaded."""


def run(argv: Sequence[str]) -> int:
    """Serve until stopped; SIGTERM and Ctrl-C let what was begun finish, within 25 seconds."""
    parser = parser_for("serve", "启动服务。")
    parser.add_argument("--host", metavar="地址", help="监听地址，默认 127.0.0.1")
    parser.add_argument("--port", type=int, metavar="端口", help="监听端口，默认 8000")
    parser.add_argument(
        "--open", dest="open_access", action="store_const", const=True,
        help="对外的服务没有提问密钥时，任何人都可以提问",
    )  # fmt: skip
    options = parser.parse_args(argv)
    options.collection = options.chosen
    settings = configured(options).settings
    try:
        listening = bind(settings.host, settings.port)
    except OSError as error:
        print(f"wenqu: {_refused(settings, error)}", file=sys.stderr)
        return 1
    with listening:
        from bot.commands.outside import may_serve  # noqa: PLC0415  # once the port is ours

        if not may_serve(settings, listening.getsockname()[0]):
            return _UNUSABLE
        return _serve(settings, listening)


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address, so that a port in use is told before all else.

    Raises:
        OSError: The address is unknown, in use or not allowed.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
    except OSError:
        listening.close()
        raise
    return listening


def url_of(listening: socket.socket) -> str:
    """Return the address that a person opens."""
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host)  # noqa: S104  # only compared
    return f"http://{shown or (f'[{host}]' if ':' in host else host)}:{port}"


def _refused(settings: Settings, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"端口 {settings.port} 已被占用。换一个端口：wenqu serve --port {settings.port + 1}"
    return f"不能监听 {settings.host}:{settings.port}：{error.strerror}。"


def _serve(settings: Settings, listening: socket.socket) -> int:
    from bot.api.server import Server  # noqa: PLC0415  # after the options are right
    from bot.app import create_app  # noqa: PLC0415  # likewise
    from bot.commands.announce import announce  # noqa: PLC0415  # likewise
    from bot.logs import set_up  # noqa: PLC0415  # likewise

    set_up(settings, sys.stderr)
    _allow_files(settings.connections + _FILES_BESIDE)
    status = 0

    def loaded(state: "State") -> None:
        nonlocal status
        status = announce(state, url_of(listening))
        server.should_exit = bool(status)

    app = create_app(settings, on_loaded=loaded)
    server = Server(app)
    for number in (signal.SIGTERM, signal.SIGINT):  # for those that come when it has ended
        signal.signal(number, lambda *_: None)
    server.run(sockets=[listening])
    if _is_at_work(app.state.wenqu):
        _leave(status)
    return status


def _allow_files(wanted: int) -> None:
    """Have the system allow that many open files, or as many as it will."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _is_at_work(state: "State", seconds: float = 1) -> bool:
    """Whether a thread goes on though the server has ended."""
    until = time.monotonic() + seconds
    helpers = [each for each in threading.enumerate() if each.name.startswith("AnyIO")]
    for thread in helpers:  # they have been told to end, and need a moment
        thread.join(max(until - time.monotonic(), 0))
    busy = state.workers.busy or state.changes.busy or state.probes.busy
    return bool(busy) or any(thread.is_alive() for thread in helpers)


def _leave(status: int) -> None:
    """End without the threads whose work does not end: Python would wait for them for ever.

    Nothing is lost by that: a transaction that is not committed has not happened.
    """
    logging.getLogger("wenqu").warning("work that does not end is left where it is")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
