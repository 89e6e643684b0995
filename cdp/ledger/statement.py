"""The statement of account as SQL: what every figure on it is, from the ledger alone.

Builders only, nothing is executed: each takes `row`, what `reckoning.asked` made of a FROM clause with the columns `customer_id`,
`account_id`, `currency`, `from_on` and `to_on`, and returns a SELECT correlated to it, set-wise, to be used as a scalar or
LATERAL sub-query. `from_on` NULL means since the beginning; `to_on` is also the date that open items are as at. Amounts are
exact, in the row's currency.

Source: the statement's rules 1-7, 10, 11 and 16 in the design; the numbers in comments are theirs.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Integer,
    Numeric,
    ScalarSelect,
    Select,
    Text,
    and_,
    case,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
    values,
)

from cdp.ledger.reckoning import left_of, of_account, opening, remaining, since
from cdp.ledger.tables import allocation, dispute, ledger_entry

KIND_RANK: Final = {
    "invoice": 1,
    "debit_note": 2,
    "interest": 3,
    "credit_note": 4,
    "discount": 5,
    "write_off": 6,
    "payment": 7,
    "refund": 8,
}
"""Order of kinds within a day: what is owed before what pays it, what is paid back last (rule 10)."""

AGEING_EDGES: Final = (30, 60, 90)
"""Usual last day late of each bucket but the first (not late) and the last (later than the last edge)."""

BUCKETS: Final = ("current", "1-30", "31-60", "61-90", "over-90")
"""Names of the ageing buckets in order, after the usual edges; with other edges each keeps its place and its name."""

MOST_DAYS: Final = 3_650
Edges = Sequence[ColumnElement[Any] | int]


# Constants stay literal: as bound parameters they would be dozens a statement, and hidden from the planner.
_ZERO: Final[ColumnElement[Any]] = literal_column("0", Integer)
_NEVER: Final[ColumnElement[Any]] = literal_column("NULL::integer", Integer)


def read_edges(edges: Sequence[int]) -> list[int]:
    """Three rising edges of ageing buckets, in days, so that buckets touch and never overlap; else ValueError with a sentence."""
    found = list(edges)
    if len(found) != len(AGEING_EDGES) or not all(
        low < high for low, high in zip([0, *found], [*found, MOST_DAYS], strict=True)
    ):
        message = f"needs three rising numbers of days above 0 and below {MOST_DAYS}, such as 30, 60 and 90."
        raise ValueError(message)
    return found


def read_first_day(period: Sequence[date]) -> date:
    """The first of a period's two days, when it is not after the last; else ValueError with a sentence."""
    first, last = period
    if first > last:
        message = f"{first} comes after the last day, {last}."
        raise ValueError(message)
    return first


def lines(row: FromClause) -> Select[Any]:
    """The balance-forward statement: every entry of the period in row order, `balance` running from the opening (rules
    2, 10).

    `debit` and `credit` are positive and exactly one is set. `disputed`: as at `to_on`. `place` counts rows from 1.
    """
    entry = ledger_entry.alias("entry")
    rank = _kind_rank(entry)
    order = (entry.c.posted_on, rank, entry.c.document_number, entry.c.entry_id)
    running = func.sum(entry.c.amount).over(order_by=order, rows=(None, 0))
    return (
        select(
            *_columns(entry, rank),
            case((entry.c.amount >= _ZERO, entry.c.amount)).label("debit"),
            case((entry.c.amount < _ZERO, -entry.c.amount)).label("credit"),
            entry.c.amount,
            (opening(row) + running).label("balance"),
            is_disputed(entry, row, row.c.to_on).label("disputed"),
            func.row_number().over(order_by=order).label("place"),
        )
        .where(of_account(entry, row), _in_period(entry, row))
        .order_by(*order)
        .correlate_except(entry)
    )


def balance(
    row: FromClause, currency: ColumnElement[str], as_of: ColumnElement[Any] | None = None
) -> ScalarSelect[Any]:
    """What the account owes at the end of `as_of` (None: counting everything posted). `row` has customer_id,
    account_id.
    """
    entry = ledger_entry.alias("posted")
    condition = of_account(entry, row, currency)
    if as_of is not None:
        condition = and_(condition, entry.c.posted_on <= as_of)
    return _total(entry.c.amount).where(condition).correlate_except(entry).scalar_subquery()


