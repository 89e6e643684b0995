"""From the inbox to customers, contacts and orders; and what becomes of messages that cannot be applied."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from cdp.db.engine import connect
from cdp.events.failures import Which
from cdp.ingest.replaying import Replayed, replay_failed
from cdp.ingest.stitching import stitch
from cdp.worker import drain
from tests.identify.world import check
from tests.ingest.door import Sender, make_sender
from tests.live import wait_until_stitched, working
from tests.worker.inbox import put, states, wait_again

AT = "2026-03-01T10:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A source, its database, and a way to tell and stitch."""

    url: str
    sender: Sender
    database: Connection[Any]

    def tell(self, *messages: dict[str, Any]) -> None:
        put(self.url, self.sender.source_id, messages)
        drain(self.url)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.database.execute(query).fetchall()


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    sender = make_sender(database_url, "shop-vigo", channel="store", division="Retail", location="Vigo")
    with connect(database_url, autocommit=True) as database:
        yield Desk(url=database_url, sender=sender, database=database)


def test_a_page_becomes_a_contact_with_channel_topic_duration_and_place(desk: Desk) -> None:
    desk.tell(
        {
            "type": "page",
            "anonymousId": "a1",
            "name": "Garden",
            "timestamp": AT,
            "properties": {"topic": "gardening", "duration": 41.6, "product_id": "p-7"},
        },
        {
            "type": "screen",
            "anonymousId": "a1",
            "category": "Home",
            "timestamp": AT,
            "context": {"location": {"city": "Lugo"}, "division": "Outlet"},
        },
    )
    assert desk.rows(
        """SELECT kind, direction, name, topic, product, channel, division, location, duration_seconds,
        occurred_at::text, time_suspect FROM interaction ORDER BY kind"""
    ) == [
        (
            "page",
            "inbound",
            "Garden",
            "gardening",
            "p-7",
            "store",
            "Retail",
            "Vigo",
            42,
            "2026-03-01 10:00:00+00",
            False,
        ),
        ("screen", "inbound", None, "Home", None, "store", "Outlet", "Lugo", None, "2026-03-01 10:00:00+00", False),
    ]


def test_what_an_anonymous_visitor_did_is_the_customers_after_the_sign_up(desk: Desk) -> None:
    desk.tell({"type": "page", "anonymousId": "a1", "name": "Home"})
    desk.tell({"type": "identify", "userId": "u1", "traits": {"email": "ana@example.org", "name": "Ana"}})
    desk.tell({"type": "identify", "userId": "u1", "anonymousId": "a1"})
    assert desk.rows("SELECT name, email FROM customer") == [("Ana", "ana@example.org")]
    assert desk.rows("SELECT count(*) FROM interaction JOIN customer USING (customer_id)") == [(1,)]
    merge = desk.rows("SELECT kind, rule, cardinality(profile_ids), claim_id IS NOT NULL FROM customer_merge")
    assert merge == [("merge", "identifier", 1, True)]
    check(desk.database)


