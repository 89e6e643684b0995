"""Writing: how a mutation's work reaches the database. Rooms write with synchronous connections; so it is done in a thread, in
one transaction, committed before anything of the payload is read. A member's work is done in the portal's role, with who they
are told to row-level security: what policies don't let them write is not written, whatever a room asks for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import anyio
import anyio.to_thread
from psycopg import AsyncConnection, Connection
from psycopg.errors import LockNotAvailable, OperationalError, QueryCanceled
from psycopg_pool import AsyncConnectionPool

from cdp.access.viewer import ENTER, Member, Viewer, entry
from cdp.db.engine import Role, connect
from cdp.errors import Unavailable
from cdp.settings import Settings

T = TypeVar("T")
MOST_AT_ONCE: Final = 8
"""Mutations take turns at the customers' lock anyway; more would only hold connections while they wait."""
LOCK_SECONDS: Final = 10
WORK_SECONDS: Final = 60
_LIMITER: Final = anyio.CapacityLimiter(MOST_AT_ONCE)
_BOUND: Final = "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)"


@dataclass(frozen=True, slots=True)
class Writing:
    """The database that is written to, in which role, and a pool through which payloads are read from it: a replica would lag
    behind. `settings`: of the installation, for mutations that need them.
    """

    database_url: str
    role: Role
    pool: AsyncConnectionPool[AsyncConnection[Any]]
    settings: Settings | None = None

    async def run(self, work: Callable[[Connection[Any]], T], viewer: Viewer | None = None) -> T:
        """The outcome of `work`, as `viewer` if it is for one, committed; rolled back where it raises. Raises Unavailable when
        the database can't do it now.
        """
        return await anyio.to_thread.run_sync(lambda: self._run(work, viewer), limiter=_LIMITER)

    def _run(self, work: Callable[[Connection[Any]], T], viewer: Viewer | None) -> T:
        try:
            with connect(self.database_url, self.role) as connection:
                if isinstance(viewer, Member) and viewer.is_looking:
                    connection.execute("SET TRANSACTION READ ONLY")
                connection.execute(_BOUND, (f"{LOCK_SECONDS}s", f"{WORK_SECONDS}s"))
                if isinstance(viewer, Member):
                    connection.execute(ENTER, entry(viewer))
                return work(connection)
        except (LockNotAvailable, QueryCanceled, OperationalError) as error:
            raise Unavailable(retry_after_seconds=5) from error
