"""API keys: who may do what over HTTP, and in which collections.

A key reads `wq_`, an id, `_` and 256 random bits. It is shown once; what is kept is its SHA-256,
which needs no salt and no slow hash: nobody tries out 2^256 keys. The id is no secret and tells
which row to compare with.
"""

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

from sqlalchemy import JSON, String, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from bot.errors import KeyNotFoundError
from index.database import Base, Database, now, stamp

Scope: TypeAlias = Literal["ask", "ingest", "admin"]
KeyState: TypeAlias = Literal["active", "expired", "revoked"]

PREFIX = "wq_"
"""Tells a key from any other secret, for us and for those who look for leaked ones."""
FORM = re.compile(r"wq_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
FRESH_SECONDS = 2.0
"""So long the keys are not read again: the time in which a revoked one may still be good."""
NOTED = timedelta(minutes=1)
"""Uses of a key that are closer together than this are not written down again."""


class KeyRow(Base):
    """A key; times are UTC. Rows stay when keys end: whoever had keys is not open again."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[Scope]] = mapped_column(JSON)
    collections: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[str] = mapped_column(String(32))
    expires_at: Mapped[str | None] = mapped_column(String(32))
    revoked_at: Mapped[str | None] = mapped_column(String(32))
    used_at: Mapped[str | None] = mapped_column(String(32))


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is known here, without what opens the door.

    Attributes:
        id: Public.
        name: Given by whoever made it.
        digest: SHA-256 of the key, in hexadecimal.
        scopes: What it is for.
        collections: The only ones it is good for; all if there are none.
        created_at: UTC, ISO 8601, like the others.
        expires_at: None if never.
        revoked_at: None if it was not.
        used_at: About when it was used last; None if it never was.
    """

    id: str
    name: str
    digest: str = field(repr=False)
    scopes: tuple[Scope, ...]
    collections: tuple[str, ...]
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None
    used_at: str | None = None

    @property
    def shown(self) -> str:
        """What may be printed of it."""
        return f"{PREFIX}{self.id}_…"

    def state(self, at: str) -> KeyState:
        """Return whether it is good at a time, as `index.database.now` tells it."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= at else "active"


class Keyring:
    """The keys of a database at one moment."""

    def __init__(self, keys: Sequence[Key]) -> None:
        """Hold `keys`, those that have ended as well."""
        self._keys: Mapping[str, Key] = {key.id: key for key in keys}
        self.scopes: frozenset[Scope] = frozenset(scope for key in keys for scope in key.scopes)
        """Of all of them: what needs a key since there has been one for it."""

    def find(self, token: str) -> Key | None:
        """Return the key that `token` is, whether it is still good or not; None if it is none."""
        form = FORM.fullmatch(token)
        key = self._keys.get(form[1]) if form else None
        same = hmac.compare_digest(digest(token), key.digest if key else digest(""))
        return key if same else None


class Keys:
    """The keys in a database. Safe to use from many threads and processes."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`; none is read before it is asked for."""
        self._database = database
        self._ring: Keyring | None = None
        self._read_at = 0.0
        self._reading = threading.Lock()
        self._noted: dict[str, str] = {}

    def add(
        self,
        name: str,
        scopes: Sequence[Scope],
        collections: Sequence[str] = (),
        *,
        days: int | None = None,
    ) -> tuple[Key, str]:
        """Make a key, and return it with what is sent: the only time that this is known.

        Args:
            name: For people.
            scopes: What it is for; `admin` implies all others.
            collections: The only ones it is good for; all if there are none.
            days: That it is good for; for ever if None.
        """
        key_id = secrets.token_hex(6)
        token = f"{PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
        end = None if days is None else stamp(datetime.now(UTC) + timedelta(days=days))
        row = KeyRow(
            id=key_id,
            name=name,
            digest=digest(token),
            scopes=list(scopes),
            collections=list(collections),
            created_at=now(),
            expires_at=end,
        )
        key = _key(row)
        with self._database.write() as session:
            session.add(row)
        self._forget()
        return key, token

    def all(self) -> tuple[Key, ...]:
        """Return every key there ever was, oldest first."""
        query = select(KeyRow).order_by(KeyRow.created_at, KeyRow.id)
        with self._database.read() as session:
            return tuple(map(_key, session.scalars(query)))

    def revoke(self, key_id: str) -> Key:
        """End a key: here at once, in other processes within `FRESH_SECONDS`.

        Raises:
            KeyNotFoundError: There is none of that id.
        """
        with self._database.write() as session:
            row = session.get(KeyRow, key_id)
            if row is None:
                raise KeyNotFoundError(key_id)
            row.revoked_at = row.revoked_at or now()
            key = _key(row)
        self._forget()
        return key

    @property
    def known(self) -> Keyring | None:
        """What was read a moment ago; None if it has to be read again."""
        is_fresh = time.monotonic() - self._read_at < FRESH_SECONDS
        return self._ring if is_fresh else None

    def ring(self) -> Keyring:
        """Return the keys of now, or of a moment ago; asks the database at most so often.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: It does not answer.
        """
        with self._reading:
            ring = self.known
            if ring is None:
                at = time.monotonic()  # before it is read: it may change meanwhile
                self._ring = ring = Keyring(self.all())
                self._read_at = at
            return ring

    def _forget(self) -> None:
        with self._reading:  # not while what was true before is being read
            self._ring = None

    def is_to_be_noted(self, key: Key) -> bool:
        """Whether it was not used for so long that its use is written down; true once then."""
        at = datetime.now(UTC)
        last = max(key.used_at or "", self._noted.get(key.id, ""))
        if last > stamp(at - NOTED):
            return False
        self._noted[key.id] = stamp(at)
        return True

    def note_use(self, key: Key) -> None:
        """Write down that a key is being used, unless another process has just done so."""
        at = datetime.now(UTC)
        long_ago = or_(KeyRow.used_at.is_(None), KeyRow.used_at <= stamp(at - NOTED))
        change = update(KeyRow).where(KeyRow.id == key.id, long_ago).values(used_at=stamp(at))
        with self._database.write() as session:
            session.execute(change)


def digest(token: str) -> str:
    """Return what is kept of a key."""
    return hashlib.sha256(token.encode()).hexdigest()


def _key(row: KeyRow) -> Key:
    values = {name: getattr(row, name) for name in Key.__dataclass_fields__}
    lists = {name: tuple(values[name]) for name in ("scopes", "collections")}
    return Key(**{**values, **lists})
