"""The merge ledger: whose records are whose, and what a mutation's payload leads to."""

from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, func, or_, select

from cdp.db.ids import typed_id
from cdp.graph.compiler import Arguments
from cdp.graph.declaration import Row, Rows
from cdp.identify.tables import customer, customer_merge, customer_redirect


def of_customer(row: Row, _arguments: Arguments) -> Rows:
    """Records that name the customer by any id it ever had."""
    moved = select(customer_redirect.c.customer_id).where(customer_redirect.c.target_customer_id == row.c.customer_id)
    ids = func.array_append(func.array(moved.correlate(row).scalar_subquery()), row.c.customer_id)
    found = customer_merge.alias()
    named = or_(found.c.customer_id == any_(ids), found.c.other_customer_ids.op("&&")(ids))
    return Rows(found, (named,))


def customer_id(row: Row) -> ColumnElement[str]:
    """The typed id of a record's customer."""
    return typed_id("cus", row.c.customer_id)


def other_customer_ids(row: Row) -> ColumnElement[Any]:
    """The typed ids of the others, in the order recorded."""
    each = func.unnest(row.c.other_customer_ids).column_valued("each")
    ids: ColumnElement[Any] = func.array(select(typed_id("cus", each)).correlate(row).scalar_subquery())
    return ids


def customer_now(row: Row, _arguments: Arguments) -> Rows:
    """A record's customer, or who it is part of."""
    moved = select(customer_redirect.c.target_customer_id).where(customer_redirect.c.customer_id == row.c.customer_id)
    found = customer.alias()
    return Rows(
        found, (found.c.customer_id == func.coalesce(moved.correlate(row).scalar_subquery(), row.c.customer_id),)
    )


def merge_of(_row: Row | None, arguments: Arguments) -> Rows:
    """The record of a payload."""
    found = customer_merge.alias()
    return Rows(found, (found.c.merge_id == arguments.of_source("merge_id", Uuid()),))


def customers_of(_row: Row | None, arguments: Arguments) -> Rows:
    """The customers of a payload."""
    found = customer.alias()
    return Rows(found, (found.c.customer_id == any_(arguments.of_source("customer_ids", ARRAY(Uuid))),))
