"""Statements of account as edges of the account: the row that says which statement, and what stands on it.

Every figure comes from `cdp.ledger.statement` and `reckoning`, as sub-selects of the one statement; nothing is summed here.
"""

from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Date, Integer, Text, case, cast, literal_column, null, select

from cdp.graph.compiler import Arguments
from cdp.graph.declaration import Inline, Row, Rows, by
from cdp.ledger import reckoning, statement
from cdp.resolvers.account import read_currency
from cdp.resolvers.money import money, total

ROW_ORDER = (by("posted_on"), by("kind_rank"), by("document_number"))


def of_account(row: Row, arguments: Arguments) -> Rows:
    """Which statement: the account, a currency, a period. An open-item statement has no beginning."""
    kind = arguments.plain("kind")
    currency = arguments.bind("currency", Text(), read_currency) if "currency" in arguments else row.c.currency
    begins = (
        cast(null(), Date)
        if kind.value == "open_item"
        else arguments.bind("from", Date(), statement.read_first_day, beside="to")
    )
    edges = (
        arguments.bind("ageingEdges", ARRAY(Integer), statement.read_edges)
        if "ageingEdges" in arguments
        else literal_column(f"'{{{','.join(map(str, statement.AGEING_EDGES))}}}'::integer[]", ARRAY(Integer))
    )
    given = (
        select(
            row.c.customer_id,
            row.c.account_id,
            literal_column(f"'{kind.value}'", Text).label("kind"),
            currency.label("currency"),
            begins.label("from_on"),
            arguments.bind("to", Date()).label("to_on"),
            edges.label("edges"),
        )
        .correlate(row)
        .subquery()
    )
    return Rows(reckoning.asked(given).correlate(row).subquery())


def opening(row: Row, _arguments: Arguments) -> Inline:
    """Balance the day before the period."""
    return total(reckoning.opening(row), row.c.currency)


def closing(row: Row, _arguments: Arguments) -> Inline:
    """Balance at the end of the period."""
    return total(reckoning.closing(row), row.c.currency)


def total_debit(row: Row, _arguments: Arguments) -> Inline:
    """Sum of debits."""
    return total(reckoning.total_debit(row), row.c.currency)


def total_credit(row: Row, _arguments: Arguments) -> Inline:
    """Sum of credits."""
    return total(reckoning.total_credit(row), row.c.currency)


def lines(row: Row, _arguments: Arguments) -> Rows:
    """Activity with running balance; none on an open-item statement."""
    found = statement.lines(row).order_by(None).subquery()
    shown = row.c.kind == literal_column("'balance_forward'", Text)
    count = case((shown, reckoning.count(row)), else_=literal_column("0", Integer))
    return Rows(found, (shown,), ROW_ORDER, count)


def open_items(row: Row, _arguments: Arguments) -> Rows:
    """What is owed as at the end of the period."""
    return Rows(statement.open_items(row, _edges(row)).order_by(None).subquery(), (), ROW_ORDER)


def unapplied(row: Row, _arguments: Arguments) -> Rows:
    """Credits not used up."""
    return Rows(statement.unapplied(row).order_by(None).subquery(), (), ROW_ORDER)


def ageing(row: Row, arguments: Arguments) -> Rows:
    """Open amount by days late, or by age."""
    basis = arguments.plain("by")
    by_document = basis is not None and basis.value == "document_date"
    aged = statement.ageing(row, _edges(row), by_document=by_document).order_by(None).subquery()
    with_currency = select(aged, row.c.currency.label("currency")).correlate(row).subquery()
    return Rows(with_currency, (), (by("position"),))


def _edges(row: Row) -> list[ColumnElement[Any]]:
    return [row.c.edges[literal_column(str(place), Integer)] for place in range(1, len(statement.AGEING_EDGES) + 1)]


def debit(row: Row, _arguments: Arguments) -> Inline:
    """Debit, positive; null on a credit."""
    return money(row.c.debit, row.c.currency)


def credit(row: Row, _arguments: Arguments) -> Inline:
    """Credit, positive; null on a debit."""
    return money(row.c.credit, row.c.currency)


def balance(row: Row, _arguments: Arguments) -> Inline:
    """Running balance."""
    return money(row.c.balance, row.c.currency)


def original_amount(row: Row, _arguments: Arguments) -> Inline:
    """Amount as posted."""
    return money(row.c.original_amount, row.c.currency)


def open_amount(row: Row, _arguments: Arguments) -> Inline:
    """What is left of it."""
    return money(row.c.open_amount, row.c.currency)


def aged_amount(row: Row, _arguments: Arguments) -> Inline:
    """Open amount in a bucket, zero where there is none."""
    return total(row.c.amount, row.c.currency)
