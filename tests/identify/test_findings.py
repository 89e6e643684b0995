"""The queue's way in: the same finding is listed once, and what was decided never comes back."""

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import Connection

from cdp.db.engine import connect
from cdp.db.ids import time_ordered_id
from cdp.identify.findings import Finding, open_reviews
from cdp.identify.identifier import Identifier

ONE, OTHER = time_ordered_id(), time_ordered_id()
MAILBOX = Identifier("email", "info@example.org")


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    with connect(database_url, "cdp_app", autocommit=True) as opened:
        yield opened


def listed(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT kind, state, value, weight, explanation FROM review ORDER BY found_at").fetchall()


def test_the_same_finding_is_listed_once_whoever_finds_it_and_in_whatever_order(connection: Connection[Any]) -> None:
    shared = Finding(kind="shared", identifier=MAILBOX)
    pair = Finding(kind="refusal", customer_ids=(ONE, OTHER), identifier=MAILBOX)
    assert open_reviews(connection, [shared, pair, shared]) == 2
    again = Finding(kind="refusal", customer_ids=(OTHER, ONE), identifier=Identifier("phone", "+34600000001"))
    assert open_reviews(connection, [again, shared]) == 0
    assert sorted(kind for kind, *_ in listed(connection)) == ["refusal", "shared"]


def test_a_match_found_again_is_weighed_anew_until_it_is_decided(connection: Connection[Any]) -> None:
    def found(weight: float) -> Finding:
        return Finding(kind="match", customer_ids=(ONE, OTHER), weight=weight, explanation={"name": "same"})

    assert open_reviews(connection, [found(3.5)]) == 1
    assert open_reviews(connection, [found(7.25)]) == 0
    assert listed(connection) == [("match", "open", None, 7.25, {"name": "same"})]
    connection.execute("UPDATE review SET state = 'refused', decided_at = now()")
    assert open_reviews(connection, [found(9.0)]) == 0
    assert listed(connection) == [("match", "refused", None, 7.25, {"name": "same"})]


def test_nothing_found_costs_nothing(connection: Connection[Any]) -> None:
    assert open_reviews(connection, []) == 0
    assert listed(connection) == []
