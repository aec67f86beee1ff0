"""Run a parser that a hostile file could harm in a process of its own, under limits."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from corpus.errors import UnreadableSourceError

_WORKER = Path(__file__).with_name("worker.py")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a parser may use.

    Attributes:
        megabytes: Address space, of which the libraries alone map some hundred.
        seconds: Processor time.
        wall_seconds: Time on the clock.
    """

    megabytes: int = 1500
    seconds: int = 120
    wall_seconds: float = 240


def parse(
    kind: Literal["docx", "pdf"], data: bytes, source: str, *, limits: Limits | None = None
) -> dict[str, Any]:
    """Parse `data` in a child process.

    Returns:
        What `read_docx` or `read_pdf` of `corpus.readers.worker` gives.

    Raises:
        UnreadableSourceError: The file was refused, or the parser broke a limit or crashed.
    """
    limits = limits or Limits()
    command = [sys.executable, "-P", str(_WORKER), kind, str(limits.megabytes), str(limits.seconds)]
    try:
        run = subprocess.run(  # noqa: S603 - our own file, with fixed arguments
            command, input=data, capture_output=True, check=False, timeout=limits.wall_seconds
        )
    except subprocess.TimeoutExpired as error:
        reason = f"reading it takes more than {limits.wall_seconds} seconds"
        raise UnreadableSourceError(source, reason, trouble="too_large") from error
    if run.returncode:
        raise UnreadableSourceError(source, _why(run.returncode, limits), trouble="too_large")
    answer: dict[str, Any] = json.loads(run.stdout)
    if "trouble" in answer:
        raise UnreadableSourceError(source, answer["reason"], trouble=answer["trouble"])
    return answer


def _why(returncode: int, limits: Limits) -> str:
    end = f"signal {-returncode}" if returncode < 0 else f"code {returncode}"
    return (
        f"its parser ended with {end}: it crashed, or needs more than {limits.seconds} seconds "
        f"or {limits.megabytes} MB"
    )
