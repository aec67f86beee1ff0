"""How far long work has come, on stderr: bars on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from index.embed import Progress

_STAGES = {
    "read": "读取文档",
    "chunk": "切分段落",
    "embed": "计算嵌入",
    "write": "写入索引",
    "model": "准备嵌入模型（只需一次）",
}
_EVERY_SECONDS = 5.0


@contextmanager
def shown_on(stream: TextIO) -> Iterator[Progress]:
    """Show the progress that is told inside the block on `stream`."""
    if not stream.isatty():
        yield _Lines(stream)
        return
    from rich import console, progress  # noqa: PLC0415  # 0.2 s, for terminals only

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TimeElapsedColumn(),
    )
    with progress.Progress(*columns, console=console.Console(file=stream)) as bars:
        tasks = {}

        def told(stage: str, share: float) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(_STAGES.get(stage, stage), total=1.0)
            bars.update(tasks[stage], completed=share)

        yield told


class _Lines:
    """Writes a line every few seconds: nothing at all for work that is done by then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._written = time.monotonic()

    def __call__(self, stage: str, share: float) -> None:
        if time.monotonic() - self._written >= _EVERY_SECONDS:
            print(f"{_STAGES.get(stage, stage)} {share:.0%}", file=self._stream, flush=True)
            self._written = time.monotonic()
