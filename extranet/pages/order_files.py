"""The orders that a list shows, all of them with their lines, to take away: as CSV and as a spreadsheet.

Read some orders at a time: CSV is sent as it is read, a spreadsheet is built on disk. A query that is wrong gets the page that
says so.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from extranet.downloads import plain
from extranet.order_answers import FiledAccount
from extranet.orders_book import OrdersBook
from extranet.orders_csv import Filed, orders_csv
from extranet.orders_filter import OrdersAsked, read_orders
from extranet.pages.orders import further_lines, mistaken
from extranet.pages.statement_files import CSV, XLSX, pieces
from extranet.portal import Visit
from extranet.refusals import PageNotFound

AT_ONCE: Final = 50


async def csv(visit: Visit) -> Response:
    """As CSV, streamed."""
    asked = read_orders(visit.query, visit.formats.time_zone)
    if asked.filter is None:
        return mistaken(visit, asked)
    first = await _begin(visit, asked, "csv")
    return StreamingResponse(
        orders_csv(_pages(visit, asked, first)), media_type=CSV, headers=_attachment(visit, first, "csv")
    )


async def xlsx(visit: Visit) -> Response:
    """As a workbook."""
    asked = read_orders(visit.query, visit.formats.time_zone)
    if asked.filter is None:
        return mistaken(visit, asked)
    first = await _begin(visit, asked, "xlsx")
    book = OrdersBook(visit.portal.settings, visit.formats.time_zone)
    try:
        async for page in _pages(visit, asked, first):
            await run_in_threadpool(book.add, page)
        file = await run_in_threadpool(book.finish)
    finally:
        book.close()
    return StreamingResponse(pieces(file), media_type=XLSX, headers=_attachment(visit, first, "xlsx"))


async def _begin(visit: Visit, asked: OrdersAsked, ending: str) -> FiledAccount:
    first = await _ask(visit, asked, None)
    await visit.portal.access.take_away(visit.request, what="orders", form=ending)
    return first


async def _ask(visit: Visit, asked: OrdersAsked, after: str | None) -> FiledAccount:
    found = await visit.ask(
        "orders_file", FiledAccount, ("viewer", "account"), filter=asked.filter, first=AT_ONCE, after=after
    )
    if found is None:
        raise PageNotFound
    return found


async def _pages(visit: Visit, asked: OrdersAsked, first: FiledAccount) -> AsyncIterator[Sequence[Filed]]:
    page = first
    while True:
        yield [
            (
                order,
                [*order.lines.nodes, *[line async for line in further_lines(visit, order.id, order.lines.page_info)]],
            )
            for order in page.orders.nodes
        ]
        if not page.orders.page_info.has_next_page:
            return
        page = await _ask(visit, asked, page.orders.page_info.end_cursor)


def _attachment(visit: Visit, first: FiledAccount, ending: str) -> dict[str, str]:
    name = f"orders-{plain(first.number)}-{visit.portal.today}.{ending}"
    return {"Content-Disposition": f'attachment; filename="{name}"'}
