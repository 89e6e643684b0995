"""Fixtures for every test: a real PostgreSQL, one server a test process, one fresh migrated database a test that asks."""

import itertools
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import structlog
from psycopg import sql

from cdp.db import embedded
from cdp.db.migrate import migrate

_numbers = itertools.count(1)
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
    with (
        tempfile.TemporaryDirectory(prefix="cdp-test-", ignore_cleanup_errors=True) as folder,
        embedded.start(Path(folder), settings=fast) as running,
    ):
        migrate(running.url())
        yield running


@pytest.fixture
def database_url(server: embedded.EmbeddedServer) -> Iterator[str]:
    """URL (as superuser) of a fresh database at the head of the migrations; dropped afterwards."""
    with _fresh_database(server) as url:
        yield url


@pytest.fixture(scope="module")
def shared_database_url(server: embedded.EmbeddedServer) -> Iterator[str]:
    """As `database_url`, one for all tests of a module: for tests that only read what a module fixture wrote."""
    with _fresh_database(server) as url:
        yield url


@contextmanager
def _fresh_database(server: embedded.EmbeddedServer) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE cdp STRATEGY file_copy").format(sql.Identifier(name)))
    try:
        yield server.url(name)
    finally:
        with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
