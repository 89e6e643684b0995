"""What the stored operations answer about one order, and about orders for a file; see `answers.py`."""

from datetime import date, datetime
from decimal import Decimal

import msgspec

from extranet.answers import Answer, EndOfPage, Money, OrderRow, PageInfo, Person


class OrderLine(Answer, frozen=True, kw_only=True):
    """A line of an order; quantities are in the product's own unit."""

    line_no: int
    product: str | None
    name: str
    quantity: Decimal
    quantity_cancelled: Decimal
    quantity_returned: Decimal
    quantity_shipped: Decimal
    promised_on: date | None
    unit_price: Money
    amount: Money


class OrderLines(Answer, frozen=True, kw_only=True):
    """A page of the lines, in order."""

    nodes: list[OrderLine]
    page_info: PageInfo


class ShipmentLine(Answer, frozen=True, kw_only=True):
    """What of a line a shipment carries."""

    line_no: int
    quantity: Decimal
    name: str


class Shipment(Answer, frozen=True, kw_only=True):
    """A consignment of an order."""

    id: str
    number: str
    status: str
    carrier: str | None
    tracking_number: str | None
    tracking_url: str | None
    shipped_at: datetime | None
    promised_on: date | None
    delivered_at: datetime | None
    late: bool
    lines: list[ShipmentLine]


class TimelineEvent(Answer, frozen=True, kw_only=True):
    """Something that happened to an order: an instant `at`; `on` instead where only the day is known."""

    kind: str
    at: datetime
    on: date | None
    note: str | None
    promised_from: date | None
    promised_on: date | None
    amount: Money | None
    late: bool
    shipment_number: str | None
    document_number: str | None


class Posting(Answer, frozen=True, kw_only=True):
    """What was posted for an order."""

    id: str
    kind: str
    document_number: str
    posted_on: date
    settlement: str
    amount: Money


class Order(Answer, frozen=True, kw_only=True):
    """An order in full."""

    id: str
    number: str
    status: str
    placed_at: datetime
    promised_on: date | None
    late: bool
    purchase_order: str | None
    channel: str
    location: str | None
    total: Money
    contact: Person | None
    lines: OrderLines
    shipments: list[Shipment]
    timeline: list[TimelineEvent]
    postings: list[Posting] = msgspec.field(default_factory=list)

    @property
    def promised_before(self) -> date | None:
        """The day first promised, where the promise was changed since and is another day now."""
        changes = [event.promised_from for event in self.timeline if event.promised_from]
        return changes[0] if changes and changes[0] != self.promised_on else None


class FurtherLines(Answer, frozen=True, kw_only=True):
    """Lines of an order, going forward only."""

    nodes: list[OrderLine]
    page_info: EndOfPage


class FiledOrder(OrderRow, frozen=True, kw_only=True):
    """An order with its first lines, for a file."""

    channel: str
    location: str | None
    lines: FurtherLines


class FiledOrders(Answer, frozen=True, kw_only=True):
    """Some of the orders of a file."""

    nodes: list[FiledOrder]
    page_info: EndOfPage


class FiledAccount(Answer, frozen=True, kw_only=True):
    """Whose orders they are."""

    number: str
    orders: FiledOrders
