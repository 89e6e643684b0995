"""What every type of the contract is made from: the registry, nodes, connections, money, scalars."""

from decimal import Decimal
from typing import Any, Final, Generic, NewType, TypeVar

import strawberry
from strawberry.types.scalar import ScalarDefinition

from cdp.access.viewer import Scope
from cdp.db.ids import typed_id
from cdp.graph.declaration import Registry, Row, scalar
from cdp.graph.inputs import DURATION, Duration

graph: Final = Registry()
N = TypeVar("N")

Currency = NewType("Currency", str)
"""ISO 4217 code."""

SCALARS: Final[dict[object, ScalarDefinition]] = {
    Currency: strawberry.scalar(
        name="Currency", description="ISO 4217 currency code, e.g. EUR.", serialize=str, parse_value=str
    ),
    Duration: DURATION,
}


def node_id(prefix: str, column: str) -> Any:
    """The `id` field of a node: its typed id."""

    def expression(row: Row) -> Any:
        return typed_id(prefix, getattr(row.c, column))

    return scalar(expression, f"Opaque and lasting; begins with {prefix}_.", filters=True)


@strawberry.interface(description="Anything with an id of its own; ids are opaque, typed and lasting.")
class Node:
    """Interface of all objects with an id."""

    id: strawberry.ID = strawberry.field(description="Opaque and lasting.")


@strawberry.type(description="Where a page stands in its connection.")
class PageInfo:
    """Relay page information."""

    has_next_page: bool = strawberry.field(description="Whether rows follow the page.")
    has_previous_page: bool = strawberry.field(description="Whether rows come before the page.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first row; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last row; null on an empty page.")


@strawberry.type(description="A row of a connection, with its cursor.")
class Edge(Generic[N]):
    """Relay edge."""

    cursor: str = strawberry.field(
        description="Where the row stands in the order asked for; pass it as after or before."
    )
    node: N = strawberry.field(description="The row.")


@strawberry.type(description="A page of rows in a stable order, with keyset cursors.")
class Connection(Generic[N]):
    """Relay connection."""

    edges: list[Edge[N]] = strawberry.field(description="Rows with their cursors.")
    nodes: list[N] = strawberry.field(description="Rows alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")
    total_count: int = strawberry.field(description="Rows in all, before paging; counted only when asked for.")


@graph.type(scope=Scope.GRAPH_READ, member=Scope.GRAPH_READ)
class Money:
    """An exact amount in one currency; amounts of different currencies are never added."""

    amount: Decimal = scalar("amount", "Decimal with the currency's own number of digits, as a string.")
    currency: Currency = scalar("currency", "ISO 4217 code.")
