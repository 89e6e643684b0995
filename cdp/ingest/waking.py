"""Waking the stitchers: once for all that was stored within a moment, after it is committed.

NOTIFY as part of each request's transaction would make them commit one after the other, since PostgreSQL keeps notifications in
the order of commits. A ring that is lost costs no message, and little time: stitchers look by themselves every second.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from cdp.events.queries import announce_messages

EVERY_SECONDS: Final = 0.02

_log = structlog.stdlib.get_logger("cdp.ingest.waking")

Pool = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]


class Bell:
    """Rings at once when it was quiet, and else at the end of the moment."""

    def __init__(self, *, every_seconds: float = EVERY_SECONDS) -> None:
        self._every_seconds = every_seconds
        self._is_wanted = False
        self._ringing: asyncio.Task[None] | None = None

    def ring(self, pool: Callable[[], Pool]) -> None:
        """Wake the stitchers soon; to be called after the commit."""
        self._is_wanted = True
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.get_running_loop().create_task(self._ring(pool))

    async def _ring(self, pool: Callable[[], Pool]) -> None:
        while self._is_wanted:
            self._is_wanted = False
            try:
                async with pool().connection() as connection:
                    await announce_messages(connection)
            except Exception as error:  # noqa: BLE001 - they look by themselves; nobody waits for this task's result
                _log.warning("not announced", reason=type(error).__name__)
            await asyncio.sleep(self._every_seconds)