def test_orders_and_contacts_follow_their_profile_into_a_merge_and_out_again(desk: Desk) -> None:
    def order(number: str, **who: str) -> dict[str, Any]:
        properties = {"order_id": number, "currency": "EUR", "total": 5, "products": [{"name": "Pen", "price": 5}]}
        return {"type": "track", "event": "Order Completed", "timestamp": AT, "properties": properties, **who}

    def holders() -> list[tuple[Any, ...]]:
        return desk.rows(
            """SELECT sales_order.number, (SELECT array_agg(key_value ORDER BY key_value) FROM profile AS one
                WHERE one.customer_id = sales_order.customer_id)
            FROM sales_order JOIN account USING (customer_id, account_id) JOIN order_line USING (customer_id, order_id)
            JOIN interaction ON interaction.customer_id = sales_order.customer_id
                AND interaction.properties ->> 'order_id' = sales_order.number
            JOIN order_key ON order_key.record_id = order_id AND order_key.customer_id = sales_order.customer_id
            JOIN account_key ON account_key.number = account.number AND account_key.customer_id = account.customer_id
            ORDER BY 1"""
        )

    desk.tell(order("guest", anonymousId="a1"), order("member", userId="u1"))
    before = holders()
    assert before == [("guest", ["a1"]), ("member", ["u1"])]
    ids = dict(desk.rows("SELECT key_value, customer_id FROM profile"))
    desk.tell({"type": "identify", "userId": "u1", "anonymousId": "a1", "timestamp": "2026-03-02T00:00:00Z"})
    assert holders() == [("guest", ["a1", "u1"]), ("member", ["a1", "u1"])]
    survivor, other = sorted(ids.values())
    assert desk.rows("SELECT customer_id, target_customer_id FROM customer_redirect") == [(other, survivor)]
    check(desk.database)
    # A late message: on the day before, somebody else had used the device.
    desk.tell({"type": "identify", "userId": "u0", "anonymousId": "a1", "timestamp": "2026-03-01T12:00:00Z"})
    assert holders() == [("guest", ["a1", "u0"]), ("member", ["u1"])]
    assert {key: ids[key] for key in ("a1", "u1")}.items() <= dict(
        desk.rows("SELECT key_value, customer_id FROM profile")
    ).items()
    assert desk.rows("SELECT count(*) FROM customer_redirect") == [(0,)]
    assert desk.rows("SELECT kind FROM customer_merge ORDER BY merged_at, merge_id") == [("merge",), ("split",)]
    check(desk.database)


def test_alias_is_a_recorded_decision(desk: Desk) -> None:
    desk.tell({"type": "page", "anonymousId": "a1"}, {"type": "identify", "userId": "u1"})
    desk.tell({"type": "alias", "userId": "u1", "previousId": "a1", "timestamp": AT})
    assert desk.rows("SELECT count(*) FROM customer") == [(1,)]
    assert desk.rows("SELECT rule FROM customer_merge") == [("alias",)]
    told = desk.rows(
        "SELECT kind, one_value, other_namespace, other_value, actor FROM decision ORDER BY other_namespace"
    )
    actor = f"source:{desk.sender.source_id}"
    assert told == [("link", "u1", "anonymous_id", "a1", actor), ("link", "u1", "user_id", "a1", actor)]


def test_group_ties_a_person_to_an_organisation_and_orders_in_its_context_to_its_account(desk: Desk) -> None:
    desk.tell({"type": "group", "userId": "ana", "groupId": "acme", "traits": {"name": "Acme", "accountNumber": "K-1"}})
    ((organisation, profile),) = desk.rows("SELECT customer_id, profile_id FROM profile WHERE kind = 'organisation'")
    assert desk.rows("SELECT name, kind FROM customer ORDER BY kind") == [("Acme", "organisation"), (None, "person")]
    desk.database.execute(
        "INSERT INTO account (customer_id, profile_id, source_id, number, name, currency)"
        " VALUES (%s, %s, %s, 'K-1', 'Acme', 'EUR')",
        (organisation, profile, desk.sender.source_id),
    )
    desk.database.execute(
        "INSERT INTO account_key (number, account_id, customer_id) SELECT number, account_id, customer_id FROM account"
    )
    order = {"currency": "EUR", "total": 10, "products": [{"name": "Bolt", "price": 5, "quantity": 2}]}
    track = {"type": "track", "userId": "ana", "event": "Order Completed"}
    desk.tell(
        {**track, "properties": {**order, "order_id": "o1"}, "context": {"groupId": "acme"}},
        {**track, "properties": {**order, "order_id": "o2", "account_number": "K-1"}},
        {**track, "properties": {**order, "order_id": "o3"}},
    )
    found = desk.rows(
        """SELECT sales_order.number, account.number LIKE 'C-%', holder.kind, contact.kind, placer.key_value
        FROM sales_order JOIN account USING (customer_id, account_id) JOIN customer AS holder USING (customer_id)
        JOIN profile AS placer ON placer.profile_id = sales_order.profile_id
        LEFT JOIN customer AS contact ON contact.customer_id = contact_customer_id ORDER BY 1"""
    )
    assert found == [
        ("o1", False, "organisation", "person", "ana"),
        ("o2", False, "organisation", "person", "ana"),
        ("o3", True, "person", None, "ana"),
    ]


