"""Messages put straight into the inbox, as the door would, for tests of what comes after it; and what became of them."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from psycopg import Connection

from cdp.db.engine import open_pool
from cdp.events.queries import LANES, put_messages
from cdp.ingest.messages import judge, read_request


def put(database_url: str, source_id: UUID, messages: Sequence[dict[str, Any]]) -> None:
    """Judge and store messages; all must be acceptable."""
    accepted, rejected = judge(read_request(orjson.dumps({"batch": list(messages)}), None))
    assert rejected == []

    async def store() -> None:
        async with open_pool(database_url) as pool, pool.connection() as connection:
            await put_messages(connection, source_id, [one.arrival(LANES) for one in accepted])

    asyncio.run(store())


def states(connection: Connection[Any]) -> dict[str, str]:
    """By message id: pending, failed or done."""
    return dict(
        connection.execute(
            """SELECT inbox.message_id, CASE
                WHEN waiting_message.seq IS NOT NULL THEN 'pending' WHEN stage IS NOT NULL THEN 'failed' ELSE 'done' END
            FROM inbox LEFT JOIN waiting_message USING (seq)
            LEFT JOIN failed_message ON (failed_message.source_id, failed_message.message_id)
                = (inbox.source_id, inbox.message_id)"""
        ).fetchall()
    )


def wait_again(connection: Connection[Any], *message_ids: str) -> None:
    """Let these messages wait once more, or all, though they are done."""
    connection.execute(
        """INSERT INTO waiting_message (lane, seq, source_id, message_id, received_at, sender, visitor, mailbox)
        SELECT lane, seq, source_id, message_id, received_at, sender, visitor, mailbox FROM inbox
        WHERE cardinality(%(ids)s::text[]) = 0 OR message_id = ANY (%(ids)s::text[])""",
        {"ids": list(message_ids)},
    )
