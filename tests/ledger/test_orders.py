"""Orders and accounts are recorded once per telling, newest version on top, and follow their profile to another
customer.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection

from cdp.db.engine import connect
from cdp.db.metadata import metadata
from cdp.ledger.accounts import AccountRecord, ConsumerAccount, ensure_consumer_accounts, record_accounts
from cdp.ledger.moves import KEYS, OF_AN_ACCOUNT
from cdp.ledger.orders import OrderEventRecord, OrderLine, OrderRecord, newest_of, record_orders
from cdp.ledger.queries import find_accounts, rehome

SOURCE, ANNA, BERTA = UUID(int=1), UUID(int=0xA), UUID(int=0xB)
ANNA_AT_SHOP, BERTA_AT_SHOP = UUID(int=0xAA), UUID(int=0xBB)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[Any]]:
    with connect(database_url, "cdp_app") as connection:
        yield connection


def an_account(**changes: Any) -> AccountRecord:
    told: dict[str, Any] = {
        "source_id": SOURCE,
        "number": "K-1001",
        "customer_id": ANNA,
        "profile_id": ANNA_AT_SHOP,
        "name": "Anna Ltd",
        "currency": "EUR",
    }
    return AccountRecord(**(told | changes))


def a_line(line_no: int = 1, *, quantity: str = "2", **changes: Any) -> OrderLine:
    told: dict[str, Any] = {
        "line_no": line_no,
        "product": f"P{line_no}",
        "name": f"Product {line_no}",
        "quantity": Decimal(quantity),
        "unit_price": Decimal("5.00"),
        "amount": Decimal("10.00"),
    }
    return OrderLine(**(told | changes))


def an_order(account_id: UUID, **changes: Any) -> OrderRecord:
    told: dict[str, Any] = {
        "source_id": SOURCE,
        "external_id": "1",
        "version": 1,
        "number": "SO-1",
        "customer_id": ANNA,
        "account_id": account_id,
        "profile_id": ANNA_AT_SHOP,
        "channel": "web",
        "placed_at": NOON,
        "currency": "EUR",
        "total": Decimal("20.00"),
        "lines": (a_line(1), a_line(2)),
        "events": (OrderEventRecord(kind="placed", occurred_at=NOON, record_key="placed"),),
    }
    return OrderRecord(**(told | changes))


def told(connection: Connection[Any], what: str) -> list[tuple[Any, ...]]:
    return connection.execute(what).fetchall()


def test_an_account_is_found_by_its_number_and_updated_by_a_newer_version_only(connection: Connection[Any]) -> None:
    ids = record_accounts(connection, [an_account(version=2, tier="key", credit_limit=Decimal("500.00"))])
    assert record_accounts(connection, [an_account(version=1, name="Older")]) == ids
    assert told(connection, "SELECT name, tier, credit_limit FROM account") == [("Anna Ltd", "key", Decimal("500.00"))]
    record_accounts(connection, [an_account(version=3, name="Newer")])
    assert told(connection, "SELECT name, tier, credit_limit, version FROM account") == [("Newer", "standard", None, 3)]
    assert find_accounts(connection, ["K-1001", "K-9"])["K-1001"].account_id == ids["K-1001"]


def test_the_same_account_again_changes_no_row(connection: Connection[Any]) -> None:
    record_accounts(connection, [an_account()])
    before = told(connection, "SELECT ctid, * FROM account")
    record_accounts(connection, [an_account()])
    assert told(connection, "SELECT ctid, * FROM account") == before


def test_a_consumer_gets_one_account_with_the_first_order(connection: Connection[Any]) -> None:
    wanted = ConsumerAccount(profile_id=ANNA_AT_SHOP, customer_id=ANNA, currency="EUR", name="Anna", source_id=SOURCE)
    first = ensure_consumer_accounts(connection, [wanted, wanted])
    assert ensure_consumer_accounts(connection, [wanted]) == first == {ANNA: first[ANNA]}
    assert told(connection, "SELECT account_id, number, name FROM account") == [(first[ANNA], "C-1000001", "Anna")]


def test_an_order_told_twice_is_one_order_with_one_event(connection: Connection[Any]) -> None:
    account_id = record_accounts(connection, [an_account()])["K-1001"]
    record_orders(connection, [an_order(account_id)])
    tables = ("sales_order", "order_line", "order_event", "order_key")
    before = [told(connection, f"SELECT ctid, * FROM {table} ORDER BY 2") for table in tables]
    assert [len(rows) for rows in before] == [1, 2, 1, 1]
    record_orders(connection, [an_order(account_id), an_order(account_id)])
    assert [told(connection, f"SELECT ctid, * FROM {table} ORDER BY 2") for table in tables] == before


def test_an_older_version_changes_nothing_and_a_newer_one_replaces_the_lines(connection: Connection[Any]) -> None:
    account_id = record_accounts(connection, [an_account()])["K-1001"]
    record_orders(connection, [an_order(account_id, version=5)])
    record_orders(connection, [an_order(account_id, version=4, total=Decimal("1.00"), lines=())])
    assert told(connection, "SELECT total, version FROM sales_order") == [(Decimal("20.00"), 5)]
    record_orders(
        connection, [an_order(account_id, version=6, total=Decimal("12.00"), lines=(a_line(2, amount=Decimal(12)),))]
    )
    assert told(connection, "SELECT total, version FROM sales_order") == [(Decimal("12.00"), 6)]
    assert told(connection, "SELECT line_no, amount FROM order_line") == [(2, Decimal("12.00"))]


@pytest.mark.parametrize("order_of_telling", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_refund_and_cancellation_count_whatever_arrives_first(
    connection: Connection[Any], order_of_telling: tuple[int, ...]
) -> None:
    account_id = record_accounts(connection, [an_account()])["K-1001"]
    refund = OrderEventRecord(kind="refunded", occurred_at=NOON, record_key="r1", amount=Decimal("7.50"))
    cancel = OrderEventRecord(kind="cancelled", occurred_at=NOON, record_key="c1")
    records = [
        an_order(account_id),
        an_order(account_id, lines=None, version=9, total=Decimal(0), events=(refund,)),
        an_order(account_id, lines=None, version=9, total=Decimal(0), events=(cancel, refund)),
    ]
    for index in order_of_telling:
        record_orders(connection, [records[index]])
    assert told(connection, "SELECT status, refunded, total FROM sales_order") == [
        ("cancelled", Decimal("7.50"), Decimal("20.00"))
    ]
    assert told(connection, "SELECT kind FROM order_event ORDER BY kind") == [
        ("cancelled",),
        ("placed",),
        ("refunded",),
    ]


def test_a_promised_day_that_changes_is_told_with_both_days(connection: Connection[Any]) -> None:
    account_id = record_accounts(connection, [an_account()])["K-1001"]
    first, second = date(2026, 3, 10), date(2026, 3, 17)
    later = NOON.replace(hour=15)
    record_orders(connection, [an_order(account_id, promised_on=first)])
    record_orders(connection, [an_order(account_id, version=3, promised_on=second, told_at=later)])
    record_orders(connection, [an_order(account_id, version=3, promised_on=second, told_at=later)])
    record_orders(connection, [an_order(account_id, version=2, promised_on=first)])
    changed = "SELECT kind, occurred_at, promised_from, promised_on FROM order_event WHERE promised_on IS NOT NULL"
    assert told(connection, changed) == [("updated", later, first, second)]


def test_of_one_batch_the_highest_full_version_is_the_content() -> None:
    full = [an_order(UUID(int=7), version=version) for version in (1, 3, 2)]
    assert newest_of([an_order(UUID(int=7), lines=None, version=9), *full])[SOURCE, "1"].version == 3


def test_a_moving_profile_takes_its_account_with_everything_in_it(connection: Connection[Any]) -> None:
    account_id = record_accounts(connection, [an_account()])["K-1001"]
    record_orders(connection, [an_order(account_id, contact_customer_id=ANNA)])
    fill_every_table(connection, account_id)
    rehome(connection, [(ANNA_AT_SHOP, ANNA, BERTA)])
    for table in (*OF_AN_ACCOUNT, *KEYS):
        assert told(connection, f"SELECT DISTINCT customer_id FROM {table.name}") == [(BERTA,)], table.name
    assert told(connection, "SELECT customer_id FROM account_key") == [(BERTA,)]
    assert told(connection, "SELECT contact_customer_id, profile_id FROM sales_order") == [(BERTA, ANNA_AT_SHOP)]
    rehome(connection, [(BERTA_AT_SHOP, BERTA, ANNA)])
    assert told(connection, "SELECT customer_id FROM account") == [(BERTA,)]


def test_a_new_holder_in_the_source_moves_the_account(connection: Connection[Any]) -> None:
    account_id = record_accounts(connection, [an_account()])["K-1001"]
    record_orders(connection, [an_order(account_id)])
    record_accounts(connection, [an_account(customer_id=BERTA, profile_id=BERTA_AT_SHOP)])
    assert told(connection, "SELECT customer_id, profile_id FROM account") == [(BERTA, BERTA_AT_SHOP)]
    assert told(connection, "SELECT customer_id, account_id FROM sales_order") == [(BERTA, account_id)]
    record_orders(connection, [an_order(account_id, customer_id=BERTA, version=2, total=Decimal("30.00"))])
    assert told(connection, "SELECT customer_id, total FROM sales_order") == [(BERTA, Decimal("30.00"))]


def fill_every_table(connection: Connection[Any], account_id: UUID) -> None:
    """One row of the account in each table that belongs to one, so that a table forgotten by the move is seen."""
    values = {UUID: UUID(int=5), str: "x", Decimal: Decimal(1), date: date(2026, 1, 1), int: 1, bytes: b"x"}
    given = {"customer_id": ANNA, "account_id": account_id, "currency": "EUR", "source_id": SOURCE, "format": "csv"}
    for table in OF_AN_ACCOUNT:
        if told(connection, f"SELECT FROM {table.name}"):
            continue
        row = {
            column.name: given.get(column.name, values.get(column.type.python_type, NOON))
            for column in table.columns
            if not column.nullable and column.name != "version" and column.server_default is None
        }
        row |= {"status": "shipped"} if "status" in row else {}
        row |= {"kind": "open_item" if table.name == "issued_statement" else "invoice"} if "kind" in row else {}
        connection.execute(
            f"INSERT INTO {table.name} ({', '.join(row)}) VALUES ({', '.join(f'%({name})s' for name in row)})", row
        )
    for key in KEYS:
        kind = "sales_order" if key.name == "order_key" else key.name.removesuffix("_key")
        record_id = list(metadata.tables[kind].primary_key.columns)[1].name
        connection.execute(
            f"INSERT INTO {key.name} (source_id, external_id, record_id, customer_id)"
            f" SELECT %s, 'x', {record_id}, customer_id FROM {kind} LIMIT 1",
            [SOURCE],
        )
