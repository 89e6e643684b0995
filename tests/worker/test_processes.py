"""`cdp work` as it runs: two processes that stitch, neither of which outlives the other."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from cdp.db.engine import connect
from tests.ingest.door import make_sender
from tests.live import wait_until_stitched
from tests.worker.inbox import put

WORK = (sys.executable, "-c", "from cdp.cli import main; main()", "work")
PATIENCE = 30


@contextmanager
def at_work(database_url: str) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """The worker, and the process that stitches beside it."""
    environment = {**os.environ, "CDP_DATABASE_URL": database_url, "CDP_SHUTDOWN_SECONDS": "10"}
    with subprocess.Popen(WORK, env=environment) as worker:
        try:
            wait_for(lambda: stitchers(worker.pid))
            (beside,) = stitchers(worker.pid)
            yield worker, beside
        finally:
            worker.kill()


def stitchers(worker: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(worker)], capture_output=True, check=False)
    return [int(each) for each in listed.stdout.split() if "spawn_main" in command(int(each))]


def command(pid: int) -> str:
    """What runs there; nothing once it ended, whether or not anybody has noticed."""
    asked = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    told = subprocess.run(asked, capture_output=True, check=False, text=True).stdout
    return "" if "<defunct>" in told else told


def wait_for(found: Callable[[], object]) -> None:
    ends_at = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < ends_at, "it did not come about"
        time.sleep(0.05)


def test_two_processes_stitch_and_stop_when_told(database_url: str) -> None:
    sender = make_sender(database_url, "web")
    with at_work(database_url) as (worker, beside):
        put(database_url, sender.source_id, [{"type": "page", "userId": f"u{number}"} for number in range(50)])
        with connect(database_url, autocommit=True) as connection:
            wait_until_stitched(connection, seconds=PATIENCE)
            assert connection.execute("SELECT count(*) FROM customer").fetchone() == (50,)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE) == 0
        wait_for(lambda: not command(beside))


@pytest.mark.parametrize("which", ["worker", "beside"])
def test_neither_outlives_the_other(database_url: str, which: str) -> None:
    with at_work(database_url) as (worker, beside):
        os.kill(worker.pid if which == "worker" else beside, signal.SIGKILL)
        assert worker.wait(PATIENCE) == (-signal.SIGKILL if which == "worker" else 1)
        wait_for(lambda: not command(beside))
