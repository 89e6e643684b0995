"""The audit record: who did what to whom, or was refused it. Appended, never changed; the database sees to both, and to it that
the same refusal makes one row a minute (migration 0017).

What is done in a transaction is recorded in it, `record`. What is read, and who is refused at a door, is recorded by the
process's `AuditWriter`, in batches once a second: a read doesn't wait for its record. So a process that is killed loses at most
a second of those; one that can't write refuses further reads by staff rather than forget them.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from psycopg import AsyncConnection, Connection, Error
from psycopg.errors import CheckViolation
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from cdp.access.viewer import Tool
from cdp.db.statements import load_statements
from cdp.errors import Invalid, Unavailable

WRITE_SECONDS: Final = 1.0
SETTLE_SECONDS: Final = 60.0
MOST_WAITING: Final = 10_000
MOST_AT_ONCE: Final = 1_000
COMMAND_LINE: Final = "command line"
UNKNOWN: Final = "unknown"
_SQL: Final = load_statements("cdp.access")
_MANAGING: Final = load_statements("cdp.access", "managing.sql")

Pool = AsyncConnectionPool[AsyncConnection[Any]]
log = structlog.stdlib.get_logger("cdp.access")


class TooRecent(Invalid):
    """The audit record is kept for 90 days at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing done, or refused where `refused` says why, in a code.

    `actor`: a person's subject at the issuer, `client:` and an OAuth client, or `COMMAND_LINE`. `client_id`: the OAuth client
    through which a person acted. `account_id`: whose client admins may read it. `target`: what it was done to. Nothing here,
    nor in `details`, is personal data: names come with the reading.
    """

    event: str
    actor: str
    client_id: str | None = None
    account_id: UUID | None = None
    target: str | None = None
    refused: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, through which OAuth client if any."""

    actor: str
    client_id: str | None = None

    def did(self, event: str, target: str | None = None, *, account_id: UUID | None = None, **details: Any) -> Entry:
        """The entry of what they did."""
        return Entry(
            event=event,
            actor=self.actor,
            client_id=self.client_id,
            account_id=account_id,
            target=target,
            details=details,
        )

    def was_refused(self, event: str, reason: str, target: str | None = None) -> Entry:
        """The entry of what they were refused."""
        return Entry(event=event, actor=self.actor, client_id=self.client_id, target=target, refused=reason)

    @property
    def key(self) -> str:
        """Names them among all who act."""
        return f"{self.actor}\x1f{self.client_id or ''}"


OPERATOR: Final = Actor(actor=COMMAND_LINE)
NOBODY: Final = Actor(actor=UNKNOWN)


def actor_of(tool: Tool) -> Actor:
    """A tool, or the person it acts for with the tool beside."""
    return Actor(actor=tool.acting_for or f"client:{tool.client_id}", client_id=tool.client_id)


def record(connection: Connection[Any], *entries: Entry) -> None:
    """Append, in the caller's transaction. Costs one statement."""
    if entries:
        connection.execute(_SQL["audit"], _columns(entries))


def read_records(
    connection: Connection[Any],
    *,
    event: str | None = None,
    actor: str | None = None,
    number: str | None = None,
    since: datetime | None = None,
    only_refused: bool = False,
    most: int,
) -> list[tuple[Any, ...]]:
    """Rows of `audit_records`, newest first. `number`: of the account they concern."""
    values = {
        "event": event,
        "actor": actor,
        "number": number,
        "since": since,
        "only_refused": only_refused,
        "most": most,
    }
    return connection.execute(_MANAGING["audit_records"], values).fetchall()


def forget_records(connection: Connection[Any], before: datetime) -> int:
    """Forget what was recorded before then, and record that; how many. `connection` acts as the owner. Raises TooRecent."""
    try:
        row = connection.execute(_SQL["audit_forget"], {"before": before}).fetchone()
    except CheckViolation as error:
        raise TooRecent from error
    return int(row[0]) if row else 0


def view_as(person: Actor, *, account_id: UUID, reason: str, minutes: int) -> Entry:
    """The entry of a person of the company who looks at the extranet as a client of this account sees it."""
    return person.did("view_as", account_id=account_id, reason=reason, minutes=minutes)


class AuditWriter:
    """Records of a process, written in batches. Made by `audit_writer`."""

    def __init__(self, pool: Callable[[], Pool]) -> None:
        self._pool = pool
        self._waiting: list[Entry] = []
        self._refusals: Counter[tuple[str, str, str | None, str | None, str]] = Counter()

    def require_room(self) -> None:
        """Raise Unavailable where so many records wait that no more may be read."""
        if len(self._waiting) >= MOST_WAITING:
            raise Unavailable(retry_after_seconds=5)

    def read(self, entries: Iterable[Entry]) -> None:
        """Have reads recorded. Ask `require_room` before anything is read."""
        self._waiting.extend(entries)

    def refused(self, entry: Entry) -> None:
        """Have a refusal recorded. The same one again only counts, however fast they come."""
        assert entry.refused is not None  # noqa: S101 - a programming mistake
        self._refusals[entry.event, entry.actor, entry.client_id, entry.target, entry.refused] += 1

    async def write(self) -> None:
        """Write what waits. Raises the database's error, with everything waiting as before."""
        while self._waiting or self._refusals:
            batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
            refusals, self._refusals = self._refusals, Counter()
            try:
                async with self._pool().connection() as connection:
                    await connection.execute(_SQL["audit"], _columns([*batch, *_counted(refusals)]))
            except BaseException:
                self._waiting = [*batch, *self._waiting]
                self._refusals.update(refusals)
                raise

    async def settle(self) -> None:
        """Record what was only counted of refusals that have stopped."""
        async with self._pool().connection() as connection:
            await connection.execute(_SQL["audit_settle"])

    async def keep_writing(self) -> None:
        """Write once a second, for good."""
        since_settled = 0.0
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            since_settled += WRITE_SECONDS
            try:
                await self.write()
                if since_settled >= SETTLE_SECONDS:
                    since_settled = 0.0
                    await self.settle()
            except (Error, PoolTimeout) as error:
                log.warning("the audit record waits", waiting=len(self._waiting), reason=type(error).__name__)


@asynccontextmanager
async def audit_writer(pool: Callable[[], Pool]) -> AsyncIterator[AuditWriter]:
    """A writer for a process, which writes what waits when it ends."""
    writer = AuditWriter(pool)
    writing = asyncio.create_task(writer.keep_writing())
    try:
        yield writer
    finally:
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        try:
            await writer.write()
        except (Error, PoolTimeout) as error:
            log.warning("the audit record is lost", lost=len(writer._waiting), reason=type(error).__name__)  # noqa: SLF001


def _counted(refusals: Counter[tuple[str, str, str | None, str | None, str]]) -> list[Entry]:
    """An entry for each kind of refusal, in one order everywhere: they wait for one another in the database."""
    entries = []
    for kind in sorted(refusals, key=str):
        event, actor, client_id, target, reason = kind
        entry = Entry(event=event, actor=actor, client_id=client_id, target=target, refused=reason)
        more = refusals[kind] - 1
        entries.append(replace(entry, details={"unrecorded": more}) if more else entry)
    return entries


def _columns(entries: Iterable[Entry]) -> dict[str, list[Any]]:
    entries = list(entries)
    return {
        "events": [each.event for each in entries],
        "actors": [each.actor for each in entries],
        "client_ids": [each.client_id for each in entries],
        "account_ids": [each.account_id for each in entries],
        "targets": [each.target for each in entries],
        "reasons": [each.refused for each in entries],
        "details": [Jsonb(each.details) for each in entries],
    }
