"""The worker's side of webhooks: makes deliveries as the feed grows, sends what is due, and keeps what came of it on record.

No transaction is open while a receiver takes its time: a delivery is claimed for a minute, sent, and settled. A worker that
is killed in between leaves a claim that runs out, and another sends again; so a message arrives at least once. Claims skip
what others hold, so several workers share the work. A receiver that fails is asked ever more rarely and holds up nobody.
"""

import asyncio
import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
import psycopg
import structlog
from psycopg import AsyncConnection

from cdp.db.engine import conninfo
from cdp.db.ids import format_id
from cdp.db.rows import as_rows
from cdp.feed import prune_changes
from cdp.settings import Settings, secret_key
from cdp.webhooks.payload import TEST
from cdp.webhooks.planning import STATEMENTS, outlook, plan_page, replay_page
from cdp.webhooks.policy import Outcome, Policy, settle
from cdp.webhooks.sending import Sender
from cdp.webhooks.signing import unseal_webhook_secrets
from cdp.webhooks.targets import Targets

RETRY_SECONDS: Final = 1.0
SHORTEST_PAUSE_SECONDS: Final = 0.05
MOST_CHORES: Final = 10_000
STOP_LOOKING_SECONDS: Final = 0.2

_log = structlog.stdlib.get_logger("cdp.webhooks")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this worker sends."""

    delivery_id: UUID
    endpoint_id: UUID
    kind: str
    body: str
    attempt: int
    tries: int
    url: str
    sealed: list[bytes]


def run_deliveries(settings: Settings, stop: threading.Event, *, policy: Policy | None = None) -> None:
    """Deliver until `stop` is set; what is being sent is finished first. Runs in a thread or as a process's only work."""
    asyncio.run(_run(Courier(settings, policy or Policy()), stop))


async def _run(courier: "Courier", stop: threading.Event) -> None:
    working = asyncio.create_task(courier.work())
    while not stop.is_set() and not working.done():  # noqa: ASYNC110 — an event of threads, which asyncio can't await
        await asyncio.sleep(STOP_LOOKING_SECONDS)
    courier.stop()
    await working


