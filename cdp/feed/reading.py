"""Reading the feed: pages beyond a position, never past a transaction that is still running."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from cdp.db.statements import load_statements
from cdp.feed.cursor import CursorExpired, CursorInvalid, Position

STATEMENTS: Final = load_statements("cdp.feed")

Pool = AsyncConnectionPool[AsyncConnection[Any]]


class Recorded(NamedTuple):
    """A change as recorded; `data` is JSON text."""

    position: Position
    changed_at: datetime
    kind: str
    subject_id: UUID
    customer_id: UUID
    data: str

    @property
    def details(self) -> dict[str, Any]:
        """The change's details, decoded."""
        found: dict[str, Any] = orjson.loads(self.data)
        return found


class FeedState(NamedTuple):
    """Up to where the feed is final: below `oldest`. `next` is a transaction that has not begun. `pending`: more will be.

    `floor`: nothing up to there is kept.
    """

    oldest: int
    next: int
    pending: bool
    floor: Position

    @property
    def end(self) -> Position:
        """The position after all that is final."""
        return Position(self.oldest, 0)


async def read_changes(pool: Pool, after: Position, *, most: int) -> list[Recorded]:
    """At most `most` changes beyond `after`, in order. Raises CursorExpired when some of them are no longer kept."""
    async with pool.connection() as connection:
        return await read_page(connection, after, most=most)


async def read_page(connection: AsyncConnection[Any], after: Position, *, most: int) -> list[Recorded]:
    """As `read_changes`, over one connection."""
    given = {"transaction_id": after.transaction_id, "seq": after.seq, "most": most}
    rows = await (await connection.execute(STATEMENTS["read_changes"], given)).fetchall()
    if after < rows[0][:2]:  # one snapshot shows the floor and what lies above it, so nothing is missed in between
        raise CursorExpired
    return [Recorded(Position(*row[2:4]), *row[4:]) for row in rows if row[2] is not None]


async def feed_floor(connection: AsyncConnection[Any]) -> Position:
    """The position before the oldest change that is kept."""
    row = await (await connection.execute(STATEMENTS["feed_state"])).fetchone()
    assert row is not None  # noqa: S101 — there is one floor
    return Position(*row[3:])


async def feed_state(pool: Pool) -> FeedState:
    """Where the feed stands now."""
    async with pool.connection() as connection:
        row = await (await connection.execute(STATEMENTS["feed_state"])).fetchone()
    assert row is not None  # noqa: S101 — a select without FROM has one row
    oldest, following, pending, *floor = row
    return FeedState(oldest, following, pending, Position(*floor))


async def known_position(pool: Pool, cursor: str) -> Position:
    """The position of a caller's cursor.

    Raises CursorInvalid for one that this feed has not come to, too, and CursorExpired.
    """
    position = Position.read(cursor)
    state = await feed_state(pool)
    if position.transaction_id > state.next:
        raise CursorInvalid
    if position < state.floor:
        raise CursorExpired
    return position
