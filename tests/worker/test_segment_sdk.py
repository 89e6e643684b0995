"""Segment's own Python SDK against a running server, changed in nothing but the host."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import segment.analytics

from cdp.db.engine import connect
from tests.ingest.door import Sender, door, make_sender
from tests.live import Live, live


@pytest.fixture
def sender(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Sender:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return make_sender(database_url)


@pytest.fixture
def server(database_url: str, sender: Sender) -> Iterator[Live]:
    with live(door(database_url), database_url) as running:
        yield running


@contextmanager
def _sdk(server: Live, sender: Sender, **options: Any) -> Iterator[segment.analytics.Client]:
    """The SDK's client; leaving waits until all is delivered, and nothing may have gone wrong."""
    errors: list[Exception] = []
    client = segment.analytics.Client(
        write_key=sender.write_key, host=server.url, on_error=lambda error, _items: errors.append(error), **options
    )
    yield client
    if not options.get("sync_mode"):
        client.shutdown()
    assert errors == []


def _tell(client: segment.analytics.Client, *, backwards: bool = False) -> None:
    at = [datetime(2026, 3, 1, 10, minute, tzinfo=UTC) for minute in range(7)]
    calls = [
        lambda: client.page(anonymous_id="a1", name="Home", timestamp=at[0], message_id="s0"),
        lambda: client.identify(
            "u1", {"email": "ana@example.org", "name": "Ana"}, anonymous_id="a1", timestamp=at[1], message_id="s1"
        ),
        lambda: client.track(
            "u1", "Product Viewed", {"sku": "p1", "category": "Books"}, timestamp=at[2], message_id="s2"
        ),
        lambda: client.group("u1", "acme", {"name": "Acme"}, timestamp=at[3], message_id="s3"),
        lambda: client.screen("u1", name="Phone home", timestamp=at[4], message_id="s4"),
        lambda: client.page(anonymous_id="a2", name="Elsewhere", timestamp=at[5], message_id="s5"),
        lambda: client.alias("a2", "u1", timestamp=at[6], message_id="s6"),
    ]
    for call in reversed(calls) if backwards else calls:
        call()


@pytest.mark.parametrize("options", [{}, {"gzip": True}, {"sync_mode": True}, {"upload_size": 1, "thread": 3}])
@pytest.mark.parametrize("backwards", [False, True])
def test_all_six_calls_twice_over_make_one_graph(
    server: Live, sender: Sender, options: dict[str, Any], *, backwards: bool
) -> None:
    for _ in range(2):
        with _sdk(server, sender, **options) as client:
            _tell(client, backwards=backwards)
    server.settle()
    with connect(server.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM inbox").fetchone() == (7,)
        assert connection.execute("SELECT count(*) FROM failed_message").fetchone() == (0,)
        people = connection.execute(
            """SELECT customer.name, email, customer.kind, array_agg(key_value ORDER BY key_value) FROM customer
            JOIN profile USING (customer_id) GROUP BY customer.customer_id ORDER BY customer.name"""
        ).fetchall()
        assert people == [
            ("Acme", None, "organisation", ["acme"]),
            ("Ana", "ana@example.org", "person", ["a1", "a2", "u1"]),
        ]
        contacts = connection.execute(
            """SELECT interaction.kind, interaction.name, topic, product, occurred_at::text FROM interaction
            JOIN customer USING (customer_id) WHERE customer.name = 'Ana' ORDER BY occurred_at"""
        ).fetchall()
        assert contacts == [
            ("page", "Home", None, None, "2026-03-01 10:00:00+00"),
            ("track", "Product Viewed", "Books", "p1", "2026-03-01 10:02:00+00"),
            ("screen", "Phone home", None, None, "2026-03-01 10:04:00+00"),
            ("page", "Elsewhere", None, None, "2026-03-01 10:05:00+00"),
        ]
        belongs = connection.execute(
            """SELECT person.name, organisation.name FROM affiliation
            JOIN customer AS person ON person.customer_id = person_customer_id
            JOIN customer AS organisation ON organisation.customer_id = affiliation.customer_id"""
        ).fetchall()
        assert belongs == [("Ana", "Acme")]


def test_a_wrong_key_is_told_to_the_sdk(server: Live, sender: Sender) -> None:
    client = segment.analytics.Client(write_key="wrong", host=server.url, sync_mode=True, max_retries=1)
    with pytest.raises(Exception, match="unknown_write_key"):
        client.identify("u1")
