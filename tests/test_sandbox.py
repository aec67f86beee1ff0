import io
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import Buffer

from corpus.document import Document, Section
from corpus.errors import ParserError, UnreadableSourceError
from corpus.origin import Origin
from corpus.read import read, read_bytes
from corpus.readers.frames import Incoming, found_json, found_of, origin_json, origin_of, put, take
from corpus.readers.sandbox import Limits, Sandbox
from corpus.readers.worker import serve

ROOT = Path(__file__).parents[1]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not hold to it")
# Markdown that takes seconds: what a limit has to stop is slow on any machine
SLOW = b"![" * 300_000


def errors(data: bytes, name: str, sandbox: Sandbox) -> list[UnreadableSourceError]:
    found = list(read_bytes(data, name, sandbox=sandbox))
    return [each for each in found if isinstance(each, UnreadableSourceError)]


def texts(data: bytes, name: str, sandbox: Sandbox) -> list[str]:
    found = read_bytes(data, name, sandbox=sandbox)
    return [each.text for each in found if isinstance(each, Document)]


_FOREIGN: set[int] = set()


@pytest.fixture(autouse=True)
def foreign() -> Iterator[None]:
    """Leave out the servers that other tests of this process keep running."""
    _FOREIGN.update(children())
    yield
    _FOREIGN.clear()


def children() -> list[int]:
    """Processes that this one started and that are still there, as the system counts them."""
    task = Path(f"/proc/{os.getpid()}/task")
    found = [int(pid) for each in task.iterdir() for pid in (each / "children").read_text().split()]
    return [pid for pid in found if pid not in _FOREIGN]


@LINUX
@pytest.mark.parametrize(
    ("limits", "data", "says"),
    [
        (Limits(seconds=1), SLOW, "signal 24: it crashed, or needs more than 1 seconds"),
        (Limits(wall_seconds=0.3), SLOW, r"takes more than 0\.3 seconds"),
        (Limits(answer_bytes=1000), b"x" * 2000, "comes to more than 1000 bytes"),
        (Limits(megabytes=150), b"<p>x" * 1_200_000, "150 MB"),
    ],
)
def test_a_file_that_wants_too_much_is_told_so_and_the_next_one_is_read(
    limits: Limits, data: bytes, says: str
) -> None:
    with Sandbox(limits) as sandbox:
        (error,) = errors(data, "a.md", sandbox)
        assert (error.source, error.trouble) == ("a.md", "too_large")
        with pytest.raises(UnreadableSourceError, match=says):
            raise error
        if limits.wall_seconds > 1:
            assert texts("文。".encode(), "b.md", sandbox) == ["文。"]
    assert children() == []


@LINUX
def test_a_child_that_is_killed_costs_one_file() -> None:
    with Sandbox() as sandbox:
        assert texts(b"a", "a.txt", sandbox) == ["a"]
        (first,) = children()
        os.kill(first, signal.SIGSEGV)
        (error,) = errors(b"b", "b.txt", sandbox)
        assert "signal 11" in error.reason
        assert texts(b"c", "c.txt", sandbox) == ["c"]
        assert children() != [first]
    assert children() == []


@LINUX
@pytest.mark.parametrize("held", [0, 600_000_000])
def test_one_child_reads_file_after_file(held: int) -> None:
    ballast = bytearray(b"x") * held  # of ours, which says nothing about the child
    with Sandbox() as sandbox:
        seen = set()
        for number in range(20):
            assert texts(b"%d" % number, "a.txt", sandbox) == [str(number)]
            seen |= set(children())
        assert len(seen) == 1
    assert len(ballast) == held


@LINUX
def test_a_reading_that_nobody_finishes_leaves_no_process() -> None:
    lines = b'{"text": "a"}\n' * 100_000
    with Sandbox() as sandbox:
        found = read_bytes(lines, "a.jsonl", sandbox=sandbox)
        assert isinstance(next(found), Document)
        found.close()  # type: ignore[attr-defined]  # it is a generator
        assert children() == []
        assert texts(b"b", "b.txt", sandbox) == ["b"]


