"""`POST /v1/visitor`: a token for a page's visitor, with which it may ask who that visitor is.

A page shows its write key and is given an anonymous id that we made, for its SDK to use; never a token for an id that it names,
because whoever reads the page has the key and can name anybody's. The same id again comes for the token it came with. The
source's own server shows an access token and vouches: for a user who is signed in there, or for an id that its own cookie kept.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from psycopg import AsyncConnection

from cdp.access.visitor_tokens import (
    LONGEST_USER_LIFETIME,
    USER_LIFETIME,
    VISITOR_LIFETIME,
    Proof,
    Visitor,
    VisitorTokenInvalid,
    new_visitor_id,
    read,
    sign,
)
from cdp.errors import InvalidField
from cdp.identify.identifier import ANONYMOUS_ID, USER_ID, identify
from cdp.ingest.messages import LONGEST_ID_CHARACTERS, MalformedJson
from cdp.ingest.reading import SourceTold
from cdp.ingest.sources import REMEMBERED_SECONDS, STATEMENTS, SourceNotFound

MOST_REMEMBERED: Final = 1_000
_FIELDS: Final[dict[str, Proof]] = {"userId": USER_ID, "anonymousId": ANONYMOUS_ID}


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitorSource:
    """A source as visitors meet it: pages of which origins, which traits they may be told, which tokens are still taken."""

    told: SourceTold
    name: str
    allowed_origins: frozenset[str]
    traits: tuple[str, ...]
    generation: int

    @property
    def source_id(self) -> UUID:
        """Its id."""
        return self.told.source_id

    def allows(self, origin: str | None) -> bool:
        """Whether a page of this origin may ask; no origin is no page."""
        return origin is None or "*" in self.allowed_origins or origin in self.allowed_origins


class SourceBook:
    """Sources by id or name, each remembered for a few seconds: what an operator changes takes effect within them."""

    def __init__(self, *, remembered_seconds: float = REMEMBERED_SECONDS) -> None:
        self._remembered_seconds = remembered_seconds
        self._known: OrderedDict[UUID | str, tuple[float, VisitorSource | None]] = OrderedDict()

    def remembered(self, key: UUID | str) -> tuple[bool, VisitorSource | None]:
        """Whether the answer is remembered, and it."""
        entry = self._known.get(key)
        if entry is None or entry[0] < time.monotonic():
            return False, None
        return True, entry[1]

    async def look_up(self, connection: AsyncConnection[Any], key: UUID | str) -> VisitorSource | None:
        """Ask the database, and remember."""
        given = {"source_id": key, "name": None} if isinstance(key, UUID) else {"source_id": None, "name": key}
        row = await (await connection.execute(STATEMENTS["visitor_source"], given)).fetchone()
        source = None if row is None else _source(row)
        self._known[key] = time.monotonic() + self._remembered_seconds, source
        self._known.move_to_end(key)
        while len(self._known) > MOST_REMEMBERED:
            self._known.popitem(last=False)
        return source


def give_token(secret: str, source: VisitorSource, shown: str | None, *, now: datetime) -> tuple[Visitor, str]:
    """A page's visitor and token: the visitor of the token that it shows, renewed; a new visitor without a good one."""
    value = new_visitor_id()
    if shown is not None:
        try:
            before = visitor_of(secret, shown, source, now=now)
        except VisitorTokenInvalid:
            pass
        else:
            value = before.value if before.proof == ANONYMOUS_ID else value
    return _signed(secret, source, ANONYMOUS_ID, value, now + VISITOR_LIFETIME)


def vouch(secret: str, source: VisitorSource, asked: dict[str, Any], *, now: datetime) -> tuple[Visitor, str]:
    """A token for the visitor whom the source's own server names. Raises InvalidField."""
    named = [name for name in _FIELDS if asked.get(name) is not None]
    if len(named) != 1:
        raise InvalidField(field="userId", problem="name one visitor, by `userId` or `anonymousId`.")
    field, value = named[0], asked[named[0]]
    proof = _FIELDS[field]
    identifier = identify(proof, value) if isinstance(value, str) and len(value) <= LONGEST_ID_CHARACTERS else None
    if identifier is None:
        raise InvalidField(field=field, problem="must be a text that points at somebody.")
    lifetime = USER_LIFETIME if proof == USER_ID else VISITOR_LIFETIME
    seconds = asked.get("lifetimeSeconds")
    if seconds is not None:
        longest = int(LONGEST_USER_LIFETIME.total_seconds())
        if not isinstance(seconds, int) or isinstance(seconds, bool) or not 1 <= seconds <= longest:
            raise InvalidField(field="lifetimeSeconds", problem=f"must be a whole number between 1 and {longest}.")
        lifetime = timedelta(seconds=seconds)
    return _signed(secret, source, proof, identifier.value, now + lifetime)


def visitor_of(secret: str, token: str, source: VisitorSource | None, *, now: datetime) -> Visitor:
    """The token's visitor, at this source. Raises VisitorTokenInvalid."""
    visitor = read(secret, token, now=now)
    if source is None or (source.source_id, source.generation) != (visitor.source_id, visitor.generation):
        raise VisitorTokenInvalid
    return visitor


def read_body(body: bytes) -> dict[str, Any]:
    """A JSON object; nothing is an empty one. Raises MalformedJson."""
    try:
        decoded = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError:
        raise MalformedJson from None
    if not isinstance(decoded, dict):
        raise MalformedJson
    return decoded


def source_name(asked: dict[str, Any]) -> str:
    """The source that a server vouches at. Raises InvalidField."""
    name = asked.get("source")
    if not isinstance(name, str) or not name:
        raise InvalidField(field="source", problem="name the source, e.g. web-shop.")
    return name


def known(source: VisitorSource | None, name: str) -> VisitorSource:
    """The source. Raises SourceNotFound."""
    if source is None:
        raise SourceNotFound(name=name[:64])
    return source


def _signed(secret: str, source: VisitorSource, proof: Proof, value: str, expires_at: datetime) -> tuple[Visitor, str]:
    visitor = Visitor(
        source_id=source.source_id,
        proof=proof,
        value=value,
        generation=source.generation,
        expires_at=expires_at.astimezone(UTC).replace(microsecond=0),
    )
    return visitor, sign(secret, visitor)


def _source(row: tuple[Any, ...]) -> VisitorSource:
    source_id, name, channel, division, location, region, origins, traits, generation = row
    told = SourceTold(source_id=source_id, channel=channel, division=division, location=location, default_region=region)
    return VisitorSource(
        told=told, name=name, allowed_origins=frozenset(origins), traits=tuple(traits), generation=generation
    )
