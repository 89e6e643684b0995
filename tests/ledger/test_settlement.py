"""What is left of single entries, which must be what the open-item statement of the same day says of them."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import FromClause, Select, select

from cdp.db.engine import connect
from cdp.ledger import settlement
from cdp.ledger.tables import ledger_entry
from tests.ledger.notation import Ledger, a_ledger


@pytest.fixture
def ledger(shared_database_url: str) -> Iterator[Ledger]:
    with connect(shared_database_url, "cdp_app") as connection:
        yield a_ledger(connection)


def standing(row: FromClause) -> Select[Any]:
    """Every entry posted by the row's last day, by number, as it stands then."""
    entry, as_of = ledger_entry.alias("standing"), row.c.to_on
    return (
        select(
            entry.c.document_number,
            settlement.settlement(entry, as_of).label("settlement"),
            settlement.open_amount(entry, as_of).label("left"),
            settlement.days_late(entry, as_of).label("days_late"),
        )
        .where(
            entry.c.customer_id == row.c.customer_id,
            entry.c.account_id == row.c.account_id,
            entry.c.posted_on <= as_of,
        )
        .order_by(entry.c.document_number)
        .correlate_except(entry)
    )


def stands(ledger: Ledger, to_on: str) -> list[str]:
    return [" ".join(str(value) for value in row.values()) for row in ledger.read(standing, to_on)]


def test_an_entry_stands_as_its_allocations_and_reversals_of_that_day_say(ledger: Ledger) -> None:
    ledger.post("""
        2026-01-05 invoice INV-1 100.00 due 2026-02-04
        2026-01-06 invoice INV-2 40.00
        2026-01-20 payment PAY-1 -130.00
        2026-01-20 PAY-1 -> INV-1 60.00
        2026-02-10 PAY-1 -> INV-1 40.00
        2026-03-01 reverse INV-2 as INV-2R""")
    assert stands(ledger, "2026-01-19") == ["INV-1 open 100.00 0", "INV-2 open 40.00 13"]
    assert stands(ledger, "2026-02-05") == [
        "INV-1 partly_settled 40.00 1", "INV-2 open 40.00 30", "PAY-1 partly_settled -70.00 0",
    ]  # fmt: skip
    assert stands(ledger, "2026-03-01") == [
        "INV-1 settled 0.00 0", "INV-2 cancelled 0 0", "INV-2R cancelled 0 0", "PAY-1 partly_settled -30.00 0",
    ]  # fmt: skip
    assert ledger.open_items("2026-03-01") == []
    assert ledger.unapplied("2026-03-01") == ["PAY-1 -130.00 -30.00"]
