"""Sources and their write keys: making, rotating, and recognising the key in a request.

A key is 192 random bits, shown once and stored as its SHA-256: nobody can guess from the hash what has no structure,
so no slow hash is needed where every request is checked. Found keys are remembered briefly, so a revoked one ends
within seconds.
"""

import hashlib
import re
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection, Connection
from psycopg.errors import UniqueViolation

from cdp.db.statements import load_statements
from cdp.errors import Conflict, InvalidField, NotFound

STATEMENTS: Final = load_statements("cdp.ingest")

REMEMBERED_SECONDS: Final = 15.0
"""How long a key found, or not found, is believed; also how long a revoked key may still be taken."""
MOST_REMEMBERED: Final = 10_000

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_NAMESPACE: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


class SourceExists(Conflict):
    """There is a source named {name} already."""

    name: str


class SourceNotFound(NotFound):
    """There is no source named {name}."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSource:
    """The source behind a write key."""

    source_id: UUID
    allowed_origins: frozenset[str]
    expires_at: datetime | None = None

    def allows(self, origin: str) -> bool:
        """Whether a browser page of this origin may post; `*` in the list allows all."""
        return "*" in self.allowed_origins or origin in self.allowed_origins


class CreatedSource(NamedTuple):
    """A new source and its write key, which is told here and never again."""

    source_id: UUID
    write_key: str


def create_source(
    connection: Connection[Any],
    name: str,
    *,
    channel: str = "web",
    division: str | None = None,
    location: str | None = None,
    identifier_namespace: str | None = None,
    default_region: str | None = None,
    allowed_origins: tuple[str, ...] = (),
    verified: bool = False,
) -> CreatedSource:
    """Make a source with its first write key. The caller commits.

    `identifier_namespace`, of the source's own customer keys, defaults to the name, e.g. `web-shop` → `web_shop_id`.
    Raises SourceExists, InvalidField.
    """
    if not _NAME.fullmatch(name):
        raise InvalidField(field="name", problem="must be small letters, digits, dots, dashes and underscores.")
    namespace = identifier_namespace or re.sub(r"[^a-z0-9]+", "_", name).strip("_") + "_id"
    if not _NAMESPACE.fullmatch(namespace):
        raise InvalidField(field="identifier_namespace", problem="must be a small word, e.g. crm_id.")
    given = {
        "name": name,
        "channel": channel,
        "division": division,
        "location": location,
        "identifier_namespace": namespace,
        "default_region": default_region,
        "allowed_origins": list(allowed_origins),
        "verified": verified,
    }
    try:
        with connection.transaction():
            row = connection.execute(STATEMENTS["put_source"], given).fetchone()
    except UniqueViolation:
        raise SourceExists(name=name) from None
    assert row is not None  # noqa: S101 — INSERT … RETURNING
    return CreatedSource(row[0], add_write_key(connection, row[0]))


def add_write_key(connection: Connection[Any], source_id: UUID) -> str:
    """Another write key for a source."""
    key = f"wk_{secrets.token_urlsafe(24)}"
    connection.execute(STATEMENTS["put_write_key"], {"key_hash": _hash(key), "source_id": source_id, "hint": key[-4:]})
    return key


def rotate_write_key(connection: Connection[Any], name: str, *, overlap: timedelta = timedelta(days=7)) -> str:
    """A new write key for a source; its former keys go on for `overlap`. Raises SourceNotFound."""
    row = connection.execute(STATEMENTS["source_named"], {"name": name}).fetchone()
    if row is None:
        raise SourceNotFound(name=name)
    connection.execute(STATEMENTS["end_write_keys"], {"source_id": row[0], "overlap": overlap})
    return add_write_key(connection, row[0])


class KeyRing:
    """Recognises write keys, remembering each answer for a few seconds; the least recently asked is forgotten first."""

    def __init__(self, *, remembered_seconds: float = REMEMBERED_SECONDS) -> None:
        self._remembered_seconds = remembered_seconds
        self._known: OrderedDict[bytes, tuple[float, KnownSource | None]] = OrderedDict()

    def remembered(self, key: str) -> tuple[bool, KnownSource | None]:
        """Whether the answer is remembered, and it."""
        entry = self._known.get(_hash(key))
        if entry is None or entry[0] < time.monotonic():
            return False, None
        source = entry[1]
        if source is not None and source.expires_at is not None and source.expires_at <= datetime.now(UTC):
            return True, None
        return True, source

    async def look_up(self, connection: AsyncConnection[Any], key: str) -> KnownSource | None:
        """Ask the database, and remember."""
        hashed = _hash(key)
        cursor = await connection.execute(STATEMENTS["source_of_key"], {"key_hash": hashed})
        row = await cursor.fetchone()
        source = KnownSource(source_id=row[0], allowed_origins=frozenset(row[1]), expires_at=row[2]) if row else None
        self._known[hashed] = time.monotonic() + self._remembered_seconds, source
        self._known.move_to_end(hashed)
        while len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return source


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
