"""The statement of account, rule by rule, on ledgers small enough to check by hand."""

from collections.abc import Iterator
from functools import partial

import pytest

from cdp.db.engine import connect
from cdp.ledger import statement
from tests.ledger.notation import Ledger, a_ledger


@pytest.fixture
def ledger(shared_database_url: str) -> Iterator[Ledger]:
    with connect(shared_database_url, "cdp_app") as connection:
        yield a_ledger(connection)


QUARTER = """
    2025-12-10 invoice INV-1 100.00 due 2026-01-09
    2026-01-05 invoice INV-2 250.50 due 2026-02-04
    2026-01-20 payment PAY-1 -60.00
    2026-01-20 PAY-1 -> INV-1 60.00
    2026-02-02 credit_note CRN-1 -50.50
    2026-02-10 CRN-1 -> INV-2 20.50
    2026-03-01 invoice INV-3 10.00
    2026-03-01 payment PAY-2 -300.00
    2026-04-02 PAY-2 -> INV-1 40.00
    2026-04-02 PAY-2 -> INV-2 230.00
"""


def test_balance_forward_shows_the_period_between_opening_and_closing(ledger: Ledger) -> None:
    assert ledger.post(QUARTER) == []
    assert ledger.lines("2026-02-28", "2026-01-01") == [
        "2026-01-05 INV-2 250.50 350.50",
        "2026-01-20 PAY-1 -60.00 290.50",
        "2026-02-02 CRN-1 -50.50 240.00",
    ]
    figures = {name: str(amount) for name, amount in ledger.figures("2026-02-28", "2026-01-01").items()}
    assert figures == {
        "opening": "100.00",
        "closing": "240.00",
        "debit": "250.50",
        "credit": "110.50",
        "balance": "-50.00",
        "overdue": "270.00",
    }


def test_since_the_beginning_the_opening_is_nothing(ledger: Ledger) -> None:
    ledger.post(QUARTER)
    assert ledger.figures("2026-01-20")["opening"] == 0
    assert ledger.lines("2026-01-05") == ["2025-12-10 INV-1 100.00 100.00", "2026-01-05 INV-2 250.50 350.50"]


def test_open_items_show_what_is_owed_as_at_a_date_with_credits_apart(ledger: Ledger) -> None:
    ledger.post(QUARTER)
    assert ledger.open_items("2026-03-31") == [
        "INV-1 100.00 40.00 81 61-90",
        "INV-2 250.50 230.00 55 31-60",
        "INV-3 10.00 10.00 30 1-30",
    ]
    assert ledger.unapplied("2026-03-31") == ["CRN-1 -50.50 -30.00", "PAY-2 -300.00 -300.00"]
    assert ledger.ageing("2026-03-31") == [
        "current 0",
        "1-30 10.00",
        "31-60 230.00",
        "61-90 40.00",
        "over-90 0",
    ]
    assert ledger.ageing("2026-03-31", by_document=True) == [
        "current 0",
        "1-30 10.00",
        "31-60 0",
        "61-90 230.00",
        "over-90 40.00",
    ]
    assert ledger.open_items("2026-04-02") == ["INV-3 10.00 10.00 32 31-60"]
    assert ledger.unapplied("2026-04-02") == ["CRN-1 -50.50 -30.00", "PAY-2 -300.00 -30.00"]


def test_the_statement_of_march_run_again_in_june_equals_the_one_of_march(ledger: Ledger) -> None:
    ledger.post("""
        2026-01-05 invoice INV-1 100.00 due 2026-02-04
        2026-03-10 payment PAY-1 -70.00
        2026-03-10 PAY-1 -> INV-1 30.00""")
    march = (ledger.lines("2026-03-31"), ledger.open_items("2026-03-31"), ledger.unapplied("2026-03-31"))
    assert march == (
        ["2026-01-05 INV-1 100.00 100.00", "2026-03-10 PAY-1 -70.00 30.00"],
        ["INV-1 100.00 70.00 55 31-60"],
        ["PAY-1 -70.00 -40.00"],
    )
    later = """
        2026-04-02 PAY-1 -> INV-1 40.00
        2026-04-20 payment PAY-2 -30.00
        2026-01-05 PAY-2 -> INV-1 30.00
        2026-05-20 reverse PAY-1 as PAY-1R"""
    assert ledger.post(later) == []
    assert (ledger.lines("2026-03-31"), ledger.open_items("2026-03-31"), ledger.unapplied("2026-03-31")) == march
    assert ledger.open_items("2026-05-19") == []
    assert ledger.open_items("2026-06-30") == ["INV-1 100.00 70.00 146 over-90"]


def test_a_reversed_pair_shows_in_balance_forward_and_is_dropped_from_open_items(ledger: Ledger) -> None:
    ledger.post("""
        2026-01-05 invoice INV-1 100.00
        2026-01-10 invoice INV-2 40.00
        2026-02-01 reverse INV-1 as INV-1R""")
    assert ledger.open_items("2026-01-31") == ["INV-1 100.00 100.00 26 1-30", "INV-2 40.00 40.00 21 1-30"]
    assert ledger.open_items("2026-02-28") == ["INV-2 40.00 40.00 49 31-60"]
    assert ledger.unapplied("2026-02-28") == []
    assert ledger.lines("2026-02-28") == [
        "2026-01-05 INV-1 100.00 100.00",
        "2026-01-10 INV-2 40.00 140.00",
        "2026-02-01 INV-1R -100.00 40.00",
    ]


