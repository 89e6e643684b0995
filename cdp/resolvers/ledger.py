"""Ledger entries as they stand today: what is left of them, how late they are, and what was set against what."""

from typing import Any

from sqlalchemy import ColumnElement, select

from cdp.graph.compiler import Arguments
from cdp.graph.declaration import Inline, Row, Rows, by
from cdp.graph.today import today
from cdp.ledger import settlement as settlements
from cdp.ledger import statement
from cdp.ledger.tables import allocation, ledger_entry
from cdp.resolvers.money import money, total


def open_amount(row: Row, _arguments: Arguments) -> Inline:
    """What is left of an entry today."""
    return total(settlements.open_amount(row, today()), row.c.currency)


def settlement(row: Row) -> ColumnElement[Any]:
    """How far an entry is settled today."""
    return settlements.settlement(row, today())


def days_late(row: Row) -> ColumnElement[Any]:
    """Days past due today."""
    return settlements.days_late(row, today())


def overdue(row: Row) -> ColumnElement[Any]:
    """Whether something is left of it that was due before today."""
    return settlements.is_overdue(row, today())


def disputed(row: Row) -> ColumnElement[Any]:
    """Whether a dispute is open today."""
    return statement.is_disputed(row, row, today())


def allocations(row: Row, _arguments: Arguments) -> Rows:
    """What was set against an entry, or what an entry was set against, with the currency it has of them."""
    found = (
        select(allocation, row.c.currency.label("currency"))
        .where(
            allocation.c.customer_id == row.c.customer_id,
            (allocation.c.debit_entry_id == row.c.entry_id) | (allocation.c.credit_entry_id == row.c.entry_id),
        )
        .correlate(row)
        .subquery()
    )
    return Rows(found, (), (by("effective_on"), by("allocated_on")))


def allocated(row: Row, _arguments: Arguments) -> Inline:
    """Amount of an allocation."""
    return money(row.c.amount, row.c.currency)


def credit_of(row: Row, _arguments: Arguments) -> Rows:
    """The credit of an allocation."""
    found = ledger_entry.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.entry_id == row.c.credit_entry_id))


def debit_of(row: Row, _arguments: Arguments) -> Rows:
    """The debit of an allocation."""
    found = ledger_entry.alias()
    return Rows(found, (found.c.customer_id == row.c.customer_id, found.c.entry_id == row.c.debit_entry_id))
