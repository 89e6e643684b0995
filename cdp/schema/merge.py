"""The merge ledger in the contract: which customers became one or parted, by which rule, when, and who said so."""

import enum
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from cdp.access.viewer import Scope
from cdp.graph.declaration import by, one, scalar
from cdp.identify.tables import customer_merge
from cdp.resolvers import merge as resolvers
from cdp.schema.base import Node, graph, node_id

if TYPE_CHECKING:
    from cdp.schema.customer import Customer


@strawberry.enum(description="What a record of the merge ledger tells.")
class MergeKind(enum.Enum):
    """Merge or split."""

    MERGE = strawberry.enum_value("merge", description="Others became part of the customer.")
    SPLIT = strawberry.enum_value("split", description="Profiles left the customer for another.")


@strawberry.enum(description="Why customers became one or parted.")
class MergeRule(enum.Enum):
    """Rules of identity."""

    IDENTIFIER = strawberry.enum_value(
        "identifier", description="What they share, or no longer do, by all claims known."
    )
    ALIAS = strawberry.enum_value("alias", description="A source said that two of its keys are one.")
    MANUAL = strawberry.enum_value("manual", description="Somebody decided it.")


@graph.type(
    scope=Scope.GRAPH_READ,
    table=customer_merge,
    key=("merge_id",),
    order=(by("merged_at", descending=True),),
    prefix="mrg",
)
class Merge(Node):
    """A line of the merge ledger; none is ever changed. Default order: latest first."""

    id: strawberry.ID = node_id("mrg", "merge_id")
    kind: MergeKind = scalar("kind", "Merge or split.", filters=True)
    rule: MergeRule = scalar("rule", "Why.", filters=True)
    at: datetime = scalar("merged_at", "When.", filters=True, orders=True)
    actor: str = scalar(
        "actor", "Who: system, a client (client:…) or a staff person's subject.", scope=Scope.GRAPH_PII, filters=True
    )
    reason: str | None = scalar("reason", "Why, in their own words.", scope=Scope.GRAPH_PII)
    customer_id: strawberry.ID = scalar(
        resolvers.customer_id, "The customer that others joined, or that profiles left."
    )
    other_customer_ids: list[strawberry.ID] = scalar(
        resolvers.other_customer_ids, "Customers that became part of it, or that profiles left it for."
    )
    customer: Annotated["Customer", strawberry.lazy("cdp.schema.customer")] | None = one(
        resolvers.customer_now, "The customer as it is by now, or the one that it became part of since."
    )
