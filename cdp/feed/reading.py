"""Reading the feed: pages beyond a position, never past a transaction that is still running."""

from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from cdp.db.statements import load_statements
from cdp.feed.cursor import CursorInvalid, Position

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
    """Up to where the feed is final: below `oldest`. `next` is a transaction that has not begun. `pending`: more will be."""

    oldest: int
    next: int
    pending: bool

    @property
    def end(self) -> Position:
        """The position after all that is final."""
        return Position(self.oldest, 0)


async def read_changes(pool: Pool, after: Position, *, most: int) -> list[Recorded]:
    """At most `most` changes beyond `after`, in order."""
    given = {"transaction_id": after.transaction_id, "seq": after.seq, "most": most}
    async with pool.connection() as connection:
        rows = await (await connection.execute(STATEMENTS["read_changes"], given)).fetchall()
    return [Recorded(Position(*row[:2]), *row[2:]) for row in rows]


async def feed_state(pool: Pool) -> FeedState:
    """Where the feed stands now."""
    async with pool.connection() as connection:
        row = await (await connection.execute(STATEMENTS["feed_state"])).fetchone()
    assert row is not None  # noqa: S101 — a select without FROM has one row
    return FeedState(*row)


async def known_position(pool: Pool, cursor: str) -> Position:
    """The position of a caller's cursor. Raises CursorInvalid for one that this feed has not come to, too."""
    position = Position.read(cursor)
    if position.transaction_id > (await feed_state(pool)).next:
        raise CursorInvalid
    return position
