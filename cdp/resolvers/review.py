"""The review queue: where its edges lead."""

from typing import Any

from sqlalchemy import ColumnElement, Uuid, func, or_, select

from cdp.access.tables import staff
from cdp.graph.compiler import Arguments
from cdp.graph.declaration import Row, Rows, by
from cdp.identify.tables import customer, customer_merge, customer_redirect, review


def everything(_row: Row | None, _arguments: Arguments) -> Rows:
    """All of the queue, also what was decided."""
    return Rows(review.alias())


def review_of(_row: Row | None, arguments: Arguments) -> Rows:
    """The line of a payload."""
    found = review.alias()
    return Rows(found, (found.c.review_id == arguments.of_source("review_id", Uuid()),))


def customers(row: Row, _arguments: Arguments) -> Rows:
    """Those it is about, as they are by now. Crosses from the queue to customers: a second statement when distributed."""
    found = customer.alias()
    wanted = or_(*(found.c.customer_id == _now(row, each) for each in (row.c.one_customer_id, row.c.other_customer_id)))
    return Rows(found, (wanted,), (by("customer_id"),))


def assignee(row: Row, _arguments: Arguments) -> Rows:
    """Who looks at it."""
    found = staff.alias()
    return Rows(found, (found.c.staff_id == row.c.assigned_staff_id,))


def is_assigned(row: Row) -> ColumnElement[bool]:
    """Whether somebody looks at it."""
    found: ColumnElement[bool] = row.c.assigned_staff_id.is_not(None)
    return found


def merge(row: Row, _arguments: Arguments) -> Rows:
    """The record of the merge that accepting it made."""
    found = customer_merge.alias()
    return Rows(found, (found.c.merge_id == row.c.merge_id,))


def _now(row: Row, one: ColumnElement[Any]) -> ColumnElement[Any]:
    moved = select(customer_redirect.c.target_customer_id).where(customer_redirect.c.customer_id == one)
    return func.coalesce(moved.correlate(row).scalar_subquery(), one)
