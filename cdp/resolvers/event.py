"""What an event of a subscription is about: the customer or order as it is by now, found by the event's own ids."""

from sqlalchemy import Uuid, func, select

from cdp.graph.compiler import Arguments
from cdp.graph.declaration import Row, Rows
from cdp.identify.tables import customer, customer_redirect
from cdp.ledger.tables import sales_order


def customer_of(_row: Row | None, arguments: Arguments) -> Rows:
    """The event's customer, or the one that it became part of since."""
    told = arguments.of_source("customer_id", Uuid())
    moved = select(customer_redirect.c.target_customer_id).where(customer_redirect.c.customer_id == told)
    found = customer.alias()
    return Rows(found, (found.c.customer_id == func.coalesce(moved.scalar_subquery(), told),))


def order_of(_row: Row | None, arguments: Arguments) -> Rows:
    """The event's order, whoever it belongs to by now."""
    found = sales_order.alias()
    return Rows(found, (found.c.order_id == arguments.of_source("subject_id", Uuid()),))