def test_the_life_of_an_order_ends_the_same_whatever_order_it_is_told_in(desk: Desk) -> None:
    def event(name: str, minute: int, **properties: Any) -> dict[str, Any]:
        told = {"order_id": "o1", "currency": "EUR", **properties}
        return {"type": "track", "userId": "u1", "event": name, "timestamp": f"2026-03-01T10:{minute:02}:00Z",
                "messageId": f"{desk.sender.source_id}-{name}", "properties": told}  # fmt: skip

    first = {"total": "20.004", "products": [{"sku": "a", "name": "Book", "price": 10.002, "quantity": 2}]}
    then = {"total": "12.345", "products": [{"sku": "a", "name": "Book", "price": 12.345, "quantity": 1}]}
    story = [
        event("Order Completed", 0, **first),
        event("Order Updated", 5, **then),
        event("Order Refunded", 9, total=2.5),
    ]
    for message in reversed(story):
        desk.tell(message)
    assert desk.rows("SELECT number, status, total, refunded, currency FROM sales_order") == [
        ("o1", "placed", Decimal("12.35"), Decimal("2.50"), "EUR")
    ]
    assert desk.rows("SELECT product, name, quantity, unit_price, amount FROM order_line") == [
        ("a", "Book", Decimal(1), Decimal("12.35"), Decimal("12.35"))
    ]
    events = [("placed", None), ("updated", None), ("refunded", Decimal("2.50"))]
    assert desk.rows("SELECT kind, amount FROM order_event ORDER BY occurred_at") == events
    desk.tell(event("Order Cancelled", 10))
    assert desk.rows("SELECT status FROM sales_order") == [("cancelled",)]


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"order_id": "o1", "total": 1}, "currency_missing"),
        ({"order_id": "o1", "total": 1, "currency": "ZZZ"}, "unknown_currency"),
        ({"total": 1, "currency": "EUR"}, "order_id_missing"),
        ({"order_id": "o1", "currency": "EUR"}, "total_missing"),
        ({"order_id": "o1", "currency": "EUR", "total": "a lot"}, "amount_unreadable"),
        ({"order_id": "o1", "currency": "EUR", "total": 1e300}, "amount_unreadable"),
        ({"order_id": "o1", "currency": "EUR", "total": 1, "products": [{"price": {}}]}, "amount_unreadable"),
    ],
)
def test_an_order_that_cannot_be_understood_fails_alone_and_the_contact_lands(
    desk: Desk, properties: dict[str, Any], code: str
) -> None:
    desk.tell(
        {"type": "track", "userId": "u1", "event": "Order Completed", "messageId": "bad", "properties": properties},
        {"type": "page", "userId": "u2", "messageId": "good"},
    )
    assert desk.rows("SELECT message_id, stage, code FROM failed_message") == [("bad", "project", code)]
    assert states(desk.database) == {"bad": "failed", "good": "done"}
    assert desk.rows("SELECT count(*) FROM interaction") == [(2,)]
    assert desk.rows("SELECT count(*) FROM sales_order") == [(0,)]


def test_a_message_about_nobody_is_kept_as_failed(desk: Desk) -> None:
    desk.tell({"type": "page", "userId": "null", "messageId": "m1"}, {"type": "page", "userId": "u1"})
    assert desk.rows("SELECT message_id, stage, code, attempts FROM failed_message") == [
        ("m1", "decode", "nobody_meant", 1)
    ]
    assert desk.rows("SELECT count(*) FROM customer") == [(1,)]


