"""The worker: stitches the inbox as it fills and delivers webhooks, until it is told to stop. Composition only; the work is
in `cdp.ingest` and `cdp.webhooks`.

Stitching sleeps on LISTEN, wakes on the door's NOTIFY or, should one be lost, by polling; when the database goes away it
comes back with it. Two stitch side by side: while the database applies the one's batch, under the customers' lock, the other
reads its own. Where the worker has a process to itself the second has one of its own, too, since two threads of Python share one
core. Several workers may run side by side as well; what they leave behind is what one would.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

import psycopg
import structlog

from cdp.db.engine import connect
from cdp.events.queries import LANES, Lanes
from cdp.ingest.collecting import uncollected
from cdp.ingest.stitching import Stitched, stitch
from cdp.interact.noticing import run_notices
from cdp.logs import configure
from cdp.settings import Settings, load_settings
from cdp.webhooks.delivering import run_deliveries

POLL_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 0.2
"""How often two processes look whether the other is still there, and is to be."""
SWITCH_SECONDS: Final = 0.0005
"""How long one stitcher's reading may keep the other from its next statement; ten times less than Python's own."""
LANES_OF_EACH: Final = LANES // 2

_log = structlog.stdlib.get_logger("cdp.worker")


def run_all(settings: Settings, stop: threading.Event, *, alone: bool = False) -> None:
    """Everything a worker does, each part in a thread of its own, until `stop` is set: stitching, webhooks and notices.

    `alone`: nothing else is done in this process, and a second one stitches beside it. A part that ends unasked ends the others.
    Raises what it raised.
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
    second = _run_process if alone else _run_second
    parts = {"webhooks": run_deliveries, "notices": run_notices, "stitcher": second}
    beside = [threading.Thread(target=run, args=(part,), name=name, daemon=True) for name, part in parts.items()]
    for each in beside:
        each.start()
    try:
        _stitch_until(settings.database_url, stop)
    finally:
        stop.set()
        for each in beside:
            each.join()
    if failures:
        raise failures[0]


def _run_second(settings: Settings, stop: threading.Event) -> None:
    _stitch_second(settings.database_url or "", stop)


def _stitch_second(database_url: str, stop: threading.Event) -> None:
    sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_SECONDS))
    _stitch_until(database_url, stop)


def _run_process(settings: Settings, stop: threading.Event) -> None:
    """Let a second process stitch until `stop` is set; RuntimeError when it ends by itself."""
    second = multiprocessing.get_context("spawn").Process(
        target=_stitch_beside, args=(settings.database_url, os.getpid()), name="stitcher", daemon=True
    )
    second.start()
    while not stop.wait(LOOK_SECONDS) and second.is_alive():
        pass
    if not stop.wait(LOOK_SECONDS):  # unless both were told to stop at once
        message = f"the second stitcher ended with status {second.exitcode}"
        raise RuntimeError(message)
    second.terminate()  # which it takes for a stop
    second.join()


def _stitch_beside(database_url: str, worker: int) -> None:
    """The second process: stitches until it is told to stop, or its worker is gone."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    configure(load_settings())

    def look() -> None:
        while not stop.wait(LOOK_SECONDS):
            if os.getppid() != worker:
                stop.set()

    threading.Thread(target=look, name="look", daemon=True).start()
    _stitch_until(database_url, stop)


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
    known = Lanes()
    with connect(database_url, "cdp_app", autocommit=True) as connection:
        while done := _round(connection, known, most_lanes=LANES).taken:
            taken += done
    return taken


def _round(
    connection: psycopg.Connection[tuple[object, ...]], known: Lanes, *, most_lanes: int = LANES_OF_EACH
) -> Stitched:
    with uncollected():
        return stitch(connection, most_lanes=most_lanes, known=known)


def _work(connection: psycopg.Connection[tuple[object, ...]], stop: threading.Event) -> None:
    known = Lanes()
    while not stop.is_set():
        began = time.perf_counter()
        done = _round(connection, known)
        if done.taken:
            seconds = round(time.perf_counter() - began, 3)
            _log.info("stitched", count=done.taken, failed=done.failed, seconds=seconds)
            continue
        with contextlib.closing(connection.notifies(timeout=POLL_SECONDS, stop_after=1)) as woken:
            for _ in woken:
                break
