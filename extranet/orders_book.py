"""Orders as a workbook: a row a line of an order, with real numbers and dates."""

from collections.abc import Iterable
from typing import IO, Final
from zoneinfo import ZoneInfo

from cdp.settings import Settings
from extranet import texts
from extranet.orders_csv import Filed
from extranet.texts import _
from extranet.workbook import Workbook

WIDTHS: Final = (16, 18, 16, 12, 12, 10, 14, 18, 10, 14, 8, 18, 36, 10, 10, 10, 10, 12, 14, 14)


class OrdersBook:
    """A row a line of an order. Instants are days of `zone`, as the list shows them."""

    def __init__(self, settings: Settings, zone: ZoneInfo) -> None:
        self.zone = zone
        self.book = Workbook(_("Orders"), settings)
        self.book.begin(_("Orders"), (
            _("Order"), _("Your reference"), _("Status"), _("Placed"), _("Promised for"), _("Late"), _("Through"), _("Site"),
            _("Currency"), _("Total"), _("Line"), _("Product"), _("Description"), _("Ordered"), _("Shipped"), _("Cancelled"),
            _("Returned"), _("Line promised for"), _("Unit price"), _("Amount"),
        ), WIDTHS)  # fmt: skip

    def add(self, orders: Iterable[Filed]) -> None:
        """Further orders, in order."""
        for order, lines in orders:
            head = (
                order.number, order.purchase_order, texts.named(texts.ORDER_STATUS, order.status),
                order.placed_at.astimezone(self.zone).date(), order.promised_on, _("Late") if order.late else None,
                texts.named(texts.CHANNEL, order.channel.lower()), order.location, order.total.currency, order.total,
            )  # fmt: skip
            if not lines:
                self.book.add(head)
            for line in lines:
                self.book.add((
                    *head, line.line_no, line.product, line.name, line.quantity, line.quantity_shipped,
                    line.quantity_cancelled, line.quantity_returned, line.promised_on, line.unit_price, line.amount,
                ))  # fmt: skip

    def finish(self) -> IO[bytes]:
        """The file, from its beginning."""
        return self.book.finish()

    def close(self) -> None:
        """Take what was made on the way away."""
        self.book.close()
