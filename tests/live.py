"""A real server for tests: uvicorn on a free loopback port and the worker beside it, each in a thread of this process."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
import psycopg
import uvicorn
from starlette.types import ASGIApp

from cdp.db.engine import connect
from cdp.worker import run_worker

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
    """Workers on this database."""
    stop = threading.Event()
    threads = [threading.Thread(target=run_worker, args=(database_url, stop), daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=20)


@contextmanager
def live(application: ASGIApp, database_url: str, *, workers: int = 1) -> Iterator[Live]:
    """The application and its workers."""
    with serve(application) as url, working(database_url, workers=workers):
        yield Live(url=url, database_url=database_url)


def client(url: str) -> httpx2.Client:
    """An HTTP client for `url` that takes nothing from the environment."""
    return httpx2.Client(base_url=url, trust_env=False, timeout=30)
