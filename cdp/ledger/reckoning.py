"""What a statement's figures are made of: the sums of its period, and what is left of each entry, each reckoned once.

A page shows most figures twice or more, as a sum, a count, a list and by age. So the row that says which statement brings both
with it (`asked`), and the ledger is gone through once for each, however long it is. Builders only, as in `statement.py`, whose
rules the numbers are of.
"""

from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Date,
    FromClause,
    Integer,
    Numeric,
    ScalarSelect,
    Select,
    Uuid,
    and_,
    cast,
    false,
    func,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import array

from cdp.ledger.tables import allocation, ledger_entry

_ZERO: Final[ColumnElement[Any]] = literal_column("0", Integer)


def asked(row: FromClause) -> Select[Any]:
    """The statement that `row` asks for: its columns, the period's `sums` (opening, debits, credits, closing, count), and
    `open_ids` with `open_amounts`, what is left of the entries that are not used up as at `to_on`, debits positive.

    Nobody pays for what isn't shown: the planner leaves out a column that nothing refers to.
    """
    left = remaining(row, row.c.currency, row.c.to_on).subquery("left_over")
    gathered = (
        select(
            func.array_agg(left.c.entry_id).label("open_ids"), func.array_agg(left.c.open_amount).label("open_amounts")
        )
        .correlate_except(left)
        .lateral("gathered")
    )
    return (
        select(*row.c, _sums(row).label("sums"), *gathered.c)
        .select_from(row.outerjoin(gathered, true()))
        .offset(_ZERO)  # a fence: without it the columns would be reckoned anew wherever they are shown
    )


def opening(row: FromClause) -> ColumnElement[Any]:
    """Balance at the end of the day before `from_on`; 0 since the beginning (rule 2)."""
    return _sum(row, 1)


def total_debit(row: FromClause) -> ColumnElement[Any]:
    """Sum of the period's debits, positive."""
    return _sum(row, 2)


def total_credit(row: FromClause) -> ColumnElement[Any]:
    """Sum of the period's credits, positive."""
    return _sum(row, 3)


def closing(row: FromClause) -> ColumnElement[Any]:
    """Balance at the end of `to_on` (rule 2)."""
    return _sum(row, 4)


def count(row: FromClause) -> ColumnElement[int]:
    """How many entries the period has."""
    return cast(_sum(row, 5), Integer)


def remaining(row: FromClause, currency: ColumnElement[str], as_of: ColumnElement[Any]) -> Select[Any]:
    """What is left of the entries of an account in a currency as at `as_of` (rule 3): `entry_id`, `open_amount`, signed, never 0.
    Cancelled ones are still among them. `row`: customer_id, account_id.

    Entries and allocations are put under one another and summed by entry. No join, so no statistics can mislead the planner to
    anything that grows faster than they do.
    """
    entry, paid, used = ledger_entry.alias("posted"), allocation.alias("paid"), allocation.alias("used")
    parts = union_all(
        select(entry.c.entry_id, entry.c.amount.label("amount"), true().label("is_entry"))
        .where(of_account(entry, row, currency), entry.c.posted_on <= as_of)
        .correlate_except(entry),
        select(paid.c.debit_entry_id, -paid.c.amount, false())
        .where(_effective(paid, row, as_of), paid.c.credit_entry_id.not_in(_reversed(row, as_of)))
        .correlate_except(paid),
        select(used.c.credit_entry_id, used.c.amount, false())
        .where(_effective(used, row, as_of), used.c.debit_entry_id.not_in(_reversed(row, as_of)))
        .correlate_except(used),
    ).subquery("part")
    left = func.sum(parts.c.amount)
    return (
        select(parts.c.entry_id, left.label("open_amount"))
        .group_by(parts.c.entry_id)
        .having(left != _ZERO, func.bool_or(parts.c.is_entry))
        .correlate_except(parts)
    )


def left_of(row: FromClause) -> FromClause:
    """What `asked` gathered, as rows."""
    rows = func.unnest(row.c.open_ids, row.c.open_amounts).table_valued(
        Column("entry_id", Uuid), Column("open_amount", Numeric), name="left_over"
    )
    return rows.render_derived()


def of_account(entry: FromClause, row: FromClause, currency: ColumnElement[str] | None = None) -> ColumnElement[bool]:
    """The entry is of the row's account, in its currency or the one that is given."""
    return and_(
        entry.c.customer_id == row.c.customer_id,
        entry.c.account_id == row.c.account_id,
        entry.c.currency == (row.c.currency if currency is None else currency),
    )


def since(row: FromClause) -> ColumnElement[Any]:
    """The first day, or before all days.

    `greatest` leaves out NULL as `coalesce` does, but no index is opened by what holds a `coalesce` under row-level security:
    PostgreSQL takes it for something that might tell what it compares.
    """
    return func.greatest(row.c.from_on, literal_column("DATE '-infinity'", Date))


def _sums(row: FromClause) -> ScalarSelect[Any]:
    """Opening, debits, credits and closing of the period, and how many entries it has, as one array."""
    entry = ledger_entry.alias("summed")
    amount = entry.c.amount
    in_period = entry.c.posted_on >= since(row)  # and none is later, see below
    parts = (
        _sum_of(amount, entry.c.posted_on < row.c.from_on),
        _sum_of(amount, and_(in_period, amount > _ZERO)),
        _sum_of(-amount, and_(in_period, amount < _ZERO)),
        _sum_of(amount),
        func.count().filter(in_period),
    )
    return (
        select(array(parts, type_=Numeric))
        .where(of_account(entry, row), entry.c.posted_on <= row.c.to_on)
        .correlate_except(entry)
        .scalar_subquery()
    )


def _sum_of(amount: ColumnElement[Any], condition: ColumnElement[bool] | None = None) -> ColumnElement[Any]:
    summed = func.sum(amount, type_=Numeric)
    return func.coalesce(summed if condition is None else summed.filter(condition), _ZERO, type_=Numeric)


def _sum(row: FromClause, place: int) -> ColumnElement[Any]:
    return row.c.sums[literal_column(str(place), Integer)]


def _reversed(row: FromClause, as_of: ColumnElement[Any]) -> Select[Any]:
    """The entries whose reversal is posted by `as_of`."""
    reversal = ledger_entry.alias("reversal")
    return (
        select(reversal.c.reverses_entry_id)
        .where(
            reversal.c.customer_id == row.c.customer_id,
            reversal.c.reverses_entry_id.is_not(None),
            reversal.c.posted_on <= as_of,
        )
        .correlate_except(reversal)
    )


def _effective(used: FromClause, row: FromClause, as_of: ColumnElement[Any]) -> ColumnElement[bool]:
    return and_(
        used.c.customer_id == row.c.customer_id,
        used.c.account_id == row.c.account_id,
        used.c.effective_on <= as_of,
    )
