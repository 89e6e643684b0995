"""Forgetting old changes, where the operator wants it (`CDP_FEED_RETENTION_DAYS`); readers further back are refused."""

from typing import Any, Final

from psycopg import AsyncConnection

from cdp.db.statements import load_statements

MOST_AT_ONCE: Final = 10_000
_STATEMENTS: Final = load_statements("cdp.feed")


async def prune_changes(connection: AsyncConnection[Any], *, kept_days: int, most: int = MOST_AT_ONCE) -> int:
    """Forget the oldest changes, at most `most`, that are older than `kept_days`, at least 1; how many were forgotten."""
    given = {"kept_days": kept_days, "most": most}
    row = await (await connection.execute(_STATEMENTS["prune_changes"], given)).fetchone()
    forgotten: int = row[0] if row else 0
    return forgotten
