"""Run a parser that a hostile file could harm in a process of its own, under limits."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from corpus.errors import UnreadableSourceError

_WORKER = Path(__file__).with_name("worker.py")
_MAX_MEGABYTES = 1_500  # of address space, of which the libraries alone map some hundred
_MAX_SECONDS = 120


def parse(kind: Literal["docx", "pdf"], data: bytes, source: str) -> dict[str, Any]:
    """Parse `data` in a child process.

    Returns:
        What `read_docx` or `read_pdf` of `corpus.readers.worker` gives.

    Raises:
        UnreadableSourceError: The file was refused, or the parser broke a limit or crashed.
    """
    limits = (str(_MAX_MEGABYTES), str(_MAX_SECONDS))
    command = [sys.executable, "-P", str(_WORKER), kind, *limits]
    try:
        run = subprocess.run(  # noqa: S603 - our own file, with fixed arguments
            command, input=data, capture_output=True, check=False, timeout=2 * _MAX_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        reason = f"reading it takes more than {2 * _MAX_SECONDS} seconds"
        raise UnreadableSourceError(source, reason, trouble="too_large") from error
    if run.returncode:
        raise UnreadableSourceError(source, _why(run.returncode), trouble="too_large")
    answer: dict[str, Any] = json.loads(run.stdout)
    if "trouble" in answer:
        raise UnreadableSourceError(source, answer["reason"], trouble=answer["trouble"])
    return answer


def _why(returncode: int) -> str:
    if returncode < 0:
        return (
            f"its parser was ended by signal {-returncode}: it crashed, or needs more than "
            f"{_MAX_SECONDS} seconds or {_MAX_MEGABYTES} MB"
        )
    return f"its parser ended with code {returncode}"
