"""What a stitcher knows of the lanes: it never passes over a message, and never walks through what was done before."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection

from cdp.db.engine import connect
from cdp.db.plans import BY_INDEX
from cdp.db.rows import as_array
from cdp.events.queries import LANES, STATEMENTS, Lanes, take_messages
from tests.ingest.door import make_sender
from tests.worker.inbox import put

Place = tuple[str, UUID, Connection[Any]]


@pytest.fixture
def place(database_url: str) -> Iterator[Place]:
    sender = make_sender(database_url, "shop")
    with connect(database_url, autocommit=True) as connection:
        yield database_url, sender.source_id, connection


def _pages(*names: str) -> list[dict[str, Any]]:
    return [{"type": "page", "anonymousId": name, "messageId": name} for name in names]


def _store(connection: Connection[Any], source_id: UUID, message_id: str) -> None:
    """A message that waits in the third lane."""
    connection.execute(
        """WITH stored AS (
            INSERT INTO inbox (source_id, message_id, lane, body) VALUES (%s, %s, 3, '{}') RETURNING *)
        INSERT INTO waiting_message (lane, seq, source_id, message_id, received_at)
        SELECT lane, seq, source_id, message_id, received_at FROM stored""",
        (source_id, message_id),
    )


@contextmanager
def _long_reader(url: str) -> Iterator[None]:
    """As a dump does, somebody holds a snapshot meanwhile."""
    with connect(url) as dump:
        dump.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        dump.execute("SELECT count(*) FROM waiting_message")
        yield
        dump.rollback()


def _take(connection: Connection[Any], known: Lanes, *, most: int = 6_000) -> list[str]:
    with connection.transaction():
        return [one.message_id for one in take_messages(connection, most=most, most_lanes=LANES, known=known)]


def test_what_was_stored_before_and_committed_later_is_found(place: Place) -> None:
    """All of one lane: a stitcher passed by while the earlier transaction was still running."""
    url, source_id, connection = place
    known = Lanes()
    with connect(url) as slow:
        _store(slow, source_id, "early")
        _store(connection, source_id, "late")
        assert _take(connection, known) == ["late"]
        assert _take(connection, known) == []
        slow.commit()
    assert _take(connection, known) == ["early"]


def test_what_was_rolled_back_waits_again(place: Place) -> None:
    url, source_id, connection = place
    known = Lanes()
    put(url, source_id, _pages("a", "b", "c"))
    with connection.transaction(force_rollback=True):
        assert len(take_messages(connection, most=100, most_lanes=LANES, known=known)) == 3
    assert sorted(_take(connection, known)) == ["a", "b", "c"]
    assert _take(connection, known) == []


def test_what_is_left_of_a_lane_is_taken_in_order(place: Place) -> None:
    url, source_id, connection = place
    known = Lanes()
    put(url, source_id, [{"type": "page", "anonymousId": "a", "messageId": f"m{number}"} for number in range(5)])
    assert _take(connection, known, most=2) == ["m0", "m1"]
    put(url, source_id, [{"type": "page", "anonymousId": "a", "messageId": "m5"}])
    assert _take(connection, known, most=2) == ["m2", "m3"]
    assert _take(connection, known) == ["m4", "m5"]


def test_beside_a_long_reader_a_stitcher_does_not_walk_through_what_is_done(place: Place) -> None:
    """A dump's snapshot keeps every row that was stitched since in the index."""
    url, source_id, connection = place
    known = Lanes()
    with _long_reader(url):
        for batch in range(8):
            put(url, source_id, _pages(*(f"{batch}-{number}" for number in range(500))))
            assert len(_take(connection, known)) == 500
        put(url, source_id, _pages("last"))
        aware, unaware = _pages_read(connection, known), _pages_read(connection, Lanes())
    assert unaware > 1_000, "otherwise this proves nothing"
    assert aware < unaware / 4
    assert _take(connection, known) == ["last"]


def _pages_read(connection: Connection[Any], known: Lanes) -> int:
    """Buffers that looking for what waits touches."""
    explained = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + STATEMENTS["waiting_lanes"]
    with connection.transaction():
        connection.execute(BY_INDEX)
        row = connection.execute(explained, {"settled": as_array(known.settled)}).fetchone()
    assert row is not None
    plan = row[0][0]["Plan"]
    read: int = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return read


def test_a_plan_made_while_nothing_waited_is_not_kept_for_when_much_does(place: Place) -> None:
    """Prepared on an empty table, where reading all of it is cheapest; and then the table is large and full of what is done."""
    url, source_id, connection = place
    known = Lanes()
    put(url, source_id, _pages("first"))
    assert _take(connection, known) == ["first"]
    with connect(url, None, autocommit=True) as admin:
        admin.execute("VACUUM waiting_message")  # of a table that never held anything the planner supposes that it will
    # Long enough that psycopg prepares the statement, and PostgreSQL keeps one plan whatever the arguments.
    for _ in range(12):
        assert _take(connection, known) == []
    with _long_reader(url):
        for batch in range(4):
            put(url, source_id, _pages(*(f"{batch}-{number}" for number in range(500))))
            assert len(_take(connection, known)) == 500
        connection.execute("SELECT pg_stat_force_next_flush()")
        before = _scans(connection)
        for _ in range(5):
            assert _take(connection, known) == []
        connection.execute("SELECT pg_stat_force_next_flush()")
        assert _scans(connection) == before


def _scans(connection: Connection[Any]) -> int:
    """How often the table was read whole."""
    row = connection.execute("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'waiting_message'").fetchone()
    assert row is not None
    read: int = row[0]
    return read