@LINUX
def test_the_child_ends_with_the_process_that_started_it() -> None:
    script = """
        import os, sys
        from corpus.read import read_bytes
        from corpus.readers.sandbox import Sandbox
        sandbox = Sandbox()
        list(read_bytes(b"a", "a.txt", sandbox=sandbox))
        print(sandbox._idle._process.pid, flush=True)
        list(read_bytes(b'![' * 2_000_000, "a.md", sandbox=sandbox))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        time.sleep(0.3)  # it parses, and looks at nothing else
        parent.kill()
        parent.wait()
        until = time.monotonic() + 10
        while _lives(child) and time.monotonic() < until:
            time.sleep(0.02)
        assert not _lives(child)


def _lives(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


CONFINED = """
import os, socket, sys
from corpus.readers.confine import allow, confine
confine(megabytes=1500, parent=os.getppid())
allow(5)
"""


def confined(code: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", CONFINED + textwrap.dedent(code)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout.strip() or run.stderr.strip().splitlines()[-1]


@LINUX
def test_a_confined_process_writes_no_file_and_opens_few(tmp_path: Path) -> None:
    assert "File too large" in confined(f"open({str(tmp_path / 'a')!r}, 'w').write('x' * 9999)")
    assert "Too many open files" in confined("kept = [open('/dev/null') for _ in range(99)]")
    assert "MemoryError" in confined("bytes(2_000_000_000)")
    assert not (tmp_path / "a").exists() or (tmp_path / "a").stat().st_size == 0


@LINUX
def test_a_confined_process_has_no_network() -> None:
    may = subprocess.run(
        ["unshare", "--user", "--net", "true"], capture_output=True, check=False
    ).returncode
    if may != 0:
        pytest.skip("this system lets nobody leave its network")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        said = confined(f"socket.create_connection(('127.0.0.1', {port}), 2)")
    assert "Network is unreachable" in said


@LINUX
def test_a_parser_knows_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WENQU_ADMIN_KEY", "canary-5f3a")
    monkeypatch.setenv("HTTPS_PROXY", "http://canary-5f3a")
    monkeypatch.setenv("LANG", "C.UTF-8")
    with Sandbox() as sandbox:
        assert texts(b"a", "a.txt", sandbox) == ["a"]
        (child,) = children()
        environment = Path(f"/proc/{child}/environ").read_bytes()
    assert b"canary" not in environment
    assert b"LANG=C.UTF-8" in environment


def test_a_python_that_cannot_be_started_is_not_the_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    (tmp_path / "a.txt").write_bytes(b"a")
    with pytest.raises(ParserError, match="No such file"):
        list(read(tmp_path / "a.txt"))


class Broken(io.RawIOBase):
    """A file on a disk that fails after its first line."""

    def __init__(self) -> None:
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        self._read += 1
        if self._read > 1:
            raise OSError(5, "Input/output error")
        line = b'{"text": "a"}\n'
        memoryview(buffer)[: len(line)] = line
        return len(line)


def test_a_disk_that_fails_is_told() -> None:
    with Sandbox() as sandbox:
        origin = Origin("a.jsonl", "jsonl")
        with pytest.raises(OSError, match="Input/output"):
            list(sandbox.documents_of(io.BufferedReader(Broken()), origin))
        assert texts(b"b", "b.txt", sandbox) == ["b"]


# In this process: the lines of a child are not counted.


def served(*sources: tuple[Origin, list[bytes]], megabytes: int = 10_000) -> list[object]:
    incoming, outgoing = io.BytesIO(), io.BytesIO()
    for origin, pieces in sources:
        put(incoming, origin_json(origin))
        for piece in [*pieces, b""]:
            put(incoming, piece)
    incoming.seek(0)
    renewed: list[None] = []
    serve(incoming, outgoing, megabytes, lambda: renewed.append(None))
    outgoing.seek(0)
    found: list[object] = []
    while outgoing.tell() < len(outgoing.getvalue()):
        said = json.loads(take(outgoing))
        found.append(said["worn"] if "worn" in said else found_of(said))
    assert len(renewed) >= len(sources)
    return found


def test_a_worker_answers_source_after_source() -> None:
    lines = [b'{"text": "\xe4\xb8', b'\x80"}\n{"te', b'xt": "b"}\n{', b"}"]
    found = served(
        (Origin("a.txt", "text"), ["一。".encode()]),
        (Origin("b.jsonl", "jsonl"), lines),
        (Origin("c.txt", "text", max_bytes=1), [b"cc", b"cc"]),
        (Origin("d.pdf", "pdf"), [b"%PDF-1.7"]),
    )
    first, worn, one, two, bad, _, large, _, damaged, _ = found
    assert isinstance(first, Document)
    assert (first.text, worn) == ("一。", False)
    assert [getattr(each, "text", "") for each in (one, two)] == ["一", "b"]
    assert str(bad) == ("cannot read b.jsonl: line 3: expected text to be a string, found nothing")
    assert getattr(large, "trouble", "") == "too_large"
    assert getattr(damaged, "trouble", "") == "damaged"


def test_a_worker_goes_on_after_what_nobody_foresaw() -> None:
    found = served(
        (Origin("a.txt", "text", max_bytes=10**15), [b"a"]),  # no machine has so much memory
        (Origin("b.txt", "text", max_bytes=10**30), [b"b"]),  # nor so large a number
        (Origin("c.txt", "text"), [b"c"]),
    )
    memory, full, bug, worn, good, _ = found
    assert isinstance(memory, UnreadableSourceError)
    assert (memory.trouble, memory.reason, full) == (
        "too_large",
        "needs more than 10000 MB of memory",
        True,
    )
    assert isinstance(bug, UnreadableSourceError)
    assert (bug.trouble, bug.reason.partition(":")[0], worn) == ("damaged", "OverflowError", False)
    assert isinstance(good, Document)


@pytest.mark.skipif(sys.platform == "win32", reason="it does not tell the memory of a process")
def test_a_worker_that_has_used_a_third_of_its_memory_says_so() -> None:
    assert served((Origin("a.txt", "text"), [b"a"]), megabytes=10)[-1] is True
    assert served((Origin("a.txt", "text"), [b"a"]), megabytes=100_000)[-1] is False


def test_documents_and_errors_come_through_as_they_are() -> None:
    document = Document(
        "甲", "题", "一\n\n𠮷", "a#1", {"k": "值"}, (Section("一", level=1, start=0, end=4),)
    )
    error = UnreadableSourceError("a", "原因", trouble="locked")
    assert found_of(json.loads(found_json(document))) == document
    came = found_of(json.loads(found_json(error)))
    assert isinstance(came, UnreadableSourceError)
    assert (came.source, came.reason, came.trouble) == ("a", "原因", "locked")
    origin = Origin("源", "html", 7, "gbk", "big5")
    assert origin_of(origin_json(origin)) == origin


def test_a_message_is_whole_or_nothing() -> None:
    stream = io.BytesIO()
    put(stream, b"abc")
    for cut in range(len(stream.getvalue())):
        with pytest.raises(EOFError):
            take(io.BytesIO(stream.getvalue()[:cut]))
    with pytest.raises(OverflowError, match="3 bytes, at most 2"):
        take(io.BytesIO(stream.getvalue()), 2)
    assert take(io.BytesIO(stream.getvalue()), 3) == b"abc"
    put(stream, b"")
    put(stream, b"next")
    stream.seek(0)
    incoming = io.BufferedReader(Incoming(stream))
    assert incoming.read() == b"abc"
    assert incoming.read() == b""
    assert take(stream) == b"next"
