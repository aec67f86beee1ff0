"""A data folder that is changed by commands which are killed or run out of room.

Twenty documents are in it. A change adds fifty, replaces the twenty or deletes ten; whatever
happens on the way, the folder has to hold the old state or the new one.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from bot.runtime import Runtime
from bot.settings import Settings
from index.audit import audit

Change: TypeAlias = Literal["ingest", "replace", "delete"]
State: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""Hashes of the documents, and the answers to the questions."""

CHANGES: tuple[Change, ...] = ("ingest", "replace", "delete")
_HELD = 20
_ADDED = 50
_DELETED = 10
_ONE = "甲乙丙丁戊己庚辛壬癸"
_OTHER = "子丑寅卯辰巳午未申酉"
_SECONDS = 300
_MARK = "WENQU_BENCH_MARK"


@dataclass(frozen=True)
class Trial:
    """A folder to try in.

    Attributes:
        folder: Empty.
        open_runtime: Opens what the commands open; the model is shared.
        command: Runs `wenqu`.
    """

    folder: Path
    open_runtime: Callable[[Settings], Runtime]
    command: Sequence[str] = (str(Path(sys.executable).with_name("wenqu")),)

    @cached_property
    def base(self) -> Path:
        """The data folder as it is before every change."""
        _write(self.folder / "held", _HELD, "旧")
        _write(self.folder / "changed" / "held", _HELD, "新")
        _write(self.folder / "more", _ADDED, "多")
        data = self.folder / "base"
        argv = [*self.command, "ingest", "--data", str(data), "held"]
        subprocess.run(argv, cwd=self.folder, check=True, capture_output=True)  # noqa: S603  # our own command
        return data

    def argv(self, change: Change, data: Path) -> list[str]:
        """Return the command that makes a change to a data folder."""
        what = {
            "ingest": ["ingest", "--data", str(data), "more"],
            "replace": ["ingest", "--data", str(data), "held"],
            "delete": ["documents", "--data", str(data), "delete", *self._doomed],
        }
        return [*self.command, *what[change]]

    @property
    def data(self) -> Path:
        """Where copies are."""
        return self.folder.resolve() / "data"

    @cached_property
    def states(self) -> Mapping[Change | None, State]:
        """The state before, and after each change."""
        return {None: self.state(self.base), **{c: state for c, (state, _) in self._made.items()}}

    def seconds(self, change: Change) -> float:
        """Return how long a change takes."""
        return self._made[change][1]

    @cached_property
    def _made(self) -> Mapping[Change, tuple[State, float]]:
        found: dict[Change, tuple[State, float]] = {}
        for change in CHANGES:
            with self.copy("made") as data:  # others may have theirs
                started = time.monotonic()
                self.make(change, data)
                seconds = time.monotonic() - started
                found[change] = (self.state(data), seconds)
        return found

    def make(self, change: Change, data: Path, *, under: Sequence[str] = ()) -> None:
        """Make a change, undisturbed.

        Raises:
            subprocess.CalledProcessError: It failed.
        """
        status, said = self.attempt(change, data, under=under)
        if status:
            raise subprocess.CalledProcessError(status, change, said)

    def attempt(self, change: Change, data: Path, *, under: Sequence[str] = ()) -> tuple[int, str]:
        """Make a change, and return the status and what was said on stderr."""
        process = self.start(change, data, under=under, stderr=subprocess.PIPE)
        _, said = process.communicate(timeout=_SECONDS)
        return process.returncode, said.decode()

    def start(
        self,
        change: Change,
        data: Path,
        *,
        under: Sequence[str] = (),
        stderr: int = subprocess.DEVNULL,
    ) -> "subprocess.Popen[bytes]":
        """Begin a change in a group of processes of its own, which `marked` finds by `data`.

        Args:
            change: To be made.
            data: The data folder.
            under: A command that runs another, such as `strace`.
            stderr: Where that goes.
        """
        return subprocess.Popen(  # noqa: S603  # our own command
            [*under, *self.argv(change, data)],
            # documents are known by their relative path
            cwd=self.folder / "changed" if change == "replace" else self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
            env={**os.environ, _MARK: str(data)},
        )

    @contextmanager
    def copy(self, name: str = "data") -> Iterator[Path]:
        """Yield a fresh copy of the data folder, below `folder` by that name."""
        copied = self.data.with_name(name)
        shutil.rmtree(copied, ignore_errors=True)  # what was broken off before may be there
        shutil.copytree(self.base, copied)
        try:
            yield copied
        finally:
            shutil.rmtree(copied)

    def state(self, data: Path) -> State:
        """Return the state of a data folder.

        Raises:
            AssertionError: Index and documents do not fit.
            WenquError: The index cannot be opened.
        """
        with self.opened(data) as runtime:
            library, bot = runtime.library(), runtime.bot()
            if wrong := audit(library):
                raise AssertionError(wrong)
            digests = tuple(info.digest for info in library.documents())
            answers = tuple(bot.ask(question).text for question in _questions())
            return digests, answers

    def goes_on(self, data: Path) -> bool:
        """Whether the next change works, and leaves nothing of a change that was broken off."""
        with self.opened(data) as runtime:
            library = runtime.library()
            one = library.document(library.documents()[0].id)
            report = library.delete([one.id])
            report = library.ingest([one])
            present = library.generation()
        root = data / "index" / "default"
        left = {path.name for path in root.iterdir() if path.is_dir()}
        whole = present is not None and present.name in left and not report.repaired
        return whole and len(left) <= 2 and not any(name.startswith(".") for name in left)  # noqa: PLR2004  # it and the one before

    @contextmanager
    def opened(self, data: Path) -> Iterator[Runtime]:
        """Open a data folder."""
        runtime = self.open_runtime(Settings(data=data))
        try:
            yield runtime
        finally:
            runtime.close()

    @cached_property
    def _doomed(self) -> list[str]:
        if not (self.folder / "base").exists():
            return []
        with self.opened(self.folder / "base") as runtime:
            return [info.id for info in runtime.library().documents()][:_DELETED]


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process, not those that it has started: they have to end by themselves."""
    process.send_signal(signal.SIGKILL)
    process.wait(_SECONDS)


def marked(data: Path) -> list[int]:
    """Return the processes that changes of a data folder have started, and that are left."""
    found = []
    wanted = f"{_MARK}={data}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:  # it is gone, or not ours
            continue
    return found


def _names(letters: str, count: int) -> list[str]:
    return [letters[number % 10] + letters[number // 10] + letters[0] for number in range(count)]


def _write(folder: Path, count: int, what: str) -> None:
    folder.mkdir(parents=True)
    letters = _OTHER if what == "多" else _ONE
    for number, name in enumerate(_names(letters, count)):
        text = (
            f"# {name}塔\n\n{name}塔高{100 + number}{'尺' if what == '旧' else '丈'}，"
            f"{name}塔建于{1900 + number}年。\n\n## 来历\n\n"
            + f"{name}塔在{what}城的{'东西南北'[number % 4]}边，用{what}石砌成。"
            * 12
        )
        (folder / f"{name}.md").write_text(text, encoding="utf-8")


def _questions() -> list[str]:
    return [f"{name}塔有多高？" for name in _names(_ONE, _HELD)]
