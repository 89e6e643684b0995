"""Orders in the contract: lines, shipments and one timeline."""

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import strawberry

from cdp.access.viewer import Scope
from cdp.graph.declaration import by, many, one, page, scalar
from cdp.graph.summary import groups, sum_of, sums
from cdp.ledger.tables import order_event, order_line, sales_order, shipment, shipment_line
from cdp.resolvers import account as account_resolvers
from cdp.resolvers import order as resolvers
from cdp.resolvers.summary import ORDER_GROUPS
from cdp.schema.base import Connection, Money, Node, graph, node_id

if TYPE_CHECKING:
    from cdp.schema.account import Account, LedgerEntry
    from cdp.schema.customer import Customer

LazyAccount = Annotated["Account", strawberry.lazy("cdp.schema.account")]
LazyCustomer = Annotated["Customer", strawberry.lazy("cdp.schema.customer")]
WITH_ITS_ORDER = account_resolvers.visible_with_order


@strawberry.enum(description="Where an order stands.")
class OrderStatus(enum.Enum):
    """Status of an order."""

    PLACED = strawberry.enum_value("placed", description="Received.")
    CONFIRMED = strawberry.enum_value("confirmed", description="Accepted by us.")
    PARTLY_SHIPPED = strawberry.enum_value("partly_shipped", description="Some of it has left.")
    SHIPPED = strawberry.enum_value("shipped", description="All of it has left.")
    DELIVERED = strawberry.enum_value("delivered", description="All of it has arrived.")
    CANCELLED = strawberry.enum_value("cancelled", description="Called off.")
    RETURNED = strawberry.enum_value("returned", description="Sent back.")


@strawberry.enum(description="Where an order line stands.")
class OrderLineStatus(enum.Enum):
    """Status of a line."""

    OPEN = strawberry.enum_value("open", description="Nothing of it has left yet.")
    PARTLY_SHIPPED = strawberry.enum_value("partly_shipped", description="Some of it has left.")
    SHIPPED = strawberry.enum_value("shipped", description="All of it that was not cancelled has left.")
    CANCELLED = strawberry.enum_value("cancelled", description="All of it was called off.")
    RETURNED = strawberry.enum_value("returned", description="All of it came back.")


@strawberry.enum(description="Where a shipment stands.")
class ShipmentStatus(enum.Enum):
    """Status of a shipment."""

    PLANNED = strawberry.enum_value("planned", description="Not sent yet.")
    SHIPPED = strawberry.enum_value("shipped", description="On its way.")
    DELIVERED = strawberry.enum_value("delivered", description="Arrived.")
    RETURNED = strawberry.enum_value("returned", description="Came back.")
    LOST = strawberry.enum_value("lost", description="Lost on the way.")


@strawberry.enum(description="What happened to an order.")
class OrderEventKind(enum.Enum):
    """Kinds of timeline entries."""

    PLACED = strawberry.enum_value("placed", description="The order was received.")
    CONFIRMED = strawberry.enum_value("confirmed", description="We accepted it.")
    UPDATED = strawberry.enum_value("updated", description="It was changed.")
    SHIPPED = strawberry.enum_value("shipped", description="A shipment left.")
    DELIVERED = strawberry.enum_value("delivered", description="A shipment arrived.")
    INVOICED = strawberry.enum_value("invoiced", description="An invoice was posted.")
    CREDITED = strawberry.enum_value("credited", description="A credit note was posted.")
    PAID = strawberry.enum_value("paid", description="Its invoices were paid in full.")
    CANCELLED = strawberry.enum_value("cancelled", description="It was called off.")
    REFUNDED = strawberry.enum_value("refunded", description="Money was paid back.")
    RETURNED = strawberry.enum_value("returned", description="Goods came back.")


