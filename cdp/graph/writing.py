"""Writing: how a mutation's work reaches the database. Rooms write with synchronous connections; so it is done in a thread, in
one transaction, committed before anything of the payload is read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread
from psycopg import AsyncConnection, Connection
from psycopg.errors import LockNotAvailable, OperationalError, QueryCanceled
from psycopg_pool import AsyncConnectionPool

from cdp.db.engine import connect
from cdp.errors import Unavailable

T = TypeVar("T")
MOST_AT_ONCE: Final = 8
"""Mutations take turns at the customers' lock anyway; more would only hold connections while they wait."""
LOCK_SECONDS: Final = 10
WORK_SECONDS: Final = 60
_LIMITER: Final = anyio.CapacityLimiter(MOST_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Writing:
    """The database that is written to, and a pool through which payloads are read from it: a replica would lag behind."""

    database_url: str
    pool: AsyncConnectionPool[AsyncConnection[Any]]

    async def run(self, work: Callable[[Connection[Any]], T]) -> T:
        """The outcome of `work`, committed; rolled back where it raises. Raises Unavailable when the database can't do it now."""
        return await anyio.to_thread.run_sync(lambda: self._run(work), limiter=_LIMITER)

    def _run(self, work: Callable[[Connection[Any]], T]) -> T:
        try:
            with connect(self.database_url) as connection:
                connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
                connection.execute(f"SET LOCAL statement_timeout = '{WORK_SECONDS}s'")
                return work(connection)
        except (LockNotAvailable, QueryCanceled, OperationalError) as error:
            raise Unavailable(retry_after_seconds=5) from error