def test_a_poisoned_batch_is_halved_until_the_guilty_message_is_found(desk: Desk) -> None:
    """The database is made to refuse one contact; the seven beside it must not suffer, nor their customers."""
    with connect(desk.url, None, autocommit=True) as owner:
        owner.execute("ALTER TABLE interaction ADD CONSTRAINT poison CHECK (name <> 'poison')")
        desk.tell(
            *(
                {"type": "page", "userId": f"u{n}", "messageId": f"m{n}", "name": "poison" if n == 5 else "fine"}
                for n in range(8)
            )
        )
        assert desk.rows("SELECT message_id, stage, code, error FROM failed_message") == [
            ("m5", "identify", "database", "CheckViolation 23514")
        ]
        assert desk.rows("SELECT count(*) FROM interaction") == [(7,)]
        assert desk.rows("SELECT count(*) FROM customer") == [(7,)]
        check(desk.database)
        assert replay_failed(desk.database, Which()) == Replayed(replayed=1, failed=1)
        assert desk.rows("SELECT message_id, attempts FROM failed_message") == [("m5", 2)]
        owner.execute("ALTER TABLE interaction DROP CONSTRAINT poison")
    for _ in range(2):
        replay_failed(desk.database, Which())
        assert desk.rows("SELECT count(*) FROM failed_message") == [(0,)]
        assert desk.rows("SELECT count(*) FROM interaction") == [(8,)]
        assert set(states(desk.database).values()) == {"done"}


def test_replaying_a_message_whose_contact_landed_has_no_second_effect(desk: Desk) -> None:
    desk.tell(
        {"type": "track", "userId": "u1", "event": "Order Completed", "properties": {"order_id": "o1", "total": 1}}
    )
    for attempts in (2, 3):
        assert replay_failed(desk.database, Which(source="shop-vigo")).replayed == 1
        assert desk.rows("SELECT count(*) FROM interaction") == [(1,)]
        assert desk.rows("SELECT attempts FROM failed_message") == [(attempts,)]


def test_nul_in_a_text_is_stored_as_sent_and_read_as_the_replacement_character(desk: Desk) -> None:
    desk.tell({"type": "page", "userId": "u1", "name": "a\x00b", "properties": {"k\x00": ["\x00"]}})
    assert desk.rows("SELECT name, properties FROM interaction") == [("a\ufffdb", {"k\ufffd": ["\ufffd"]})]
    assert "\\u0000" in desk.rows("SELECT body::text FROM inbox")[0][0]


@pytest.mark.parametrize(
    ("times", "expected", "suspect"),
    [
        ({"timestamp": "2026-03-01T10:00:00+02:00"}, "2026-03-01 08:00:00", False),
        ({"timestamp": "2026-03-01T10:00:00"}, "2026-03-01 10:00:00", False),
        ({"timestamp": "1875-01-01T00:00:00Z"}, "1875-01-01 00:00:00", True),
        ({"timestamp": "9999-12-31T23:59:59Z"}, "9999-12-31 23:59:59", True),
        ({"timestamp": "0001-01-01T00:00:00Z", "sentAt": "9999-12-31T23:59:59Z"}, "0001-01-01 00:00:00", True),
    ],
)
def test_times_are_kept_as_given_and_the_unbelievable_flagged(
    desk: Desk, times: dict[str, str], expected: str, *, suspect: bool
) -> None:
    desk.tell({"type": "page", "userId": "u1", **times})
    found = desk.rows("SELECT to_char(occurred_at, 'YYYY-MM-DD HH24:MI:SS'), time_suspect FROM interaction")
    assert found == [(expected, suspect)]


def test_a_senders_wrong_clock_is_taken_out(desk: Desk) -> None:
    """Its clock is ten years slow; the page was seen an hour before it was sent."""
    desk.tell(
        {"type": "page", "userId": "u1", "originalTimestamp": "2016-03-01T09:00:00Z", "sentAt": "2016-03-01T10:00:00Z"}
    )
    found = desk.rows("SELECT received_at - occurred_at = interval '1 hour' FROM interaction, inbox")
    assert found == [(True,)]


