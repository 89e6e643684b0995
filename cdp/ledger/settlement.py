"""What is left of one ledger entry: the statement's rules 3, 7 and 11, asked of a row of the ledger instead of a period.

Builders only, as in `statement.py`: each takes `entry`, a FROM clause over `ledger_entry`, and gives an expression of it. A
cancelled entry has nothing left, whatever was set against it.
"""

from typing import Any

from sqlalchemy import ColumnElement, Integer, Text, and_, case, func, literal_column

from cdp.ledger.statement import allocated_to, is_cancelled

_ZERO: ColumnElement[Any] = literal_column("0", Integer)


def open_amount(entry: Any, as_of: ColumnElement[Any]) -> ColumnElement[Any]:
    """The signed amount less what was set against it by the end of `as_of`; 0 when cancelled by then."""
    against_debit, against_credit = (
        allocated_to(entry, entry, as_of, debits=debits).scalar_subquery() for debits in (True, False)
    )
    return case(
        (is_cancelled(entry, entry, as_of), _ZERO),
        (entry.c.amount > _ZERO, entry.c.amount - against_debit),
        else_=entry.c.amount + against_credit,
    )


def settlement(entry: Any, as_of: ColumnElement[Any]) -> ColumnElement[str]:
    """`cancelled`, `settled` (nothing left), `open` (nothing set against it) or `partly_settled`."""
    left = open_amount(entry, as_of)
    return case(
        (is_cancelled(entry, entry, as_of), literal_column("'cancelled'", Text)),
        (left == _ZERO, literal_column("'settled'", Text)),
        (left == entry.c.amount, literal_column("'open'", Text)),
        else_=literal_column("'partly_settled'", Text),
    )


def days_late(entry: Any, as_of: ColumnElement[Any]) -> ColumnElement[int]:
    """Days since an open debit was due (rule 7: without a due date, since it was posted); 0 when not late or not owed."""
    days = as_of - func.coalesce(entry.c.due_on, entry.c.posted_on)
    return case((is_overdue(entry, as_of), days), else_=_ZERO)


def is_overdue(entry: Any, as_of: ColumnElement[Any]) -> ColumnElement[bool]:
    """A debit that was due before `as_of` and has something left."""
    due_on = func.coalesce(entry.c.due_on, entry.c.posted_on)
    return and_(entry.c.amount > _ZERO, due_on < as_of, open_amount(entry, as_of) != _ZERO)
