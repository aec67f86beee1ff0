"""Give up what a parser does not need: memory and time without end, files, the network.

What a system does not have is left out: the limits are those of Linux, most of them of every Unix.
"""

import ctypes
import os
import re
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_CLONE_NEWUSER = 0x10000000  # linux/sched.h
_CLONE_NEWNET = 0x40000000
_OPEN_FILES = 64


def confine(*, megabytes: int, parent: int) -> None:
    """Confine this process. Imports work still, files can be read, and none be written.

    Args:
        megabytes: Address space, of which the libraries alone map some hundred.
        parent: The process to end with.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, and ends it
    if sys.platform == "linux":
        system = ctypes.CDLL(None, use_errno=True)
        system.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before we could ask to be told
            os._exit(1)
        # a network of its own, with nothing in it; many systems do not let us
        system.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    with suppress(ImportError):
        import resource  # noqa: PLC0415 - not on Windows

        size = megabytes * 1_000_000
        for kind, most in (
            (resource.RLIMIT_AS, size),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_NOFILE, _OPEN_FILES),
        ):
            with suppress(ValueError, OSError):  # a lower limit was set from outside
                resource.setrlimit(kind, (most, most))


def allow(seconds: int) -> None:
    """Let this process have so many more seconds of processor time, and be killed then."""
    with suppress(ImportError):
        import resource  # noqa: PLC0415 - not on Windows

        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        wanted = int(time.process_time()) + seconds
        if most != resource.RLIM_INFINITY:
            wanted = min(wanted, most)
        resource.setrlimit(resource.RLIMIT_CPU, (wanted, most))


def worn(megabytes: int) -> bool:
    """Tell whether this process has used so much memory that a fresh one is the better."""
    return _most_used() > megabytes * 1_000_000 // 3


def _most_used() -> int:
    """Return the most bytes of memory that this process has held at once; 0 if that is unknown."""
    with suppress(OSError):
        # On Linux `ru_maxrss` counts what the process that started this one held
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        if found := re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE):
            return int(found[1]) * 1024
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return 0
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB, on macOS bytes
    return used * (1 if sys.platform == "darwin" else 1024)
