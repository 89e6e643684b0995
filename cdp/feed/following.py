"""Following the feed: one listener a process reads each change once and hands it to everybody who waits for its like.

Woken by the writer's NOTIFY, or by the clock should one be lost. What a slower transaction holds back is asked for again
in short steps. While nobody follows, changes aren't read at all; only that something happened is known, for those who
poll. A follower has a bounded queue: one that doesn't keep up is told so and forgotten, and holds up nobody.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import PoolTimeout

from cdp.db.engine import conninfo
from cdp.feed.cursor import BEGINNING, Position
from cdp.feed.reading import Pool, Recorded, feed_state, known_position, read_changes

MOST_WAITING: Final = 1_000
PAGE: Final = 1_000
POLL_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 1.0
SHORTEST_WAIT_SECONDS: Final = 0.01
LONGEST_WAIT_SECONDS: Final = 0.25

_log = structlog.stdlib.get_logger("cdp.feed")


class Follower:
    """One who waits for changes. When more than `most` lie waiting, `on_behind` is called and nothing more arrives."""

    def __init__(self, wants: Callable[[Recorded], bool], *, most: int, on_behind: Callable[[], None]) -> None:
        self._wants = wants
        self._on_behind = on_behind
        self._is_behind = False
        self._waiting: asyncio.Queue[Recorded] = asyncio.Queue(most)

    def tell(self, change: Recorded) -> None:
        """Hand over a change, if it is wanted."""
        if self._is_behind or not self._wants(change):
            return
        try:
            self._waiting.put_nowait(change)
        except asyncio.QueueFull:
            self.fall_behind()

    def fall_behind(self) -> None:
        """Tell that not everything can be handed over any more; nothing is from now on."""
        if not self._is_behind:
            self._is_behind = True
            self._on_behind()

    async def next(self) -> list[Recorded]:
        """All that waits, once something does."""
        found = [await self._waiting.get()]
        while not self._waiting.empty():
            found.append(self._waiting.get_nowait())
        return found


class ChangeFeed:
    """The feed as a process sees it. Made by `open_feed`. `most_waiting`: changes a follower may leave lying."""

    def __init__(self, pool: Pool, *, most_waiting: int = MOST_WAITING) -> None:
        self.pool = pool
        self.most_waiting = most_waiting
        self._followers: set[Follower] = set()
        self._position = BEGINNING
        self._moved = asyncio.Event()
        self._turn = asyncio.Lock()

    async def position(self, cursor: str) -> Position:
        """Where the reader that hands back this cursor stands. Raises CursorInvalid."""
        return await known_position(self.pool, cursor)

    async def beginning(self) -> Position:
        """The position before the oldest change that is kept."""
        return (await feed_state(self.pool)).floor

    async def end(self) -> Position:
        """The position after everything that is final by now."""
        return (await feed_state(self.pool)).end

    async def read(self, after: Position, *, most: int, wait_seconds: float = 0) -> list[Recorded]:
        """The changes beyond `after`, at most `most`; waits for the first as long as asked. None in time: an empty list.

        Raises CursorExpired when some of them are no longer kept.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait_seconds
        while True:
            moved = self._moved
            found = await read_changes(self.pool, after, most=most)
            if found or (remaining := deadline - clock()) <= 0:
                return found
            with suppress(TimeoutError):
                await asyncio.wait_for(moved.wait(), remaining)

    async def follow(
        self, wants: Callable[[Recorded], bool], *, after: Position | None, on_behind: Callable[[], None]
    ) -> AsyncGenerator[list[Recorded], None]:
        """Changes that `wants` takes, in order, batch by batch, for ever: those beyond `after`, or only new ones for None.

        `on_behind` is called, once, when more than `most_waiting` new ones were left lying; nothing follows then.
        """
        while after is not None:
            page = await read_changes(self.pool, after, most=PAGE)
            if page:
                after = page[-1].position
                yield [one for one in page if wants(one)]
            if len(page) < PAGE:
                break
        follower = Follower(wants, most=self.most_waiting, on_behind=on_behind)
        joined_at = await self._join(follower)
        try:
            # What became final between the last page and joining is read here, everything later is told.
            while after is not None and after < joined_at:
                page = [one for one in await read_changes(self.pool, after, most=PAGE) if one.position <= joined_at]
                if not page:
                    break
                after = page[-1].position
                yield [one for one in page if wants(one)]
            while True:
                yield await follower.next()
        finally:
            self._followers.discard(follower)

    async def _join(self, follower: Follower) -> Position:
        """The position from which on the follower is told everything."""
        async with self._turn:
            if not self._followers:
                self._position = (await feed_state(self.pool)).end
            self._followers.add(follower)
            return self._position

    async def _advance(self) -> bool:
        """Hand on what is new. Whether changes wait for an older transaction to end."""
        async with self._turn:
            state = await feed_state(self.pool)
            while self._followers:
                # Who slept for longer than changes are kept has missed some: its followers are behind.
                if self._position < state.floor:
                    for follower in self._followers:
                        follower.fall_behind()
                    self._position = state.floor
                page = await read_changes(self.pool, self._position, most=PAGE)
                for change in page:
                    for follower in self._followers:
                        follower.tell(change)
                if page:
                    self._position = page[-1].position
                if len(page) < PAGE:
                    break
                await asyncio.sleep(0)  # followers may take theirs
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
        return state.pending

    async def listen(self, database_url: str) -> None:
        """Keep handing on, woken by writers of this database. Never ends; survives a database that goes away."""
        while True:
            try:
                made = await AsyncConnection.connect(conninfo(database_url, "cdp_app"), autocommit=True)
                async with made as connection:
                    await connection.execute("LISTEN change")
                    await self._listen(connection)
            except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
                _log.warning("database away", reason=type(error).__name__)
            except Exception:  # noqa: BLE001 — one bad round must not end the following for good
                _log.exception("the feed stumbled")
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self, connection: AsyncConnection[tuple[object, ...]]) -> None:
        patience = SHORTEST_WAIT_SECONDS
        while True:
            pending = await self._advance()
            patience = min(patience * 2, LONGEST_WAIT_SECONDS) if pending else SHORTEST_WAIT_SECONDS
            async for _ in connection.notifies(timeout=patience if pending else POLL_SECONDS, stop_after=1):
                patience = SHORTEST_WAIT_SECONDS


@asynccontextmanager
async def open_feed(database_url: str, pool: Pool, *, most_waiting: int = MOST_WAITING) -> AsyncIterator[ChangeFeed]:
    """The feed read through `pool`, woken by writers of `database_url`, which must not be a replica."""
    feed = ChangeFeed(pool, most_waiting=most_waiting)
    listener = asyncio.create_task(feed.listen(database_url), name="change feed")
    try:
        yield feed
    finally:
        listener.cancel()
        with suppress(asyncio.CancelledError):
            await listener