class Courier:
    """Delivers for one worker. `tls` of `Sender` is for tests."""

    def __init__(self, settings: Settings, policy: Policy, *, sender: Sender | None = None) -> None:
        if settings.database_url is None:
            raise AssertionError("webhooks are delivered from a database")
        self._url = settings.database_url
        self._key = secret_key(settings)
        self._settings = settings
        self._policy = policy
        targets = Targets.of(settings.webhook_networks, https_only=settings.is_production)
        self._sender = sender or Sender(targets, policy)
        self._sending: dict[UUID, Claimed] = {}
        self._done: list[dict[str, Any]] = []
        self._awake = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self._is_wanted = True
        self._chores_at = 0.0

    def stop(self) -> None:
        """Take up nothing new, and end when what is being sent is on record."""
        self._is_stopping = True
        self._awake.set()

    async def work(self) -> None:
        """Until told to stop; survives a database that goes away, and whatever one round holds."""
        async with self._sender:
            while not self._is_stopping:
                try:
                    await self._session()
                except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                    _log.warning(
                        "database away", reason=type(error).__name__, sqlstate=getattr(error, "sqlstate", None)
                    )
                except Exception:  # noqa: BLE001 — one bad round must not end the delivering for good
                    _log.exception("round failed")
                else:
                    continue
                await asyncio.sleep(RETRY_SECONDS)

    async def _session(self) -> None:
        """As long as the connections last."""
        async with (
            await AsyncConnection.connect(conninfo(self._url, "cdp_app"), autocommit=True) as listening,
            await AsyncConnection.connect(conninfo(self._url, "cdp_app"), autocommit=True) as connection,
        ):
            await listening.execute("LISTEN change")
            listener = asyncio.create_task(self._listen(listening))
            try:
                while not self._is_stopping and not listener.done():
                    self._awake.clear()
                    if not await self._round(connection):
                        await self._rest()
                while self._tasks or self._done:  # told to stop: what is under way is finished, and recorded
                    self._awake.clear()
                    await self._record(connection)
                    if self._tasks:
                        await self._awake.wait()
            finally:
                listener.cancel()
                with suppress(asyncio.CancelledError):
                    await listener

    async def _listen(self, listening: AsyncConnection[Any]) -> None:
        """Wake when changes are written, a moment later, so that they come in pages; not while nobody wants any."""
        while True:
            async for _ in listening.notifies(stop_after=1):
                pass
            if self._is_wanted:
                self._awake.set()
            await asyncio.sleep(SHORTEST_PAUSE_SECONDS)

    async def _rest(self) -> None:
        """Until something happens, or the clock strikes."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._awake.wait(), self._policy.poll_seconds)

    async def _round(self, connection: AsyncConnection[Any]) -> bool:
        """Whatever there is to do now. Whether there may be more at once."""
        await self._record(connection)
        if time.monotonic() >= self._chores_at:
            self._chores_at = time.monotonic() + self._policy.chores_seconds
            await self._chores(connection)
        seen = await outlook(connection)
        self._is_wanted = seen.endpoints > 0
        if not self._is_wanted:
            return False
        more = seen.wanted_from is not None and await plan_page(connection, wanted_from=seen.wanted_from)
        more = (seen.has_replays and await replay_page(connection)) or more
        claimed = await self._claim(connection)
        for each in claimed:
            self._sending[each.delivery_id] = each
            task = asyncio.create_task(self._deliver(each))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return more or bool(claimed and len(self._sending) < self._policy.most_at_once)

    async def _claim(self, connection: AsyncConnection[Any]) -> list[Claimed]:
        room = self._policy.most_at_once - len(self._sending)
        if room <= 0:
            return []
        busy: dict[str, int] = {}
        for each in self._sending.values():
            busy[str(each.endpoint_id)] = busy.get(str(each.endpoint_id), 0) + 1
        given = {
            "busy": orjson.dumps(busy).decode(),
            "most": room,
            "most_each": self._policy.most_each,
            "rest_after_failures": self._policy.rest_after_failures,
            "lease_seconds": self._policy.lease_seconds,
        }
        rows = await (await connection.execute(STATEMENTS["claim_deliveries"], given)).fetchall()
        return [Claimed(*row) for row in rows]

    async def _deliver(self, claimed: Claimed) -> None:
        """Send, and lay the outcome by to be recorded with others."""
        began, at = time.monotonic(), datetime.now(UTC)
        try:
            outcome = await self._sender.send(
                claimed.url,
                message_id=format_id("whd", claimed.delivery_id),
                body=claimed.body,
                secrets=unseal_webhook_secrets(self._key, claimed.sealed),
            )
        except Exception:  # noqa: BLE001 — a fault of ours must not stop the others
            _log.exception("a delivery failed")
            outcome = Outcome(kind="unreachable", problem="Something failed on our side.")
        self._done.append(self._told(claimed, outcome, at=at, seconds=time.monotonic() - began))
        self._awake.set()

    def _told(self, claimed: Claimed, outcome: Outcome, *, at: datetime, seconds: float) -> dict[str, Any]:
        is_test = claimed.kind == TEST
        luck = random.random()  # noqa: S311 — spreads load, keeps no secret
        settled = settle(self._policy, outcome, tries=claimed.tries, is_test=is_test, now=datetime.now(UTC), luck=luck)
        return {
            "delivery_id": claimed.delivery_id,
            "endpoint_id": claimed.endpoint_id,
            "attempt": claimed.attempt,
            "attempted_at": at,
            "outcome": outcome.kind,
            "status": outcome.status,
            "milliseconds": round(seconds * 1000),
            "excerpt": outcome.excerpt,
            "problem": outcome.problem,
            "state": settled.state,
            "next_attempt_at": settled.next_attempt_at,
            "is_test": is_test,
        }

    async def _record(self, connection: AsyncConnection[Any]) -> None:
        """Put on record how attempts went. Until then they are laid by, and count as under way: nothing more is claimed for an
        endpoint than what its record allows.
        """
        if not self._done:
            return
        told = list(self._done)
        given = {
            "attempts": as_rows(told),
            "rest_after_failures": self._policy.rest_after_failures,
            "rest_seconds": self._policy.rest_seconds,
            "longest_rest_seconds": self._policy.longest_rest_seconds,
            "disable_after_seconds": self._policy.disable_after_seconds,
            "luck": random.uniform(0.8, 1.2),  # noqa: S311 — as above
        }
        disabled = await (await connection.execute(STATEMENTS["record_attempts"], given)).fetchall()
        del self._done[: len(told)]
        for each in told:
            del self._sending[each["delivery_id"]]
        for endpoint_id, reason in disabled:
            _log.warning("webhook disabled", endpoint_id=format_id("whe", endpoint_id), reason=reason)
            self._chores_at = 0.0

    async def _chores(self, connection: AsyncConnection[Any]) -> None:
        """What nobody waits for: deliveries of disabled endpoints die, old ones and old changes are forgotten."""
        await connection.execute(STATEMENTS["bury_deliveries"], {"most": MOST_CHORES})
        kept = {"kept_days": self._settings.webhook_retention_days, "most": MOST_CHORES}
        await connection.execute(STATEMENTS["forget_deliveries"], kept)
        if (kept_days := self._settings.feed_retention_days) is not None:
            forgotten = await prune_changes(connection, kept_days=kept_days)
            if forgotten:
                _log.info("changes forgotten", count=forgotten)
