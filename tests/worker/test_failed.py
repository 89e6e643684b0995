"""Failed messages on the command line: counted, shown, and told again with no second effect."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg import Connection
from typer.testing import CliRunner

from cdp.cli import app
from cdp.db.engine import connect
from cdp.db.metadata import gather
from cdp.worker import drain
from tests.ingest.door import Sender, make_sender
from tests.live import working
from tests.worker.inbox import put, wait_again

AT = "2026-03-01T10:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A shop and a till whose messages have failed: two orders that can't be understood, and one about nobody."""

    url: str
    database: Connection[Any]

    def cdp(self, *arguments: str, status: int = 0) -> str:
        done = CliRunner().invoke(app, list(arguments))
        assert done.exit_code == status, done.output
        return done.stdout

    def told(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self.cdp(*arguments, "--json", status=status))

    def end_state(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row that isn't about the failing itself."""
        apart = {"failed_message", "audit_record"}
        names = [table.name for table in gather().tables.values() if table.name not in apart]
        return {
            name: self.database.execute(f'SELECT * FROM "{name}" ORDER BY 1, 2'.encode()).fetchall() for name in names
        }


def order(message_id: str, **properties: Any) -> dict[str, Any]:
    properties = {"order_id": message_id, "products": [], **properties}
    event = {"type": "track", "event": "Order Completed", "userId": "u1", "timestamp": AT}
    return {**event, "messageId": message_id, "properties": properties}


@pytest.fixture
def desk(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("CDP_DATABASE_URL", database_url)
    shop: Sender = make_sender(database_url, "shop")
    till: Sender = make_sender(database_url, "till")
    put(
        database_url,
        shop.source_id,
        [order("o1", total=1), order("o2", total=2), order("fine", total=3, currency="EUR")],
    )
    put(database_url, till.source_id, [{"type": "page", "userId": "undefined", "messageId": "p/1", "timestamp": AT}])
    drain(database_url)
    with connect(database_url, autocommit=True) as database:
        yield Desk(url=database_url, database=database)


def test_failed_messages_are_counted_and_listed_a_page_at_a_time(desk: Desk) -> None:
    told = desk.told("failed", "list")
    assert (told["total"], told["next"]) == (3, None)
    assert told["counts"] == [
        {"source": "shop", "stage": "project", "code": "currency_missing", "count": 2},
        {"source": "till", "stage": "decode", "code": "nobody_meant", "count": 1},
    ]
    seen, after = [], None
    while True:
        page = desk.told("failed", "list", "--limit", "1", *(["--after", after] if after else []))
        seen += [one["message_id"] for one in page["failed"]]
        after = page["next"]
        if after is None:
            break
    assert sorted(seen) == ["o1", "o2", "p/1"]
    assert [one["message_id"] for one in desk.told("failed", "list", "--source", "till")["failed"]] == ["p/1"]
    assert desk.told("failed", "list", "--stage", "project")["total"] == 2
    assert desk.told("failed", "list", "--code", "nobody_meant")["total"] == 1
    text = desk.cdp("failed", "list")
    assert all(word in text for word in ("currency_missing", "nobody_meant", "p/1", "shop", "till"))
    assert CliRunner().invoke(app, ["failed", "list", "--stage", "nowhere"]).exit_code == 2
    assert desk.told("failed", "list", "--source", "nobody") == {"total": 0, "counts": [], "failed": [], "next": None}


def test_one_failed_message_is_shown_with_what_was_sent(desk: Desk) -> None:
    told = desk.told("failed", "show", "till", "p/1")
    assert (told["stage"], told["code"], told["attempts"]) == ("decode", "nobody_meant", 1)
    assert told["body"] == {"type": "page", "userId": "undefined", "messageId": "p/1", "timestamp": AT}
    assert '"userId": "undefined"' in desk.cdp("failed", "show", "till", "p/1")
    done = CliRunner().invoke(app, ["failed", "show", "till", "fine"])
    assert done.exception is not None
    assert str(done.exception) == "No message fine of till has failed."


def test_what_is_told_again_and_fails_again_is_told_and_changes_nothing(desk: Desk) -> None:
    before = desk.end_state()
    told = desk.told("failed", "replay", status=1)
    assert told == {"replayed": 3, "done": 0, "failed": 3}
    assert "1 told again: 0 done, 1 failed again." in desk.cdp("failed", "replay", "--message-id", "o1", status=1)
    assert desk.end_state() == before
    attempts = desk.database.execute("SELECT message_id, attempts FROM failed_message ORDER BY 1").fetchall()
    assert attempts == [("o1", 3), ("o2", 2), ("p/1", 2)]


def test_a_contact_that_has_a_key_from_an_earlier_release_is_not_told_twice(desk: Desk) -> None:
    """Contacts of messages had keys of their own before their ids followed from the message."""
    with connect(desk.url, None, autocommit=True) as owner:
        owner.execute("UPDATE interaction SET interaction_id = new_id() WHERE properties ->> 'order_id' = 'o1'")
        owner.execute(
            """INSERT INTO interaction_key (source_id, external_id, record_id, customer_id)
            SELECT source_id, 'o1', interaction_id, customer_id FROM interaction
            WHERE properties ->> 'order_id' = 'o1'"""
        )
        mended = order("o1", total=1, currency="EUR")
        owner.execute("UPDATE inbox SET body = %s WHERE message_id = 'o1'", (json.dumps(mended),))
    before = desk.end_state()
    assert len(before["interaction_key"]) == 1
    assert desk.told("failed", "replay", "--message-id", "o1") == {"replayed": 1, "done": 1, "failed": 0}
    assert desk.end_state()["interaction"] == before["interaction"]


@pytest.mark.parametrize("workers", [0, 2])
def test_told_again_once_or_twice_it_ends_in_the_same_state(desk: Desk, workers: int) -> None:
    """The data are mended where they lie; the second time there is nothing to tell, and nothing changes."""
    with connect(desk.url, None, autocommit=True) as owner:
        mended = order("o1", total=1, currency="EUR")
        owner.execute("UPDATE inbox SET body = %s WHERE message_id = 'o1'", (json.dumps(mended),))
    with working(desk.url, workers=workers):
        assert desk.told("failed", "replay", "--code", "currency_missing", status=1) == {
            "replayed": 2,
            "done": 1,
            "failed": 1,
        }
        after = desk.end_state()
        assert desk.told("failed", "replay", "--message-id", "o1") == {"replayed": 0, "done": 0, "failed": 0}
        # Told once more, by hand, though it is done: as if a replay was cut off behind its commit.
        wait_again(desk.database, "o1")
        while desk.database.execute("SELECT FROM waiting_message").fetchone() is not None:
            drain(desk.url)
    assert desk.end_state() == after
    totals = desk.database.execute("SELECT number, total FROM sales_order ORDER BY number").fetchall()
    assert [(number, float(total)) for number, total in totals] == [("fine", 3.0), ("o1", 1.0)]
