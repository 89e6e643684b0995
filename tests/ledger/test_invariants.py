"""The statement's invariants (rules 3 and 4), on ledgers that Hypothesis makes up: whatever is posted, figures agree
exactly. A thousand ledgers in all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from cdp.db.engine import connect
from cdp.ledger import statement
from cdp.ledger.allocations import AllocationRecord, record_allocations
from cdp.ledger.entries import DEBITS, ENTRY_KINDS, EntryKind, EntryRecord, record_entries
from tests.ledger.notation import SOURCE, Ledger, a_ledger

FIRST_DAY = date(2026, 1, 1)
DAYS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Something that happens on a day: an entry, the reversal of entry `first`, or an allocation of `first` to
    `second`.
    """

    day: int
    what: str
    cents: int
    due_in: int | None
    first: int
    second: int


moves = st.lists(
    st.builds(
        Move,
        day=st.integers(0, DAYS),
        what=st.sampled_from([*ENTRY_KINDS, "invoice", "payment", *["reverse"] * 4, *["allocate"] * 8]),
        cents=st.integers(1, 50_000),
        due_in=st.none() | st.integers(0, 120),
        first=st.integers(0, 30),
        second=st.integers(0, 30),
    ),
    min_size=8,
    max_size=40,
)


@pytest.fixture(scope="module")
def connection(shared_database_url: str) -> Iterator[Connection[Any]]:
    with connect(shared_database_url, "cdp_app") as connection:
        yield connection


@given(happened=moves, days=st.lists(st.integers(-1, DAYS + 30), min_size=3, max_size=3).map(sorted))
@settings(max_examples=700, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_figures_of_every_statement_agree(
    connection: Connection[Any], happened: list[Move], days: list[int]
) -> None:
    ledger = a_ledger(connection)
    post(ledger, happened)
    first, middle, last = (on(day) for day in days)
    whole = ledger.read(statement.lines, last, first)
    figures = ledger.figures(last, first)
    moved = sum((line["amount"] for line in whole), Decimal(0))

    assert figures["opening"] + moved == figures["closing"]
    assert figures["debit"] - figures["credit"] == moved
    running = accumulate((line["amount"] for line in whole), initial=figures["opening"])
    assert [line["balance"] for line in whole] == list(running)[1:]
    assert all((line["debit"] or 0) - (line["credit"] or 0) == line["amount"] for line in whole)

    after = str(date.fromisoformat(middle) + timedelta(days=1))
    assert ledger.figures(middle)["closing"] == ledger.figures(after, after)["opening"]
    assert [line["place"] for line in whole] == list(range(1, len(whole) + 1))
    halves = ledger.read(statement.lines, middle, first) + ledger.read(statement.lines, last, after)
    assert [unplaced(line) for line in halves] == [unplaced(line) for line in whole]

    for to_on in (first, middle, last):
        items = ledger.read(statement.open_items, to_on)
        credits_ = ledger.read(statement.unapplied, to_on)
        open_amount = sum((item["open_amount"] for item in items), Decimal(0))
        unapplied = sum((item["open_amount"] for item in credits_), Decimal(0))
        buckets = ledger.read(statement.ageing, to_on)
        assert open_amount + unapplied == ledger.figures(to_on)["closing"]
        assert sum((bucket["amount"] for bucket in buckets), Decimal(0)) == open_amount
        assert [bucket["bucket"] for bucket in buckets] == ["current", "1-30", "31-60", "61-90", "over-90"]
        assert all(item["open_amount"] == item["original_amount"] - item["allocated"] != 0 for item in items)
        assert (
            sum((item["open_amount"] for item in items if item["days_late"]), Decimal(0))
            == (ledger.figures(to_on)["overdue"])
        )


@given(happened=moves, day=st.integers(0, DAYS))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_posted_later_changes_no_earlier_statement(
    connection: Connection[Any], happened: list[Move], day: int
) -> None:
    ledger = a_ledger(connection)
    happened = sorted(happened, key=lambda move: move.day)
    then = [move for move in happened if move.day <= day]
    post(ledger, then)
    issued = [ledger.read(part, on(day)) for part in PARTS]
    post(ledger, happened[len(then) :], told_before=then)
    assert [ledger.read(part, on(day)) for part in PARTS] == issued


def unplaced(line: dict[str, Any]) -> dict[str, Any]:
    """A line without its place, which counts within the period that was asked for."""
    return {name: value for name, value in line.items() if name != "place"}


PARTS = (statement.lines, statement.open_items, statement.unapplied, statement.ageing)


def on(day: int) -> str:
    return str(FIRST_DAY + timedelta(days=day))


def post(ledger: Ledger, happened: list[Move], *, told_before: Sequence[Move] = ()) -> None:
    """Tell the moves in two batches, entries then allocations; the ledger refuses the ones that make no sense.

    A reversal names an entry told before it, an allocation a credit and a debit told anywhere, by position.
    """
    told = [*told_before, *happened]
    posted = {index: an_entry(ledger, told, index) for index, move in enumerate(told) if move.what != "allocate"}
    record_entries(ledger.connection, [entry for index, entry in posted.items() if index >= len(told_before)])
    credit_names = [entry.external_id for entry in posted.values() if entry.amount < 0]
    debit_names = [entry.external_id for entry in posted.values() if entry.amount > 0]
    if not credit_names or not debit_names:
        return
    allocations = [
        AllocationRecord(
            source_id=SOURCE,
            external_id=ledger.name(f"A{index}"),
            credit=credit_names[move.first % len(credit_names)],
            debit=debit_names[move.second % len(debit_names)],
            amount=Decimal(move.cents) / 100,
            allocated_on=FIRST_DAY + timedelta(days=move.day),
        )
        for index, move in enumerate(told)
        if move.what == "allocate" and index >= len(told_before)
    ]
    record_allocations(ledger.connection, allocations)


def an_entry(ledger: Ledger, told: list[Move], index: int) -> EntryRecord:
    """The entry that a move posts. A reversal takes kind and amount from the move it names."""
    move = told[index]
    earlier = [number for number in range(index) if told[number].what not in ("allocate", "reverse")]
    kind, cents, reverses = move.what, move.cents, None
    if kind == "reverse" and earlier:
        number = earlier[move.first % len(earlier)]
        kind, cents, reverses = told[number].what, -told[number].cents, ledger.name(f"E{number}")
    kind = "invoice" if kind == "reverse" else kind
    return EntryRecord(
        source_id=SOURCE,
        external_id=ledger.name(f"E{index}"),
        customer_id=ledger.customer_id,
        account_id=ledger.account_id,
        kind=cast("EntryKind", kind),
        document_number=f"D{index}",
        currency=ledger.currency,
        amount=Decimal(cents if kind in DEBITS else -cents) / 100,
        posted_on=FIRST_DAY + timedelta(days=move.day),
        due_on=None if move.due_in is None else FIRST_DAY + timedelta(days=move.day + move.due_in),
        reverses=reverses,
    )