def test_what_the_network_took_is_not_skew(desk: Desk) -> None:
    sent_at = (datetime.now(UTC) - timedelta(seconds=2)).isoformat()
    desk.tell({"type": "page", "userId": "u1", "timestamp": "1997-01-18T00:00:00Z", "sentAt": sent_at})
    assert desk.rows("SELECT occurred_at::text FROM interaction") == [("1997-01-18 00:00:00+00",)]


def test_texts_longer_than_an_index_can_hold_stop_nobody(desk: Desk) -> None:
    long = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(1_500))
    traits = {"name": long, "email": long, long: 1, "note": long}
    desk.tell(
        {"type": "identify", "userId": "u1", "traits": traits},
        {"type": "track", "userId": "u1", "event": long, "properties": {"category": long, "sku": long}},
        {"type": "track", "userId": "u1", "event": "Order Completed",
         "properties": {"order_id": long, "currency": "EUR", "total": 1, "purchase_order": long}},
        {"type": "group", "userId": "u1", "groupId": "g1", "traits": traits},
    )  # fmt: skip
    assert desk.rows("SELECT code, error FROM failed_message") == []
    assert desk.rows("SELECT length(name) FROM customer") == [(500,), (500,)]
    assert desk.rows("SELECT DISTINCT traits ->> 'note' FROM customer") == [(long,)]


def test_several_stitchers_end_as_one_would(desk: Desk) -> None:
    people = [
        {
            "type": "identify",
            "userId": f"u{n % 40}",
            "anonymousId": f"a{n % 70}",
            "timestamp": f"2026-03-01T10:{n % 60:02}:00Z",
            "messageId": f"m{n:04}",
            "traits": {"email": f"e{n % 30}@example.org", "n": n},
        }
        for n in range(600)
    ]
    for start in range(0, len(people), 50):
        put(desk.url, desk.sender.source_id, people[start : start + 50])
    stop = threading.Event()

    def small_rounds() -> None:
        with connect(desk.url, autocommit=True) as connection:
            while not stop.is_set():
                stitch(connection, most=20, most_lanes=4)

    threads = [threading.Thread(target=small_rounds) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_until_stitched(desk.database)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    check(desk.database)
    assert desk.rows("SELECT count(*) FROM failed_message") == [(0,)]
    side_by_side = _people(desk)
    wait_again(desk.database)
    tables = ["customer_redirect", "customer_identifier", "identifier", "profile_key", "profile_trait", "profile"]
    for table in [*tables, "claim", "claim_identifier", "customer_merge", "refusal", "customer"]:
        desk.database.execute(f"DELETE FROM {table}")
    drain(desk.url)
    assert _people(desk) == side_by_side


def test_the_worker_wakes_works_and_stops(desk: Desk) -> None:
    with working(desk.url):
        for number in range(3):
            put(desk.url, desk.sender.source_id, [{"type": "page", "userId": f"u{number}"}])
            wait_until_stitched(desk.database, seconds=5)
        with connect(desk.url, None, autocommit=True) as admin:
            admin.execute(
                """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'cdp_app' AND query ~ 'inbox|waiting_message'
                AND pid <> pg_backend_pid()"""
            )
        with connect(desk.url, autocommit=True) as again:
            put(desk.url, desk.sender.source_id, [{"type": "page", "userId": "late"}])
            wait_until_stitched(again, seconds=10)
            assert again.execute("SELECT count(*) FROM customer").fetchone() == (4,)


def _people(desk: Desk) -> list[tuple[Any, ...]]:
    return desk.rows(
        """SELECT array_agg(key_value ORDER BY key_value), customer.email, customer.traits::text,
            (SELECT array_agg(value ORDER BY value) FROM identifier WHERE identifier.customer_id = customer.customer_id)
        FROM customer JOIN profile USING (customer_id) GROUP BY customer.customer_id ORDER BY 1"""
    )