@graph.type(
    scope=Scope.GRAPH_READ,
    member=Scope.GRAPH_READ,
    table=order_line,
    key=("line_no",),
    order=(by("line_no"),),
    visible=WITH_ITS_ORDER,
)
class OrderLine:
    """One line of an order. Default order: line number."""

    line_no: int = scalar("line_no", "Number within the order.")
    product: str | None = scalar("product", "Product id or SKU.", filters=True)
    name: str = scalar("name", "What it is called.", filters=True)
    category: str | None = scalar("category", "Product category.", filters=True)
    quantity: Decimal = scalar("quantity", "Ordered.")
    quantity_cancelled: Decimal = scalar("quantity_cancelled", "Cancelled since.")
    quantity_returned: Decimal = scalar("quantity_returned", "Returned since.")
    quantity_shipped: Decimal = scalar(resolvers.quantity_shipped, "Left in shipments so far.")
    unit_price: Money = one(resolvers.unit_price, "Price of one.")
    amount: Money = one(resolvers.amount, "Amount of the line.", sums="amount")
    status: OrderLineStatus = scalar(resolvers.line_status, "Where it stands, by quantities.")
    promised_on: date | None = scalar("promised_on", "Promised for.")


@graph.type(
    scope=Scope.GRAPH_READ,
    member=Scope.GRAPH_READ,
    table=shipment_line,
    key=("line_no",),
    order=(by("line_no"),),
    visible=WITH_ITS_ORDER,
)
class ShipmentLine:
    """What one shipment holds of an order line."""

    line_no: int = scalar("line_no", "Line of the order.")
    name: str = scalar("name", "What it is called.")
    product: str | None = scalar("product", "Product id or SKU.")
    quantity: Decimal = scalar("quantity", "How many.")


@graph.type(
    scope=Scope.GRAPH_READ,
    member=Scope.GRAPH_READ,
    table=shipment,
    key=("shipment_id",),
    order=(by("number"),),
    prefix="shp",
    visible=WITH_ITS_ORDER,
)
class Shipment(Node):
    """One parcel or load of an order."""

    id: strawberry.ID = node_id("shp", "shipment_id")
    number: str = scalar("number", "The source's shipment number.")
    status: ShipmentStatus = scalar("status", "Where it stands.")
    carrier: str | None = scalar("carrier", "Who carries it.")
    tracking_number: str | None = scalar("tracking_number", "The carrier's number.")
    tracking_url: str | None = scalar("tracking_url", "Where to follow it.")
    promised_on: date | None = scalar("promised_on", "Promised to arrive.")
    shipped_at: datetime | None = scalar("shipped_at", "Left at.")
    delivered_at: datetime | None = scalar("delivered_at", "Arrived at.")
    late: bool = scalar(resolvers.shipment_is_late, "Arrived after the promised day, or not yet though it is past.")
    lines: list[ShipmentLine] = many(resolvers.shipment_lines, "What it holds, by line number.")


@graph.type(
    scope=Scope.GRAPH_READ,
    member=Scope.GRAPH_READ,
    table=order_event,
    key=("entry_key",),
    order=(by("occurred_at"),),
    visible=account_resolvers.visible,  # reached through its order alone
)
class OrderEvent:
    """One entry of an order's timeline."""

    kind: OrderEventKind = scalar("kind", "What happened.")
    at: datetime = scalar("occurred_at", "When; midnight where only the day is known.")
    on: date | None = scalar("occurred_on", "The day, where only that is known.")
    late: bool = scalar("late", "Whether it came after the promised day.")
    note: str | None = scalar("note", "Anything the source added; the carrier of a shipment.")
    shipment_number: str | None = scalar("shipment_number", "Which shipment.")
    document_number: str | None = scalar("document_number", "Which invoice or credit note.")
    amount: Money | None = one(resolvers.amount, "Amount of a refund, where told.")
    promised_from: date | None = scalar("promised_from", "The day promised until then, where the promise was changed.")
    promised_on: date | None = scalar("promised_on", "The day promised since then, where the promise was changed.")


