"""Orders: a list with filters and search, and one order in full."""

from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

from extranet.answers import Order, Orders
from extranet.orders_filter import read_orders
from extranet.portal import Visit
from extranet.refusals import PageNotFound

PAGE_SIZE: Final = 25
LINES_SHOWN: Final = 100


async def listing(visit: Visit) -> Response:
    """The orders of the current account, latest first."""
    asked = read_orders(visit.query)
    if asked.filter is None:
        return visit.page("orders.html", status=400, asked=asked, orders=None)
    orders = await visit.ask(
        "orders",
        Orders,
        ("viewer", "account", "orders"),
        filter=asked.filter,
        **visit.place(PAGE_SIZE),
    )
    if orders is None:
        raise PageNotFound
    return visit.page("orders.html", asked=asked, orders=orders)


async def detail(visit: Visit) -> Response:
    """One order. One of another account is not there."""
    order = await visit.ask(
        "order",
        Order,
        ("order",),
        id=visit.request.path_params["id"],
        **visit.place(LINES_SHOWN),
    )
    if order is None:
        raise PageNotFound
    return visit.page("order.html", order=order, tracking_link=tracking_link)


def tracking_link(address: str | None) -> str | None:
    """A carrier's address that is safe to link to: of the web, with a host; else None."""
    if not address:
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if parts.scheme in {"http", "https"} and parts.hostname else None
