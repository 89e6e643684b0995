"""A database with a feed, endpoints on it, workers that deliver, and a receiver on loopback."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import psycopg
import pytest

from cdp.access.audit import OPERATOR
from cdp.db.engine import connect
from cdp.feed import Change, append
from cdp.settings import Settings
from cdp.webhooks.delivering import run_deliveries
from cdp.webhooks.endpoints import Desk, Made
from cdp.webhooks.policy import Policy
from tests.webhooks.receiver import Receiver, receiving

T = TypeVar("T")
QUICK = Policy(
    retry_seconds=(0.05, 0.05, 0.05),
    jitter=0,
    timeout_seconds=1.0,
    connect_seconds=1.0,
    lease_seconds=3,
    rest_after_failures=1_000,
    poll_seconds=0.05,
    chores_seconds=0.1,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A database, and the settings of who works on it."""

    database_url: str
    settings: Settings

    def manage(self, act: Callable[[Desk], T]) -> T:
        """What `act` did at the desk, committed."""
        with connect(self.database_url) as connection:
            return act(Desk(connection, self.settings, actor=OPERATOR))

    def endpoint(self, url: str, *kinds: str) -> Made:
        made = self.manage(lambda desk: desk.create(url=url, kinds=kinds))
        assert isinstance(made, Made), made
        return made

    def tell(self, *kinds: str, data: dict[str, Any] | None = None) -> list[UUID]:
        """Changes of these kinds, each about a subject of its own; the subjects."""
        subjects = [uuid4() for _ in kinds]
        with connect(self.database_url) as connection:
            append(
                connection,
                [Change(kind, one, UUID(int=7), data or {}) for kind, one in zip(kinds, subjects, strict=True)],
            )
        return subjects

    @contextmanager
    def delivering(self, policy: Policy = QUICK, *, workers: int = 1) -> Iterator[None]:
        stop = threading.Event()
        threads = [
            threading.Thread(target=run_deliveries, args=(self.settings, stop), kwargs={"policy": policy}, daemon=True)
            for _ in range(workers)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(timeout=20)
            assert not any(thread.is_alive() for thread in threads)

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def states(self) -> dict[str, int]:
        """How many deliveries are in which state."""
        return dict(self.rows("SELECT state, count(*) FROM webhook_delivery GROUP BY state"))

    def until(self, is_so: Callable[[], bool], seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > deadline:
                raise TimeoutError(f"deliveries: {self.states()}")
            time.sleep(0.02)

    def settled(self, **states: int) -> None:
        """Wait until deliveries are in just these states."""
        self.until(lambda: self.states() == states)


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> World:
    settings = Settings(
        database_url=database_url, data_dir=tmp_path, secret_key="s" * 48, webhook_networks="127.0.0.0/8"
    )
    return World(database_url=database_url, settings=settings)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made
