"""Orders as CSV: a row a line of an order, with the order's own words on each, so that any program can group them.

As the statement's file: RFC 4180, UTF-8, ISO days and instants, decimals with a point, text that would run made inert.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

from extranet.downloads import Cell, encode
from extranet.order_answers import FiledOrder, OrderLine

COLUMNS: Final = (
    "order_number", "purchase_order", "status", "placed_at", "promised_on", "late", "channel", "site", "currency",
    "order_total", "line_no", "product", "name", "quantity", "quantity_shipped", "quantity_cancelled",
    "quantity_returned", "line_promised_on", "unit_price", "amount",
)  # fmt: skip
Filed = tuple[FiledOrder, Sequence[OrderLine]]


async def orders_csv(orders: AsyncIterator[Sequence[Filed]]) -> AsyncIterator[bytes]:
    """The file in pieces, one for each page of orders, so that never more than a page is in memory."""
    yield encode([COLUMNS])
    async for page in orders:
        yield encode(row for order, lines in page for row in _rows(order, lines))


def _rows(order: FiledOrder, lines: Sequence[OrderLine]) -> Iterator[Sequence[Cell]]:
    head: tuple[Cell, ...] = (
        order.number, order.purchase_order, order.status.lower(), order.placed_at, order.promised_on, order.late,
        order.channel, order.location, order.total.currency, order.total,
    )  # fmt: skip
    if not lines:
        yield (*head, *[None] * (len(COLUMNS) - len(head)))
    for line in lines:
        yield (
            *head, line.line_no, line.product, line.name, line.quantity, line.quantity_shipped, line.quantity_cancelled,
            line.quantity_returned, line.promised_on, line.unit_price, line.amount,
        )  # fmt: skip
