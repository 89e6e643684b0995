"""Fixtures for every test: a real PostgreSQL, one server a test process, one fresh migrated database a test that asks."""

import gc
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from cdp.db import embedded
from cdp.db.migrate import migrate
from tests.databases import Databases, folder_for_servers

# With all modules of the product and the tests loaded, collecting after every 700 new objects takes a tenth to a quarter of the
# time.
gc.set_threshold(50_000, 20, 100)
# The same examples in each run, so that what lands has passed them; TEST_ARGS="--hypothesis-profile=default" draws others.
settings.register_profile("repeatable", derandomize=True, database=None)
settings.load_profile("repeatable")
# Code under test logs plainly: drawing a traceback for a person takes a second, and nobody reads it here.
structlog.configure(processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer(default=repr)])


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """Whatever a test configures, the next one logs as before: never into a stream that pytest has closed."""
    root = logging.getLogger()
    handlers, level, structured = list(root.handlers), root.level, structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**structured)


@pytest.fixture(scope="session")
def server() -> Iterator[embedded.EmbeddedServer]:
    """An embedded server of this test process, with a migrated template database."""
    # Durability is not what most tests are about; those about it start their own server.
    fast = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}
    small = {"max_wal_size": "256MB"}  # its files are in memory, mostly
    with (
        tempfile.TemporaryDirectory(prefix="cdp-test-", dir=folder_for_servers(), ignore_cleanup_errors=True) as folder,
        embedded.start(Path(folder), settings=fast | small) as running,
    ):
        migrate(running.url())
        yield running


@pytest.fixture(scope="session")
def databases(server: embedded.EmbeddedServer) -> Databases:
    """Copies of the server's databases, for fixtures that need one as they have made it."""
    return Databases(server)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """URL (as superuser) of a fresh database at the head of the migrations."""
    with databases.copy() as url:
        yield url


@pytest.fixture(scope="module")
def shared_database_url(databases: Databases) -> Iterator[str]:
    """As `database_url`, one for all tests of a module: for tests that only read what a module fixture wrote."""
    with databases.copy() as url:
        yield url
