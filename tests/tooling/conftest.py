"""Fixtures of the tests of processes and commands."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A fresh data directory for an embedded server that another process starts; a server that is left in it is ended.

    Not pytest's `tmp_path`: pytest closes its folder to other users whenever a test process starts, and as root the
    server runs as one.
    """
    with tempfile.TemporaryDirectory(prefix="cdp-test-", ignore_cleanup_errors=True) as folder:
        path = Path(folder)
        yield path
        pid = path / "postgres" / "postmaster.pid"
        if pid.exists():
            os.kill(int(pid.read_text().splitlines()[0]), signal.SIGQUIT)
