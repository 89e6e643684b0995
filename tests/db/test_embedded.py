"""The embedded server survives what happens while it starts: a kill in the middle of its making, and two at once."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from cdp.db import embedded

PROGRAM = "import sys; from pathlib import Path; from cdp.db import embedded; embedded.start(Path(sys.argv[1]))"


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cdp-embedded-", ignore_cleanup_errors=True) as path:
        yield Path(path)


def test_a_start_that_was_killed_while_the_cluster_was_made_is_made_anew(folder: Path) -> None:
    killed = subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder)], start_new_session=True)
    deadline = time.monotonic() + 30
    while not [*folder.glob("*/PG_VERSION")]:
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    killed.kill()
    killed.wait()
    assert not (folder / "postgres").exists(), "killed too late to be half-way"
    with embedded.start(folder) as server, psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_of_two_who_start_at_once_one_does_and_both_are_served(folder: Path) -> None:
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(lambda _: embedded.start(folder), range(2))
    assert {first.started_here, second.started_here} == {True, False}
    assert first.url() == second.url()
    with psycopg.connect(first.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    first.stop()
