"""Real purchases, told by Segment's own SDK to a running server: all there, to the cent, and once."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
import segment.analytics
from psycopg import Connection

from cdp.db.engine import connect
from tests.ingest.door import door, make_sender
from tests.live import live
from tests.worker.cdnow import Purchase, purchases, replay


@pytest.fixture
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's HTTP library must not look for a proxy on the way to this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def failures() -> Iterator[list[object]]:
    """What the SDK could not deliver; must stay empty."""
    found: list[object] = []
    yield found
    assert found == []


def test_every_purchase_of_the_sample_arrives_once_and_to_the_cent(
    database_url: str, failures: list[object], direct: None
) -> None:
    told = list(purchases("sample"))
    assert len(told) == 6_919
    sender = make_sender(database_url)
    with live(door(database_url), database_url) as server, connect(database_url, autocommit=True) as connection:

        def shop() -> segment.analytics.Client:
            return segment.analytics.Client(
                write_key=sender.write_key, host=server.url, on_error=lambda error, _: failures.append(error), gzip=True
            )

        first = shop()
        replay(first, told)
        first.join()
        server.settle()
        assert _count(connection, "customer") == 2_357
        assert _count(connection, "account") == 2_357
        assert _count(connection, "interaction") == 6_919
        assert _count(connection, "failed_message") == 0
        assert _totals(connection) == _sums(told)
        assert _count(connection, "sales_order") == 6_919
        before = _everything(connection)
        second = shop()
        replay(second, told)
        second.join()
        server.settle()
        assert _everything(connection) == before


def _sums(told: Sequence[Purchase]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for purchase in told:
        sums[purchase.customer] = sums.get(purchase.customer, Decimal(0)) + purchase.dollars
    return sums


def _totals(connection: Connection[Any]) -> dict[str, Decimal]:
    rows = connection.execute(
        "SELECT key_value, sum(total) FROM sales_order JOIN profile USING (customer_id, profile_id) GROUP BY key_value"
    )
    return dict(rows.fetchall())


def _count(connection: Connection[Any], table: str) -> object:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return row and row[0]


def _everything(connection: Connection[Any]) -> list[object]:
    """A digest of every row of every table that a replay could touch."""
    facts = ("inbox", "interaction", "account", "sales_order", "order_line", "order_event", "failed_message")
    identity = ("customer", "profile", "claim", "identifier", "customer_identifier", "customer_merge")
    return [
        connection.execute(
            f"SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} AS t"
        ).fetchone()
        for table in (*facts, *identity)
    ]
