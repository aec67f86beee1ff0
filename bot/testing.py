"""What tests of the service need: the real application around a runtime they made."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.testclient import TestClient

from bot.app import create_app
from bot.runtime import Runtime

_SECONDS = 30


@contextmanager
def client_of(runtime: Runtime) -> Iterator[TestClient]:
    """Serve `runtime` and yield a client once it is loaded."""
    loaded = threading.Event()
    app = create_app(
        runtime.settings,
        open_runtime=lambda _settings: runtime,
        on_loaded=lambda _state: loaded.set(),
    )
    with TestClient(app) as client:
        if not loaded.wait(_SECONDS):
            message = f"not loaded after {_SECONDS} s"
            raise TimeoutError(message)
        yield client
