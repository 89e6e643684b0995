"""The roots of following: events about customers and orders, each with the selection compiled as anywhere else.

Declared here, streamed by `events.py`, served over a WebSocket by `socket.py`. An event carries ids only; the graph is asked
when it is sent, so it shows the thing as it is then.
"""

import enum
from datetime import datetime
from typing import NoReturn, TypeVar

import strawberry

from cdp.access.viewer import Scope
from cdp.graph.declaration import one
from cdp.resolvers import event as resolvers
from cdp.schema.customer import Customer
from cdp.schema.order import Order, OrderStatus

T = TypeVar("T")
AFTER = (
    str | None,
    strawberry.UNSET,
    "Go on after this event's cursor, as if never away; only new events unless given.",
)


@strawberry.enum(description="What happened to a customer.")
class CustomerChangeKind(enum.Enum):
    """Kinds of the change feed, those about customers."""

    CREATED = strawberry.enum_value("created", description="It came to be.")
    CHANGED = strawberry.enum_value("changed", description="Its golden values changed.")
    MERGED = strawberry.enum_value("merged", description="Another customer became part of it.")
    UNMERGED = strawberry.enum_value("unmerged", description="Profiles left it for another customer.")
    ERASED = strawberry.enum_value("erased", description="Its data were erased; announced, nothing tells it yet.")
    IDENTIFIER_LINKED = strawberry.enum_value(
        "identifier_linked", description="An identifier points at it from now on."
    )
    IDENTIFIER_UNLINKED = strawberry.enum_value(
        "identifier_unlinked", description="An identifier points at it no longer."
    )


@strawberry.type(description="Something that happened to a customer.")
class CustomerChange:
    """An event of `customerChanged`; `customer_id` and `subject_id` are for the compiled fields."""

    cursor: str = strawberry.field(description="Where the event stands in the feed; pass it as after.")
    at: datetime = strawberry.field(description="When it happened.")
    kind: CustomerChangeKind = strawberry.field(description="What happened.")
    customer: Customer | None = one(
        resolvers.customer_of, "The customer as it is by now.", scope=Scope.GRAPH_READ, member=None
    )


@strawberry.type(description="An order that was placed or has another status.")
class OrderStatusChange:
    """An event of `orderStatusChanged`."""

    cursor: str = strawberry.field(description="Where the event stands in the feed; pass it as after.")
    at: datetime = strawberry.field(description="When it happened.")
    before: OrderStatus | None = strawberry.field(description="Status before; null of an order just placed.")
    after: OrderStatus = strawberry.field(description="Status from then on.")
    order: Order | None = one(resolvers.order_of, "The order as it is by now.", scope=Scope.GRAPH_READ, member=None)


def _never(*_given: object) -> NoReturn:
    raise AssertionError("events are streamed, not asked for")


@strawberry.type(description="What can be followed, over a WebSocket that speaks graphql-transport-ws.")
class Subscription:
    """The subscription root."""

    customer_changed: CustomerChange = one(
        _never,
        "What happens to customers: to one, to those that match a filter at that moment, or to all.",
        scope=Scope.FEED_READ,
        member=None,
        inputs={
            "id": (strawberry.ID | None, strawberry.UNSET, "Only this customer, and who it becomes part of."),
            "after": AFTER,
        },
        filter_of="Customer",
    )
    order_status_changed: OrderStatusChange = one(
        _never,
        "Orders that are placed or reach another status: of one account, or all.",
        scope=Scope.FEED_READ,
        member=None,
        inputs={"accountId": (strawberry.ID | None, strawberry.UNSET, "Only of this account."), "after": AFTER},
    )


def made(event_type: type[T], **fields: object) -> T:
    """An event of one of the types above, which have no constructor because their compiled fields have no value."""
    event = event_type.__new__(event_type)
    for name, value in fields.items():
        setattr(event, name, value)
    return event
