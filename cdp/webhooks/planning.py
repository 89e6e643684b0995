"""From the feed to deliveries: each change becomes one delivery for each endpoint that wants it, a page of changes at a time.

A delivery's id follows from endpoint and change, so going through a page twice makes nothing twice. Of several workers one
at a time goes through the feed; replays are gone through in the same way, beside it.
"""

from typing import Any, Final, NamedTuple

import structlog
from psycopg import AsyncConnection

from cdp.db.rows import as_rows
from cdp.db.statements import load_statements
from cdp.feed import CursorExpired, Position, Recorded
from cdp.feed.reading import feed_floor, read_page
from cdp.webhooks.payload import body_of

PAGE: Final = 500
STATEMENTS: Final = load_statements("cdp.webhooks")
_log = structlog.stdlib.get_logger("cdp.webhooks")


class Outlook(NamedTuple):
    """How many endpoints there are, the earliest transaction whose changes any of them wants, whether there are replays."""

    endpoints: int
    wanted_from: int | None
    has_replays: bool


async def outlook(connection: AsyncConnection[Any]) -> Outlook:
    """What there may be to do."""
    row = await (await connection.execute(STATEMENTS["outlook"])).fetchone()
    assert row is not None  # noqa: S101 — an aggregate has one row
    return Outlook(*row)


async def plan_page(connection: AsyncConnection[Any], *, wanted_from: int) -> bool:
    """Make the deliveries of the next changes, in one transaction. Whether there may be more at once.

    `wanted_from`: changes of earlier transactions need no looking at.
    """
    async with connection.transaction():
        turn = await (await connection.execute(STATEMENTS["take_turn"])).fetchone()
        if turn is None:
            return False
        page = await _page(connection, max(Position(*turn), Position(wanted_from, 0)))
        if page:
            end = page[-1].position
            given = {"changes": _told(page), "transaction_id": end.transaction_id, "seq": end.seq}
            await connection.execute(STATEMENTS["make_deliveries"], given)
        return len(page) == PAGE


async def replay_page(connection: AsyncConnection[Any]) -> bool:
    """Go on with the oldest replay, in one transaction. Whether there may be more at once."""
    async with connection.transaction():
        row = await (await connection.execute(STATEMENTS["take_replay"])).fetchone()
        if row is None:
            return False
        replay_id, endpoint_id, since, what, transaction_id, seq, until = row
        found = await _page(connection, Position(transaction_id, seq))
        page = [one for one in found if one.position.transaction_id < until]
        end = page[-1].position if page else Position(transaction_id, seq)
        given = {
            "changes": _told(page),
            "replay_id": replay_id,
            "endpoint_id": endpoint_id,
            "since": since,
            "what": what,
            "is_last": len(page) < PAGE,
            "transaction_id": end.transaction_id,
            "seq": end.seq,
        }
        await connection.execute(STATEMENTS["make_again"], given)
        return True


async def _page(connection: AsyncConnection[Any], after: Position) -> list[Recorded]:
    """The next changes; from the oldest kept on, where those after the position are no longer."""
    try:
        return await read_page(connection, after, most=PAGE)
    except CursorExpired:
        _log.warning("changes were forgotten before they were delivered")
        return await read_page(connection, await feed_floor(connection), most=PAGE)


def _told(page: list[Recorded]) -> str:
    return as_rows(
        {
            "transaction_id": one.position.transaction_id,
            "seq": one.position.seq,
            "kind": one.kind,
            "subject": one.kind.partition(".")[0],
            "occurred_at": one.changed_at,
            "body": body_of(one),
        }
        for one in page
    )
