"""A statement of 5,000 entries is read by index from one account's rows, whatever else the ledger holds."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from cdp.db.engine import connect
from cdp.ledger import statement
from cdp.ledger.allocations import AllocationRecord, record_allocations
from cdp.ledger.entries import record_entries
from tests.ledger.notation import SOURCE, Ledger, a_ledger, figures_query, rows_query

ENTRIES = 5_000
PASSES = {"lines": 2, "open_items": 2, "unapplied": 2, "ageing": 2, "figures": 4}  # through the entries, at most


@pytest.fixture(scope="module")
def big(shared_database_url: str) -> Iterator[Ledger]:
    """One account of 5,000 entries, half of them paid, beside twenty of a thousand."""
    with connect(shared_database_url, None, autocommit=True) as connection:
        for _ in range(20):
            fill(a_ledger(connection), 1_000)
        ledger = a_ledger(connection)
        fill(ledger, ENTRIES)
        connection.execute("ANALYZE")
        yield ledger


def fill(ledger: Ledger, size: int) -> None:
    entries, allocations = [], []
    for number in range(size // 2):
        on = f"2025-{1 + number % 12:02}-{1 + number % 28:02}"
        entries.append(ledger.entry(f"I{number}", [on, "invoice", f"I{number}", "100.00", "due", on]))
        entries.append(ledger.entry(f"P{number}", [on, "payment", f"P{number}", "-50.00"]))
        allocations.append(
            AllocationRecord(
                source_id=SOURCE,
                external_id=ledger.name(f"A{number}"),
                credit=ledger.name(f"P{number}"),
                debit=ledger.name(f"I{number}"),
                amount=Decimal(50),
                allocated_on=entries[-1].posted_on,
            )
        )
    assert record_entries(ledger.connection, entries) == []
    assert record_allocations(ledger.connection, allocations) == []


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


@pytest.mark.parametrize("part", PASSES)
def test_no_part_of_the_statement_reads_other_accounts(big: Ledger, part: str) -> None:
    query = figures_query() if part == "figures" else rows_query(getattr(statement, part))
    (row,) = big._execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", "2025-12-01", "2025-12-31")
    (explained,) = row["QUERY PLAN"]
    found = list(nodes(explained["Plan"]))
    assert {node["Node Type"] for node in found if node.get("Relation Name") in ("ledger_entry", "allocation")} <= {
        "Index Scan",
        "Index Only Scan",
        "Bitmap Heap Scan",
    }
    read = [
        node["Actual Rows"] * node["Actual Loops"] + node.get("Rows Removed by Filter", 0) * node["Actual Loops"]
        for node in found
        if node.get("Relation Name") == "ledger_entry"
    ]
    assert 0 < sum(read) <= PASSES[part] * ENTRIES


def test_the_portal_reads_the_lines_of_a_short_period_alone_however_long_the_ledger(big: Ledger) -> None:
    """What row-level security doesn't trust opens no index, and reads all that was posted before."""
    with big.connection.transaction():
        big.connection.execute("SET LOCAL ROLE cdp_portal")
        for name, value in (("account_id", str(big.account_id)), ("member_role", "finance")):
            big.connection.execute("SELECT set_config('cdp.' || %s, %s, true)", [name, value])
        (row,) = big._execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {rows_query(statement.lines)}", "2025-12-01", "2025-12-31"
        )
    (explained,) = row["QUERY PLAN"]
    [lines] = [node for node in nodes(explained["Plan"]) if node.get("Alias") == "entry"]
    inside = len(big.read(statement.lines, "2025-12-31", "2025-12-01"))
    assert 0 < inside < ENTRIES / 10
    assert lines["Actual Rows"] == inside
    assert lines.get("Rows Removed by Filter", 0) == 0


def test_the_whole_of_5000_entries_is_there(big: Ledger) -> None:
    assert len(big.read(statement.lines, "2025-12-31")) == ENTRIES
    assert big.figures("2025-12-31")["closing"] == Decimal("125000.00")
    assert big.ageing("2026-12-31")[-1] == "over-90 125000.00"
