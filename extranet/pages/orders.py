"""Orders: a list with filters and search, and one order in full with its delivery notes."""

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

from extranet.answers import EndOfPage, ListedOrders
from extranet.downloads import plain
from extranet.order_answers import FurtherLines, Order, OrderLine
from extranet.orders_filter import OrdersAsked, read_orders
from extranet.paper.delivery_note import paper_delivery_note
from extranet.paper.typesetting import typeset
from extranet.portal import Visit
from extranet.refusals import PageNotFound

PAGE_SIZE: Final = 25
LINES_SHOWN: Final = 100
PDF: Final = "application/pdf"


async def listing(visit: Visit) -> Response:
    """The orders of the current account, latest first."""
    asked = read_orders(visit.query, visit.formats.time_zone)
    if asked.filter is None:
        return mistaken(visit, asked)
    found = await visit.ask(
        "orders", ListedOrders, ("viewer", "account"), filter=asked.filter, **visit.place(PAGE_SIZE)
    )
    if found is None:
        raise PageNotFound
    return visit.page("orders.html", asked=asked, orders=found.orders, sites=found.locations)


def mistaken(visit: Visit, asked: OrdersAsked) -> Response:
    """The form again, with what is wrong in it and no orders."""
    return visit.page("orders.html", status=400, asked=asked, orders=None, sites=[asked.site] if asked.site else [])


async def detail(visit: Visit) -> Response:
    """One order. One of another account is not there."""
    order = await _order(visit, ledger=visit.sees_ledger)
    return visit.page("order.html", order=order, tracking_link=tracking_link)


async def delivery_note(visit: Visit) -> Response:
    """The delivery note of one of its shipments that has left, on paper."""
    order = await _order(visit, ledger=False)
    asked = visit.request.path_params["shipment"]
    shipment = next((each for each in order.shipments if each.id == asked and each.status != "PLANNED"), None)
    if shipment is None:
        raise PageNotFound
    lines = [*order.lines.nodes, *[line async for line in further_lines(visit, order.id, order.lines.page_info)]]
    words = paper_delivery_note(
        order,
        shipment,
        lines,
        formats=visit.formats,
        settings=visit.portal.settings,
        client=visit.session.account.name,
    )
    made = await typeset("delivery_note", words, at=visit.portal.now().replace(microsecond=0))
    name = f"delivery-note-{plain(shipment.number)}.pdf"
    return Response(made, media_type=PDF, headers={"Content-Disposition": f'attachment; filename="{name}"'})


async def _order(visit: Visit, *, ledger: bool) -> Order:
    order = await visit.ask(
        "order",
        Order,
        ("order",),
        id=visit.request.path_params["id"],
        ledger=ledger,
        **visit.place(LINES_SHOWN),
    )
    if order is None:
        raise PageNotFound
    return order


async def further_lines(visit: Visit, order_id: str, info: EndOfPage) -> AsyncIterator[OrderLine]:
    """The lines of an order after a page of them."""
    while info.has_next_page:
        more = await visit.ask(
            "order_lines", FurtherLines, ("order", "lines"), id=order_id, first=LINES_SHOWN, after=info.end_cursor
        )
        if more is None:  # the order is gone from this account between the two
            return
        for line in more.nodes:
            yield line
        info = more.page_info


def tracking_link(address: str | None) -> str | None:
    """A carrier's address that is safe to link to: of the web, with a host; else None."""
    if not address:
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if parts.scheme in {"http", "https"} and parts.hostname else None
