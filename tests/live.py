"""A real server for tests: uvicorn on a free loopback port and the worker beside it, each in a thread of this process."""

import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psycopg
import uvicorn
from starlette.types import ASGIApp

from cdp.db.engine import connect
from cdp.settings import Settings
from cdp.worker import run_all

START_SECONDS = 15
SETTLE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Where the server is, and its database (superuser URL)."""

    url: str
    database_url: str

    def settle(self) -> None:
        """Wait until the worker has nothing left to do."""
        with connect(self.database_url, autocommit=True) as connection:
            wait_until_stitched(connection)


def wait_until_stitched(connection: psycopg.Connection[tuple[object, ...]], seconds: float = SETTLE_SECONDS) -> None:
    """Wait until no message is pending. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while connection.execute("SELECT EXISTS (SELECT FROM waiting_message)").fetchone() != (False,):
        if time.monotonic() > deadline:
            raise TimeoutError("the worker has not caught up")
        time.sleep(0.02)


@contextmanager
def serve(application: ASGIApp) -> Iterator[str]:
    """`application` on a free loopback port; yields its address and shuts it down after."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(application, log_level="warning", log_config=None, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise RuntimeError("the server did not start")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()


@contextmanager
def working(database_url: str, *, workers: int = 1) -> Iterator[None]:
    """Workers on this database, each all that `cdp serve --worker` is beside the server; what they raise is raised."""
    stop, failures = threading.Event(), list[BaseException]()

    def run(settings: Settings) -> None:
        try:
            run_all(settings, stop)
        except Exception as error:  # noqa: BLE001 — raised below, in the thread of the test
            failures.append(error)

    with tempfile.TemporaryDirectory(prefix="cdp-test-") as folder:
        settings = Settings(database_url=database_url, data_dir=Path(folder), secret_key="s" * 48)
        threads = [threading.Thread(target=run, args=(settings,), daemon=True) for _ in range(workers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            # A worker that waits for messages would look for the end once a second only.
            with connect(database_url, autocommit=True) as connection:
                connection.execute("NOTIFY inbox")
            for thread in threads:
                thread.join(timeout=20)
    assert failures == []
    assert not any(thread.is_alive() for thread in threads)


@contextmanager
def live(application: ASGIApp, database_url: str, *, workers: int = 1) -> Iterator[Live]:
    """The application and its workers."""
    with serve(application) as url, working(database_url, workers=workers):
        yield Live(url=url, database_url=database_url)


def client(url: str) -> httpx2.Client:
    """An HTTP client for `url` that takes nothing from the environment."""
    return httpx2.Client(base_url=url, trust_env=False, timeout=30)
