"""What is left of one ledger entry: the statement's rules 3, 7 and 11, asked of a row of the ledger instead of a period.

Builders only, as in `statement.py`: each takes `entry`, a FROM clause over `ledger_entry`, and gives an expression of it. A
cancelled entry has nothing left, whatever was set against it.
"""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Integer, Text, and_, case, func, literal_column, select

from cdp.ledger.statement import allocated_to, is_cancelled

_ZERO: ColumnElement[Any] = literal_column("0", Integer)


def open_amount(entry: Any, as_of: ColumnElement[Any]) -> ColumnElement[Any]:
    """The signed amount less what was set against it by the end of `as_of`; 0 when cancelled by then."""
    found = _found(entry, as_of)
    return _asked(case((found.c.is_cancelled, _ZERO), else_=found.c.left_over), found)


def settlement(entry: Any, as_of: ColumnElement[Any]) -> ColumnElement[str]:
    """`cancelled`, `settled` (nothing left), `open` (nothing set against it) or `partly_settled`."""
    found = _found(entry, as_of)
    return _asked(
        case(
            (found.c.is_cancelled, literal_column("'cancelled'", Text)),
            (found.c.left_over == _ZERO, literal_column("'settled'", Text)),
            (found.c.left_over == entry.c.amount, literal_column("'open'", Text)),
            else_=literal_column("'partly_settled'", Text),
        ),
        found,
    )


def days_late(entry: Any, as_of: ColumnElement[Any]) -> ColumnElement[int]:
    """Days since an open debit was due (rule 7: without a due date, since it was posted); 0 when not late or not owed."""
    days = as_of - func.coalesce(entry.c.due_on, entry.c.posted_on)
    return case((is_overdue(entry, as_of), days), else_=_ZERO)


def is_overdue(entry: Any, as_of: ColumnElement[Any]) -> ColumnElement[bool]:
    """A debit that was due before `as_of` and has something left."""
    due_on = func.coalesce(entry.c.due_on, entry.c.posted_on)
    return and_(entry.c.amount > _ZERO, due_on < as_of, open_amount(entry, as_of) != _ZERO)


def _found(entry: Any, as_of: ColumnElement[Any]) -> FromClause:
    """One row, looked up once however often it is compared: whether the entry is cancelled, and what is left were it not."""
    against_debit, against_credit = (
        allocated_to(entry, entry, as_of, debits=debits).scalar_subquery() for debits in (True, False)
    )
    left = case((entry.c.amount > _ZERO, entry.c.amount - against_debit), else_=entry.c.amount + against_credit)
    looked_up = select(is_cancelled(entry, entry, as_of).label("is_cancelled"), left.label("left_over"))
    return looked_up.offset(_ZERO).correlate(entry).subquery("found")


def _asked(expression: ColumnElement[Any], found: FromClause) -> ColumnElement[Any]:
    return select(expression).select_from(found).correlate_except(found).scalar_subquery()