@graph.type(
    scope=Scope.GRAPH_READ,
    member=Scope.GRAPH_READ,
    table=sales_order,
    key=("order_id",),
    order=(by("placed_at", descending=True),),
    prefix="ord",
    visible=account_resolvers.visible_at_site,
    by_id=resolvers.by_id,
)
class Order(Node):
    """An order. Default order: latest placed first."""

    id: strawberry.ID = node_id("ord", "order_id")
    number: str = scalar("number", "The source's order number.", filters=True, orders=True)
    status: OrderStatus = scalar("status", "Where it stands.", filters=True)
    channel: str = scalar("channel", "Channel it came through.", filters=True)
    purchase_order: str | None = scalar("purchase_order", "The client's own reference.", filters=True)
    location: str | None = scalar("location", "The site it was placed at or for, as the source calls it.", filters=True)
    placed_at: datetime = scalar("placed_at", "Placed at.", filters=True, orders=True)
    promised_on: date | None = scalar("promised_on", "Promised for.", filters=True, orders=True, nullable=True)
    late: bool = scalar(
        resolvers.is_late, "Promised for a day that is past, and neither delivered nor ended.", filters=True
    )
    total: Money = one(resolvers.total, "Total, taxes included.", sums="total")
    refunded: Money = one(resolvers.refunded, "Paid back so far.")
    account: LazyAccount = one(resolvers.account_of, "The account it belongs to.", filters=True)
    customer: LazyCustomer = one(resolvers.customer_of, "The holder of that account.", filters=True)
    contact: LazyCustomer | None = one(
        resolvers.contact_of, "The person who placed it, where that is not the holder.", filters=True
    )
    line_count: int = scalar(resolvers.line_count, "How many lines.")
    lines: Connection[OrderLine] = page(resolvers.lines, "What was ordered, by line number.", filters=True)
    postings: list[Annotated["LedgerEntry", strawberry.lazy("cdp.schema.account")]] = many(
        resolvers.postings,
        "What was posted for it, invoices and credit notes: earliest first.",
        scope=Scope.LEDGER_READ,
        member=Scope.LEDGER_READ,
    )
    shipments: list[Shipment] = many(resolvers.shipments, "What was sent, by number.")
    timeline: list[OrderEvent] = many(resolvers.timeline, "What happened, oldest first.")


@strawberry.enum(description="What orders are grouped by in a summary.")
class OrderGroupBy(enum.Enum):
    """Groups of orders."""

    MONTH = strawberry.enum_value("month", description="Month placed, in UTC, e.g. 2026-03.")
    STATUS = strawberry.enum_value("status", description="Where they stand, e.g. PARTLY_SHIPPED.")
    CHANNEL = strawberry.enum_value("channel", description="Channel they came through.")


@graph.type(scope=Scope.GRAPH_READ, member=Scope.GRAPH_READ)
class OrderSums:
    """Sums over orders; amounts of different currencies are never added."""

    total: list[Money] = many(sum_of("total"), "Sum of totals, one amount for each currency, by code.")
    refunded: list[Money] = many(
        sum_of("refunded"), "Sum of what was paid back, one amount for each currency, by code."
    )


@graph.type(scope=Scope.GRAPH_READ, member=Scope.GRAPH_READ, key=("key",))
class OrderGroup:
    """Orders of one group."""

    key: str | None = scalar("key", "The month, status or channel.")
    count: int = scalar("count", "How many.")
    first: datetime | None = scalar("first", "Earliest placed.")
    last: datetime | None = scalar("last", "Latest placed.")
    sum: OrderSums = one(sums, "Sums.")


@graph.type(scope=Scope.GRAPH_READ, member=Scope.GRAPH_READ)
class OrderSummary:
    """How many orders, how much, since when: in all, and by group."""

    count: int = scalar("count", "How many.")
    first: datetime | None = scalar("first", "Earliest placed; null when there is none.")
    last: datetime | None = scalar("last", "Latest placed; null when there is none.")
    sum: OrderSums = one(sums, "Sums.")
    groups: list[OrderGroup] = many(
        groups(ORDER_GROUPS),
        "The same by group, by key; groups without an order are left out.",
        inputs={"by": (OrderGroupBy, strawberry.UNSET, "What to group by.")},
        most=100,
    )