def test_a_bounced_payment_opens_its_invoice_again(ledger: Ledger) -> None:
    ledger.post("""
        2026-01-05 invoice INV-1 100.00
        2026-01-10 payment PAY-1 -100.00
        2026-01-10 PAY-1 -> INV-1 100.00
        2026-01-15 reverse PAY-1 as PAY-1R""")
    assert ledger.open_items("2026-01-14") == []
    assert ledger.open_items("2026-01-15") == ["INV-1 100.00 100.00 10 1-30"]
    assert ledger.unapplied("2026-01-15") == []
    assert ledger.figures("2026-01-15")["closing"] == 100
    assert (
        ledger.post("""
        2026-01-20 payment PAY-2 -100.00
        2026-01-20 PAY-2 -> INV-1 100.00""")
        == []
    )
    assert ledger.open_items("2026-01-20") == []


@pytest.mark.parametrize(
    ("due_on", "late", "bucket"),
    [
        ("2026-07-01", 0, "current"),
        ("2026-06-30", 0, "current"),
        ("2026-06-29", 1, "1-30"),
        ("2026-05-31", 30, "1-30"),
        ("2026-05-30", 31, "31-60"),
        ("2026-05-01", 60, "31-60"),
        ("2026-04-30", 61, "61-90"),
        ("2026-04-01", 90, "61-90"),
        ("2026-03-31", 91, "over-90"),
    ],
)
def test_items_age_by_their_due_date(ledger: Ledger, due_on: str, late: int, bucket: str) -> None:
    ledger.post(f"2026-01-01 invoice INV-1 5.00 due {due_on}")
    assert ledger.open_items("2026-06-30") == [f"INV-1 5.00 5.00 {late} {bucket}"]
    amounts = [line.split() for line in ledger.ageing("2026-06-30")]
    assert [name for name, amount in amounts if amount != "0"] == [bucket]
    assert ledger.figures("2026-06-30")["overdue"] == (0 if late == 0 else 5)


def test_buckets_follow_other_edges_and_touch(ledger: Ledger) -> None:
    for number, due_on in enumerate(("2026-06-30", "2026-06-23", "2026-06-22", "2026-05-16", "2026-05-15"), start=1):
        ledger.post(f"2026-01-01 invoice INV-{number} {number}.00 due {due_on}")
    found = ledger.read(partial(statement.ageing, edges=(7, 45, 60)), "2026-06-30")
    assert [(row["bucket"], row["from_days"], row["to_days"], row["amount"]) for row in found] == [
        ("current", None, 0, 1),
        ("1-30", 1, 7, 2),
        ("31-60", 8, 45, 7),
        ("61-90", 46, 60, 5),
        ("over-90", 61, None, 0),
    ]
    items = ledger.read(partial(statement.open_items, edges=(7, 45, 60)), "2026-06-30")
    assert [item["bucket"] for item in items] == ["current", "1-30", "31-60", "31-60", "61-90"]


@pytest.mark.parametrize(
    "edges", [(), (30, 60), (30, 60, 90, 120), (0, 30, 60), (30, 30, 60), (60, 30, 90), (1, 2, 3_650)]
)
def test_edges_that_leave_a_gap_or_overlap_are_refused(edges: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="three rising numbers of days"):
        statement.read_edges(edges)


def test_a_dispute_flags_the_item_while_it_is_open_and_changes_no_amount(ledger: Ledger) -> None:
    ledger.post("""
        2026-01-05 invoice INV-1 100.00 due 2026-01-31
        2026-02-10 dispute INV-1 until 2026-03-01""")
    assert ledger.open_items("2026-02-09") == ["INV-1 100.00 100.00 9 1-30"]
    assert ledger.open_items("2026-02-10") == ["INV-1 100.00 100.00 10 1-30 disputed"]
    assert ledger.lines("2026-02-10") == ["2026-01-05 INV-1 100.00 100.00 disputed"]
    assert ledger.open_items("2026-03-01") == ["INV-1 100.00 100.00 29 1-30"]
    assert ledger.figures("2026-02-10")["closing"] == 100


def test_rows_of_a_day_are_ordered_by_kind_then_number(ledger: Ledger) -> None:
    ledger.post("""
        2026-01-05 payment A-1 -1.00
        2026-01-05 credit_note B-1 -2.00
        2026-01-05 invoice Z-2 3.00
        2026-01-05 invoice Z-1 4.00
        2026-01-04 refund R-1 5.00""")
    assert [line.split()[1] for line in ledger.lines("2026-01-05")] == ["R-1", "Z-1", "Z-2", "B-1", "A-1"]


def test_currencies_of_one_account_are_never_added(ledger: Ledger) -> None:
    dollars = Ledger(
        connection=ledger.connection,
        customer_id=ledger.customer_id,
        account_id=ledger.account_id,
        currency="USD",
    )
    ledger.post("2026-01-05 invoice INV-1 100.00")
    dollars.post("2026-01-05 invoice INV-2 7.00")
    assert ledger.figures("2026-01-31")["closing"] == 100
    assert dollars.figures("2026-01-31")["closing"] == 7
    assert dollars.open_items("2026-01-31") == ["INV-2 7.00 7.00 26 1-30"]
