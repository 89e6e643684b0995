"""What is looked up before the customers' lock is held counts as long as nobody moved."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection

from cdp.db.engine import connect
from cdp.db.locks import hold_customers_exclusive
from cdp.identify import Attached, ClaimDraft, attach
from cdp.identify.gathering import gather
from cdp.identify.looking_ahead import look_ahead
from tests.identify.world import check, draft, make_sources, tell

Two = tuple[Connection[Any], Connection[Any], dict[str, UUID]]


@pytest.fixture
def two(database_url: str) -> Iterator[Two]:
    with connect(database_url, autocommit=True) as one, connect(database_url, autocommit=True) as other:
        yield one, other, make_sources(one, ["web", "shop"])


def told_while(two: Two, mine: list[ClaimDraft], theirs: list[ClaimDraft]) -> list[Attached]:
    """Where `mine` are attached, when `theirs` are told between the look ahead and the lock."""
    one, other, _ = two
    with one.transaction():
        told = gather(mine, {})
        foreseen = look_ahead(one, told)
        tell(other, theirs)
        hold_customers_exclusive(one)
        return attach(one, told, foreseen=foreseen)


def homes(connection: Connection[Any]) -> dict[str, UUID]:
    return dict(connection.execute("SELECT key_value, customer_id FROM profile").fetchall())


def test_whoever_moved_meanwhile_is_found_where_they_are(two: Two) -> None:
    one, _, sources = two
    customer_7 = {"key": "crm_id:7", "source": "shop"}
    tell(one, [draft(sources, {"key": "user_id:u1"}, 1), draft(sources, customer_7, 2)])
    before = homes(one)
    mine = draft(sources, {**customer_7, "traits": {"name": "Ana"}}, 9)
    same = {"says": ["email:ana@example.org"]}
    theirs = [draft(sources, {"key": "user_id:u1", **same}, 3), draft(sources, {**customer_7, **same}, 4)]
    (attached,) = told_while(two, [mine], theirs)
    after = homes(one)
    assert after["7"] == after["u1"] != before["7"]
    assert attached.customer_id == after["7"]
    assert one.execute("SELECT name FROM customer").fetchall() == [("Ana",)]
    check(one)


def test_who_came_meanwhile_is_not_made_twice(two: Two) -> None:
    one, _, sources = two
    mine = [draft(sources, {"key": "anonymous_id:a1", "says": ["email:ana@example.org"]}, 3)]
    told_while(two, mine, [draft(sources, {"key": "anonymous_id:a1", "says": ["email:ana@example.org"]}, 2)])
    assert one.execute("SELECT count(*) FROM customer").fetchone() == (1,)
    assert one.execute("SELECT count(*) FROM claim").fetchone() == (1,)
    check(one)


def test_a_claims_first_and_last_time_hold_whoever_tells_them_first(two: Two) -> None:
    one, _, sources = two
    tell(one, [draft(sources, {"key": "anonymous_id:a1"}, 10)])
    earlier, later = (draft(sources, {"key": "anonymous_id:a1"}, number) for number in (5, 20))
    told_while(two, [draft(sources, {"key": "anonymous_id:a1"}, 15)], [earlier, later])
    told_while(two, [draft(sources, {"key": "anonymous_id:a1"}, 7)], [draft(sources, {"key": "anonymous_id:a1"}, 6)])
    found = one.execute(
        "SELECT first_message_id, extract(minute FROM first_at), extract(minute FROM last_at) FROM claim"
    )
    assert found.fetchall() == [("m0005", 5, 20)]
    assert one.execute("SELECT extract(minute FROM first_seen_at) FROM customer").fetchone() == (5,)
    check(one)
