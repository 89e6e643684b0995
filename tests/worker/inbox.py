"""Messages put straight into the inbox, as the door would, for tests of what comes after it."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

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
