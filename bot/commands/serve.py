"""`wenqu serve`: the HTTP service."""

import errno
import signal
import socket
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING

from bot.commands.options import configured, parser_for
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.api.state import State

_OPEN = "wenqu: 注意：没有访问密钥，能连到这个地址的人都可以提问。"
_CLOSED = "wenqu: 没有设置 admin_key，所以管理页、上传和删除文档都已关闭。"
GRACE_SECONDS = 25
"""After a signal to stop, running answers may take that long to finish."""


def run(argv: Sequence[str]) -> int:
    """Serve until stopped; SIGTERM and Ctrl-C let running answers finish."""
    parser = parser_for("serve", "启动服务。")
    parser.add_argument("--host", metavar="地址", help="监听地址，默认 127.0.0.1")
    parser.add_argument("--port", type=int, metavar="端口", help="监听端口，默认 8000")
    options = parser.parse_args(argv)
    options.collection = options.chosen
    settings = configured(options).settings
    try:
        listening = bind(settings.host, settings.port)
    except OSError as error:
        print(f"wenqu: {_refused(settings, error)}", file=sys.stderr)
        return 1
    if not ip_address(listening.getsockname()[0]).is_loopback:
        print(_OPEN, file=sys.stderr)
        if not settings.admin_key.get_secret_value():
            print(_CLOSED, file=sys.stderr)
    with listening:
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
    import uvicorn  # noqa: PLC0415  # after the options are right and the port is ours

    from bot.app import create_app  # noqa: PLC0415
    from bot.commands.announce import announce  # noqa: PLC0415
    from bot.logs import set_up  # noqa: PLC0415

    set_up(settings.log_level, sys.stderr)
    status = 0

    def loaded(state: "State") -> None:
        nonlocal status
        status = announce(state, url_of(listening))
        server.should_exit = bool(status)

    # The object, not the string "bot.app:...": a bot.py in the user's folder would win over ours.
    config = uvicorn.Config(
        create_app(settings, on_loaded=loaded),
        log_config=None,
        access_log=False,  # it would write the questions of /api/search
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    # uvicorn stops by itself and then raises the signal once more, for whoever else waits
    signal.signal(signal.SIGTERM, lambda *_: None)
    server.run(sockets=[listening])
    return status
