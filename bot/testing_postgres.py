"""A PostgreSQL server of one's own for tests: made in a temporary folder, started, killed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Self

from sqlalchemy import create_engine, make_url, text

from index.database import Database

_SERVANTS = ("postgres", "nobody")
"""Users that may run a server where root may not."""
_FAST = {
    "fsync": "off",  # a test does not pull the plug, it kills processes
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "''",
    "max_connections": "200",
}
_AS_IN_CHINA = ("-N", "-E", "UTF8", "--locale-provider=icu", "--icu-locale=zh-Hans-CN")
"""Orders text in another way than SQLite does: what leans on an order shows."""


class NoClusterError(Exception):
    """There is no PostgreSQL here, or nobody who may run it; the message says which."""


class Cluster:
    """A server with its files, for the time of a `with` block.

    Attributes:
        folder: Of its files and of the socket by which it is reached.
    """

    def __init__(self) -> None:
        """Find the programs.

        Raises:
            NoClusterError: They are not here.
        """
        found = {name: _program(name) for name in ("initdb", "pg_ctl")}
        missing = [name for name, path in found.items() if path is None]
        if missing:
            message = f"no PostgreSQL server: {', '.join(missing)} not found"
            raise NoClusterError(message)
        self._programs = {name: str(path) for name, path in found.items()}
        self._user = _servant() if os.geteuid() == 0 else None
        self._numbers = count(1)
        self.folder = Path()

    def __enter__(self) -> Self:
        """Make the files and start the server."""
        self.folder = Path(tempfile.mkdtemp(prefix="wenqu-pg-"))
        if self._user:
            shutil.chown(self.folder, self._user)
        self._run("initdb", "-D", self._data, "-U", "wenqu", "-A", "trust", *_AS_IN_CHINA)
        self.start()
        Database(self.url("template1")).close()  # every new database begins with the tables
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server and remove its files."""
        with suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://wenqu@/{name}?host={self.folder}"

    def create(self, template: str = "template1") -> str:
        """Make a database with the tables in it, or without (`template0`); return its URL."""
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        name = make_url(url).database
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def start(self) -> None:
        """Start the server and wait until it can be reached."""
        settings = " ".join(f"-c {name}={value}" for name, value in _FAST.items())
        options = f"{settings} -k {self.folder}"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", self._data, "-w", "-l", log, "-o", options, "start")

    def kill(self) -> None:
        """End the server and its children at once, as a power cut would."""
        pid = self._pid()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        for process in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        # a dead process that nobody has waited for still has its number: it would seem to run
        for left in (Path(self._data) / "postmaster.pid", *self.folder.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)

    def _pid(self) -> int:
        lines = (Path(self._data) / "postmaster.pid").read_text(encoding="utf-8").split()
        return int(lines[0])

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _execute(self, statement: str) -> None:
        engine = create_engine(
            self.url("postgres").replace("postgresql:", "postgresql+psycopg:"),
            isolation_level="AUTOCOMMIT",
        )
        with engine.connect() as connection:
            connection.execute(text(statement))
        engine.dispose()

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(  # noqa: S603  # arguments of our own
            [self._programs[program], *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.folder,
            user=self._user,
            group=pwd.getpwnam(self._user).pw_gid if self._user else None,
            extra_groups=[] if self._user else None,
        )


def _program(name: str) -> str | None:
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(debian[-1]) if debian else None)


def _servant() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in _SERVANTS:
        if name in known:
            return name
    message = f"PostgreSQL does not run as root, and none of {', '.join(_SERVANTS)} is a user here"
    raise NoClusterError(message)
