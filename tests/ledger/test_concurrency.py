"""Writers at the same time end as if one had come after the other: no order twice, no invoice paid twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Barrier
from typing import Any, TypeVar
from uuid import UUID

from psycopg import Connection

from cdp.db.engine import connect
from cdp.ledger.accounts import ConsumerAccount, ensure_consumer_accounts
from cdp.ledger.allocations import AllocationRecord, record_allocations
from cdp.ledger.entries import record_entries
from cdp.ledger.orders import OrderEventRecord, OrderRecord, record_orders
from tests.ledger.notation import SOURCE, a_ledger

WRITERS = 8
Result = TypeVar("Result")


def at_once(database_url: str, write: Callable[[Connection[Any], int], Result]) -> list[Result]:
    """What each of the writers got, all having begun together."""
    barrier = Barrier(WRITERS)

    def run(number: int) -> Result:
        with connect(database_url) as connection:
            connection.execute("SELECT 1")
            barrier.wait(timeout=30)
            return write(connection, number)

    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(run, range(WRITERS)))


def test_an_invoice_is_not_paid_twice(database_url: str) -> None:
    with connect(database_url) as connection:
        ledger = a_ledger(connection)
        entries = [ledger.entry("I", ["2026-01-01", "invoice", "I", "100.00"])]
        entries += [ledger.entry(f"P{n}", ["2026-01-02", "payment", f"P{n}", "-60.00"]) for n in range(WRITERS)]
        assert record_entries(connection, entries) == []

    def pay(connection: Connection[Any], number: int) -> list[str]:
        allocation = AllocationRecord(
            source_id=SOURCE,
            external_id=f"A{number}",
            credit=ledger.name(f"P{number}"),
            debit=ledger.name("I"),
            amount=Decimal(60),
            allocated_on=date(2026, 1, 3),
        )
        return [refusal.code for refusal in record_allocations(connection, [allocation])]

    assert sorted(at_once(database_url, pay)) == [[]] + [["exceeds_open"]] * (WRITERS - 1)
    with connect(database_url) as connection:
        assert connection.execute("SELECT sum(amount) FROM allocation").fetchone() == (Decimal(60),)


def test_an_order_told_by_many_is_one_order_in_one_account(database_url: str) -> None:
    customer, profile, now = UUID(int=0xA), UUID(int=0xAA), datetime(2026, 3, 1, tzinfo=UTC)

    def tell(connection: Connection[Any], number: int) -> UUID:
        wanted = ConsumerAccount(profile_id=profile, customer_id=customer, currency="EUR", name="Ann", source_id=SOURCE)
        account_id = ensure_consumer_accounts(connection, [wanted])[customer]
        order = OrderRecord(
            source_id=SOURCE,
            external_id="1",
            version=number,
            number="1",
            customer_id=customer,
            account_id=account_id,
            profile_id=profile,
            channel="web",
            placed_at=now,
            currency="EUR",
            total=Decimal(number),
            lines=(),
            events=(OrderEventRecord(kind="placed", occurred_at=now, record_key="placed"),),
        )
        record_orders(connection, [order])
        return account_id

    assert len(set(at_once(database_url, tell))) == 1
    with connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM account").fetchone() == (1,)
        assert connection.execute("SELECT version, total FROM sales_order").fetchall() == [(WRITERS - 1, WRITERS - 1)]
        assert connection.execute("SELECT count(*) FROM order_event").fetchone() == (1,)
