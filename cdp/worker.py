"""The worker: stitches the inbox as it fills and delivers webhooks, until it is told to stop. Composition only; the work is
in `cdp.ingest` and `cdp.webhooks`.

Stitching sleeps on LISTEN, wakes on the door's NOTIFY or, should one be lost, by polling; when the database goes away it
comes back with it. Two stitch side by side: while the database applies the one's batch, under the customers' lock, the other
reads its own. Several workers may run side by side, too; what they leave behind is what one would.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

import psycopg
import structlog

from cdp.db.engine import connect
from cdp.events.queries import LANES
from cdp.ingest.collecting import uncollected
from cdp.ingest.stitching import Stitched, stitch
from cdp.interact.noticing import run_notices
from cdp.settings import Settings
from cdp.webhooks.delivering import run_deliveries

POLL_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 1.0
SWITCH_SECONDS: Final = 0.0005
"""How long one stitcher's reading may keep the other from its next statement; ten times less than Python's own."""
LANES_OF_EACH: Final = LANES // 2

_log = structlog.stdlib.get_logger("cdp.worker")


def run_all(settings: Settings, stop: threading.Event) -> None:
    """Everything a worker does, each part in a thread of its own, until `stop` is set: stitching, webhooks and notices.

    A part that ends unasked ends the others. Raises what it raised.
    """
    if settings.database_url is None:
        raise AssertionError("a worker works on a database")
    failures: list[BaseException] = []

    def run(part: Callable[[Settings, threading.Event], None]) -> None:
        try:
            part(settings, stop)
        except Exception as error:  # noqa: BLE001 — raised below, in the thread that is waited for
            failures.append(error)
        finally:
            stop.set()

    # Daemons: one that does not stop in time must not keep the process.
    parts = {"webhooks": run_deliveries, "notices": run_notices}
    beside = [threading.Thread(target=run, args=(part,), name=name, daemon=True) for name, part in parts.items()]
    for each in beside:
        each.start()
    try:
        run_worker(settings.database_url, stop)
    finally:
        stop.set()
        for each in beside:
            each.join()
    if failures:
        raise failures[0]


def run_worker(database_url: str, stop: threading.Event) -> None:
    """Stitch until `stop` is set; the batches at hand are finished first. Runs in a thread or as a process's only work."""
    sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_SECONDS))
    # A daemon: one that does not stop in time must not keep the process.
    beside = threading.Thread(target=_stitch_until, args=(database_url, stop), name="stitcher", daemon=True)
    beside.start()
    _stitch_until(database_url, stop)
    beside.join()


def _stitch_until(database_url: str, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            with connect(database_url, "cdp_app", autocommit=True) as connection:
                connection.execute("LISTEN inbox")
                _work(connection, stop)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            _log.warning("database away", reason=type(error).__name__, sqlstate=getattr(error, "sqlstate", None))
            stop.wait(RETRY_SECONDS)
        except Exception:  # noqa: BLE001
            # Nothing a message holds may end the worker: it is rolled back, told, and tried again after a rest.
            _log.exception("round failed")
            stop.wait(RETRY_SECONDS)


def drain(database_url: str) -> int:
    """Stitch until nothing waits; how many messages were taken. For tests, the demo and one-off runs."""
    taken = 0
    with connect(database_url, "cdp_app", autocommit=True) as connection:
        while done := _round(connection, most_lanes=LANES).taken:
            taken += done
    return taken


def _round(connection: psycopg.Connection[tuple[object, ...]], *, most_lanes: int = LANES_OF_EACH) -> Stitched:
    with uncollected():
        return stitch(connection, most_lanes=most_lanes)


def _work(connection: psycopg.Connection[tuple[object, ...]], stop: threading.Event) -> None:
    while not stop.is_set():
        began = time.perf_counter()
        done = _round(connection)
        if done.taken:
            seconds = round(time.perf_counter() - began, 3)
            _log.info("stitched", count=done.taken, failed=done.failed, seconds=seconds)
            continue
        with contextlib.closing(connection.notifies(timeout=POLL_SECONDS, stop_after=1)) as woken:
            for _ in woken:
                break