def overdue(row: FromClause, currency: ColumnElement[str], today: ColumnElement[Any]) -> ScalarSelect[Any]:
    """Open amount of what was due before `today`, unapplied credits not deducted (rule 5). `row`: customer_id,
    account_id.
    """
    left = remaining(row, currency, today).lateral("left_over")
    items = _open(row, left, today, debits=True).order_by(None).subquery("overdue")
    return _total(items.c.open_amount).where(items.c.days_late > _ZERO).correlate_except(items).scalar_subquery()


def open_items(row: FromClause, edges: Edges = AGEING_EDGES) -> Select[Any]:
    """The open-item statement: what is owed as at `to_on`, in row order (rules 3, 7).

    `original_amount`, `allocated` (by allocations effective until then), `open_amount`; `days_late` is 0 when not late;
    `bucket` one of `BUCKETS`. Items cancelled by then are dropped (rule 11); disputed ones stay and are flagged.
    """
    return _open(row, left_of(row), row.c.to_on, debits=True, edges=edges)


def unapplied(row: FromClause) -> Select[Any]:
    """Credits not used up as at `to_on`, in row order: `original_amount` and `open_amount` negative, `allocated`
    positive (rule 5).
    """
    return _open(row, left_of(row), row.c.to_on, debits=False)


def ageing(row: FromClause, edges: Edges = AGEING_EDGES, *, by_document: bool = False) -> Select[Any]:
    """Open amount by days late, or by days since the document's date: `bucket`, `position` (1 and on), `from_days` and `to_days`
    (NULL where there is no end), `amount`; every bucket, in order, also when nothing is in it (rule 7).
    """
    open_now = _open(row, left_of(row), row.c.to_on, debits=True, edges=edges, by_document=by_document)
    items = open_now.order_by(None).subquery("aged")
    ends = [_day(edge) for edge in edges]
    names = values(
        Column("bucket", Text),
        Column("position", Integer),
        Column("from_days", Integer),
        Column("to_days", Integer),
        name="bucket",
    ).data([
        (_text(name), _number(position), since, until)
        for position, (name, since, until) in enumerate(
            zip(BUCKETS, (_NEVER, _number(1), *(end + _number(1) for end in ends)), (_ZERO, *ends, _NEVER), strict=True), start=1
        )
    ])  # fmt: skip
    sums = (
        select(items.c.bucket, func.sum(items.c.open_amount).label("amount"))
        .group_by(items.c.bucket)
        .correlate_except(items)
        .subquery("summed")
    )
    return (
        select(names, func.coalesce(sums.c.amount, _ZERO).label("amount"))
        .select_from(names.outerjoin(sums, sums.c.bucket == names.c.bucket))
        .order_by(names.c.position)
        .correlate_except(names, sums)
    )


def _open(
    row: FromClause,
    left: FromClause,
    as_of: ColumnElement[Any],
    *,
    debits: bool,
    edges: Edges = AGEING_EDGES,
    by_document: bool = False,
) -> Select[Any]:
    """Entries of one side that are open as at `as_of`, in row order. `left`: what is left of each."""
    entry = ledger_entry.alias("entry")
    # Rule 7: by due date, and where there is none, or that is asked for, by document date.
    days = as_of - (entry.c.posted_on if by_document else func.coalesce(entry.c.due_on, entry.c.posted_on))
    rank = _kind_rank(entry)
    order = (entry.c.posted_on, rank, entry.c.document_number, entry.c.entry_id)
    return (
        select(
            *_columns(entry, rank),
            entry.c.amount.label("original_amount"),
            func.abs(entry.c.amount - left.c.open_amount).label("allocated"),
            left.c.open_amount,
            func.greatest(days, _ZERO).label("days_late"),
            _bucket(days, edges).label("bucket"),
            is_disputed(entry, row, as_of).label("disputed"),
            func.row_number().over(order_by=order).label("place"),
        )
        .select_from(left.join(entry, entry.c.entry_id == left.c.entry_id))
        .where(
            entry.c.customer_id == row.c.customer_id,
            entry.c.amount > _ZERO if debits else entry.c.amount < _ZERO,
            not_(is_cancelled(entry, row, as_of)),
        )
        .order_by(*order)
        .correlate_except(entry, left)
    )


