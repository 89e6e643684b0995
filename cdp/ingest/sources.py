"""Sources and their write keys: making, changing, rotating, and recognising the key in a request. Changes are on record.

A key is 192 random bits, shown once and stored as its SHA-256: nobody can guess from the hash what has no structure,
so no slow hash is needed where every request is checked. Found keys are remembered briefly, so a revoked one ends
within seconds.
"""

import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection, Connection
from psycopg.errors import UniqueViolation

from cdp.access.audit import OPERATOR, record
from cdp.db.statements import load_statements
from cdp.errors import Conflict, InvalidField, NotFound

STATEMENTS: Final = load_statements("cdp.ingest")

REMEMBERED_SECONDS: Final = 15.0
"""How long a key found, or not found, is believed; also how long a revoked key may still be taken."""
MOST_REMEMBERED: Final = 10_000

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.\-\[\]:]+", re.IGNORECASE)
_NAMESPACE: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


class SourceExists(Conflict):
    """There is a source named {name} already."""

    name: str


class SourceNotFound(NotFound):
    """There is no source named {name}."""

    name: str


class NoSuchKey(NotFound):
    """No key of {name} that is taken ends in {hint}."""

    name: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSource:
    """The source behind a write key."""

    source_id: UUID
    allowed_origins: frozenset[str]
    expires_at: datetime | None = None

    def allows(self, origin: str) -> bool:
        """Whether a browser page of this origin may post; `*` in the list allows all."""
        return "*" in self.allowed_origins or origin in self.allowed_origins


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKey:
    """A write key, by its last characters. `is_taken`: whether it opens now."""

    key_hash: bytes
    hint: str
    created_at: datetime
    expires_at: datetime | None
    is_taken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSource:
    """A source as operators see it; keys latest first."""

    name: str
    channel: str
    division: str | None
    location: str | None
    allowed_origins: tuple[str, ...]
    visitor_traits: tuple[str, ...]
    keys: tuple[ListedKey, ...]


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
    record(connection, OPERATOR.did("write_key_rotated", name, overlap_seconds=int(overlap.total_seconds())))
    return add_write_key(connection, row[0])


def list_sources(connection: Connection[Any]) -> list[ListedSource]:
    """Every source with its write keys, by name."""
    return _listed(connection, None)


def source_named(connection: Connection[Any], name: str) -> ListedSource:
    """One source with its write keys. Raises SourceNotFound."""
    found = _listed(connection, name)
    if not found:
        raise SourceNotFound(name=name)
    return found[0]


def revoke_write_key(connection: Connection[Any], name: str, hint: str) -> None:
    """End a key, told by its last characters, at once. Raises SourceNotFound, NoSuchKey, Invalid when two end alike."""
    source = source_named(connection, name)
    alike = [key for key in source.keys if key.hint == hint and key.is_taken]
    if not alike:
        raise NoSuchKey(name=name, hint=hint)
    if len(alike) > 1:
        raise InvalidField(field="hint", problem="is that of several keys; rotate with no overlap instead.")
    connection.execute(STATEMENTS["end_write_key"], {"key_hash": alike[0].key_hash})
    record(connection, OPERATOR.did("write_key_revoked", name, hint=hint))


def update_source(
    connection: Connection[Any],
    name: str,
    *,
    allowed_origins: Sequence[str] | None = None,
    visitor_traits: Sequence[str] | None = None,
) -> ListedSource:
    """Change what is given; None leaves it. Raises SourceNotFound, InvalidField."""
    for origin in allowed_origins or ():
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            problem = "must be a scheme, a host and perhaps a port, e.g. https://shop.example, or *."
            raise InvalidField(field="origin", problem=problem)
    given = {
        "name": name,
        "allowed_origins": None if allowed_origins is None else list(allowed_origins),
        "visitor_traits": None if visitor_traits is None else list(visitor_traits),
    }
    connection.execute(STATEMENTS["update_source"], given)
    changed = source_named(connection, name)
    after = {"origins": list(changed.allowed_origins), "visitor_traits": list(changed.visitor_traits)}
    record(connection, OPERATOR.did("source_changed", name, after=after))
    return changed


def end_visitor_tokens(connection: Connection[Any], name: str) -> int:
    """End every visitor's token of a source; the new generation's number. Raises SourceNotFound."""
    row = connection.execute(STATEMENTS["end_visitor_tokens"], {"name": name}).fetchone()
    if row is None:
        raise SourceNotFound(name=name)
    generation: int = row[0]
    record(connection, OPERATOR.did("visitor_tokens_ended", name, generation=generation))
    return generation


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


def _listed(connection: Connection[Any], name: str | None) -> list[ListedSource]:
    keys: dict[UUID, list[ListedKey]] = {}
    for source_id, key_hash, hint, created_at, expires_at, is_taken in connection.execute(
        STATEMENTS["listed_keys"], {"name": name}
    ):
        key = ListedKey(key_hash=key_hash, hint=hint, created_at=created_at, expires_at=expires_at, is_taken=is_taken)
        keys.setdefault(source_id, []).append(key)
    rows = connection.execute(STATEMENTS["listed_sources"], {"name": name})
    return [
        ListedSource(
            name=found,
            channel=channel,
            division=division,
            location=location,
            allowed_origins=tuple(origins),
            visitor_traits=tuple(traits),
            keys=tuple(keys.get(source_id, ())),
        )
        for source_id, found, channel, division, location, origins, traits in rows
    ]


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
