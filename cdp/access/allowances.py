"""How much somebody may ask in a while, counted in PostgreSQL for all processes together.

Rare requests (a token, a file, an invitation) take from their allowance by one statement, `take`. A read of the graph must not
pay for one: its process counts by itself and once a second tells the database what was spent and learns what all have
(`Allowances`). So several processes together may let through a second's work more than the rate, and a viewer's last
operation may go beyond it, by at most its own limit of nodes; what was too much is made up for before the next (decision 0024).
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog
from psycopg import AsyncConnection, Connection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from cdp.access.sealing import digest
from cdp.access.viewer import Member, Tool, Viewer
from cdp.db.statements import load_statements
from cdp.errors import TooManyRequests
from cdp.limits import Rate

TELL_SECONDS: Final = 1.0
MOST_REMEMBERED: Final = 10_000
_SQL: Final = load_statements("cdp.access")

Pool = AsyncConnectionPool[AsyncConnection[Any]]
log = structlog.stdlib.get_logger("cdp.access")


async def take(connection: AsyncConnection[Any], rate: Rate | None, kind: str, *who: str, times: int = 1) -> None:
    """Take one unit of `who`'s allowance of a kind, at `times` the rate. Costs a statement. Raises TooManyRequests."""
    if rate is not None:
        row = await (await connection.execute(_SQL["allowance_take"], _taking(rate, kind, who, times))).fetchone()
        _refuse(row)


def take_now(connection: Connection[Any], rate: Rate | None, kind: str, *who: str) -> None:
    """As `take`, from synchronous code."""
    if rate is not None:
        _refuse(connection.execute(_SQL["allowance_take"], _taking(rate, kind, who, 1)).fetchone())


def too_many(wait_seconds: float) -> TooManyRequests:
    """The refusal, in whole seconds."""
    return TooManyRequests(retry_after_seconds=max(1, math.ceil(wait_seconds)))


class Allowance:
    """What one viewer may still ask of the graph, as far as this process knows."""

    __slots__ = ("_free_at", "key", "rate", "untold_seconds")

    def __init__(self, key: bytes, rate: Rate) -> None:
        self.key = key
        self.rate = rate
        self.untold_seconds = 0.0
        self._free_at = 0.0

    def admit(self) -> None:
        """Let an operation in, at the price of one unit. Raises TooManyRequests where all that may be asked was."""
        ahead_seconds = self.ahead_seconds
        if ahead_seconds >= self.rate.seconds:
            raise too_many(ahead_seconds - self.rate.seconds)
        self.spend(1)

    def spend(self, units: int) -> None:
        """Count what is about to be asked."""
        seconds = units * self.rate.seconds_each
        self._free_at = max(self._free_at, time.monotonic()) + seconds
        self.untold_seconds += seconds

    def learn(self, ahead_seconds: float) -> None:
        """Go on from what the database knows, and what was spent since it was told."""
        self._free_at = time.monotonic() + ahead_seconds + self.untold_seconds

    @property
    def ahead_seconds(self) -> float:
        """How long it takes to make up for all that was asked."""
        return max(0.0, self._free_at - time.monotonic())

    @property
    def remaining(self) -> int:
        """How many units may be asked now."""
        return max(0, int((self.rate.seconds - self.ahead_seconds) / self.rate.seconds_each))

    @property
    def header(self) -> str:
        """The answer's `RateLimit` (draft-ietf-httpapi-ratelimit-headers): units that remain, seconds until all are back."""
        return f'"graph";r={self.remaining};t={math.ceil(self.ahead_seconds)}'

    @property
    def policy_header(self) -> str:
        """The answer's `RateLimit-Policy`: units in a window of seconds."""
        return f'"graph";q={self.rate.units};w={self.rate.seconds}'


class Allowances:
    """The graph's allowances of a process. `tool`, `member`: what each may ask; None: any number."""

    def __init__(self, pool: Callable[[], Pool], *, tool: Rate | None, member: Rate | None) -> None:
        self._pool = pool
        self._tool = tool
        self._member = member
        self._known: OrderedDict[str, Allowance] = OrderedDict()

    def of(self, viewer: Viewer) -> Allowance | None:
        """The viewer's; None where they may ask any number."""
        rate = self._member if isinstance(viewer, Member) else self._tool
        if rate is None:
            return None
        name = _name(viewer)
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = Allowance(digest(f"graph {name}"), rate)
            self._forget()
        return found

    async def tell(self) -> None:
        """Tell the database what was spent here, and learn what all processes have. Raises OperationalError, PoolTimeout."""
        told = [(each, each.untold_seconds) for each in self._known.values() if each.untold_seconds]
        if not told:
            return
        values = {"keys": [each.key for each, _ in told], "seconds": [seconds for _, seconds in told]}
        for each, _ in told:
            each.untold_seconds = 0.0
        try:
            async with self._pool().connection() as connection:
                cursor = await connection.execute(_SQL["allowance_spend"], values)
                ahead = {bytes(key): seconds for key, seconds in await cursor.fetchall()}
        except BaseException:
            for each, seconds in told:
                each.untold_seconds += seconds
            raise
        for each, _ in told:
            each.learn(ahead[each.key])

    async def keep_telling(self) -> None:
        """Tell once a second, for good; without a database each process counts by itself."""
        while True:
            await asyncio.sleep(TELL_SECONDS)
            try:
                await self.tell()
            except (OperationalError, PoolTimeout) as error:
                log.warning("allowances are not shared", reason=type(error).__name__)

    def _forget(self) -> None:
        """Of too many, those that were used longest ago and have nothing to remember."""
        while len(self._known) > MOST_REMEMBERED:
            name, oldest = self._known.popitem(last=False)
            if oldest.untold_seconds:
                self._known[name] = oldest
                return


@asynccontextmanager
async def shared_allowances(
    pool: Callable[[], Pool], *, tool: Rate | None = None, member: Rate | None = None
) -> AsyncIterator[Allowances]:
    """The graph's allowances, told to the database meanwhile and once more at the end."""
    allowances = Allowances(pool, tool=tool, member=member)
    telling = asyncio.create_task(allowances.keep_telling())
    try:
        yield allowances
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
        with suppress(OperationalError, PoolTimeout):
            await allowances.tell()


def _name(viewer: Viewer) -> str:
    if isinstance(viewer, Member):
        return f"member {viewer.member_id}"
    return f"tool {viewer.client_id} {viewer.acting_for or ''}" if isinstance(viewer, Tool) else "anonymous"


def _taking(rate: Rate, kind: str, who: tuple[str, ...], times: int) -> dict[str, object]:
    key = digest("\x1f".join((kind, *who)))
    return {"key": key, "seconds": rate.seconds_each / times, "most": float(rate.seconds)}


def _refuse(row: Any) -> None:
    if row[0] > 0:
        raise too_many(row[0])