def allocated_to(entry: FromClause, row: FromClause, as_of: ColumnElement[Any], *, debits: bool) -> Select[Any]:
    """Sum of an entry's allocations effective until `as_of` (rule 3), leaving out those whose other side is cancelled by
    then: `allocated`, positive. `entry` is a debit or else a credit, as `debits` says.
    """
    used = allocation.alias("used")
    one, other = used.c.debit_entry_id, used.c.credit_entry_id
    if not debits:
        one, other = other, one
    return (
        select(func.coalesce(func.sum(used.c.amount), _ZERO).label("allocated"))
        .where(
            used.c.customer_id == row.c.customer_id,
            one == entry.c.entry_id,
            used.c.effective_on <= as_of,
            not_(_is_reversed(other, row, as_of)),
        )
        .correlate_except(used)
    )


# The look-ups below compare `customer_id` with the row's, not the entry's: a plan that reads the table once then reads one
# customer of it. They leave out the account, so that only the index made for them fits, also before the first ANALYZE.


def is_cancelled(entry: FromClause, row: FromClause, as_of: ColumnElement[Any]) -> ColumnElement[bool]:
    """Both halves of a cancelled pair are posted by `as_of` (rule 11); `entry` is either half."""
    original = ledger_entry.alias("original")
    return or_(
        _is_reversed(entry.c.entry_id, row, as_of),
        and_(
            entry.c.reverses_entry_id.is_not(None),
            exists()
            .where(
                original.c.customer_id == row.c.customer_id,
                original.c.entry_id == entry.c.reverses_entry_id,
                original.c.posted_on <= as_of,
            )
            .correlate_except(original),
        ),
    )


def _is_reversed(entry_id: ColumnElement[Any], row: FromClause, as_of: ColumnElement[Any]) -> ColumnElement[bool]:
    reversal = ledger_entry.alias("reversal")
    return (
        exists()
        .where(
            reversal.c.customer_id == row.c.customer_id,
            reversal.c.reverses_entry_id.is_not(None),  # opens the index of the few reversals, whatever the plan
            reversal.c.reverses_entry_id == entry_id,
            reversal.c.posted_on <= as_of,
        )
        .correlate_except(reversal)
    )


def is_disputed(entry: FromClause, row: FromClause, as_of: ColumnElement[Any]) -> ColumnElement[bool]:
    """A dispute is open at the end of `as_of`; it never changes an amount (rule 15)."""
    return (
        exists()
        .where(
            dispute.c.customer_id == row.c.customer_id,
            dispute.c.entry_id == entry.c.entry_id,
            dispute.c.opened_on <= as_of,
            or_(dispute.c.closed_on.is_(None), dispute.c.closed_on > as_of),
        )
        .correlate_except(dispute)
    )


def _bucket(days: ColumnElement[Any], edges: Edges) -> ColumnElement[str]:
    ends = (_ZERO, *(_day(edge) for edge in edges))
    return case(
        *((days <= last, _text(name)) for last, name in zip(ends, BUCKETS, strict=False)),
        else_=_text(BUCKETS[-1]),
    )


def _day(edge: ColumnElement[Any] | int) -> ColumnElement[Any]:
    return _number(edge) if isinstance(edge, int) else edge


def _kind_rank(entry: FromClause) -> ColumnElement[int]:
    # The many first: each entry is compared with the kinds one after the other.
    kinds = ("invoice", "payment", *(kind for kind in KIND_RANK if kind not in {"invoice", "payment"}))
    return case(*((entry.c.kind == _text(kind), _number(KIND_RANK[kind])) for kind in kinds))


def _columns(entry: FromClause, rank: ColumnElement[int]) -> tuple[ColumnElement[Any], ...]:
    return (
        entry.c.customer_id,
        entry.c.account_id,
        entry.c.entry_id,
        entry.c.posted_on,
        entry.c.kind,
        rank.label("kind_rank"),
        entry.c.document_number,
        entry.c.description,
        entry.c.purchase_order,
        entry.c.due_on,
        entry.c.order_id,
        entry.c.reverses_entry_id,
        entry.c.currency,
    )


def _in_period(entry: FromClause, row: FromClause) -> ColumnElement[bool]:
    return entry.c.posted_on.between(since(row), row.c.to_on)


def _total(amount: ColumnElement[Any]) -> Select[Any]:
    return select(func.coalesce(func.sum(amount, type_=Numeric), _ZERO))


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(int(value)), Integer)


def _text(constant: str) -> ColumnElement[str]:
    assert "'" not in constant  # noqa: S101 — constants of this module
    return literal_column(f"'{constant}'", Text)
