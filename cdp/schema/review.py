"""The review queue in the contract: what identity leaves for people to decide."""

import enum
from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from cdp.access.viewer import Scope
from cdp.graph.declaration import by, many, one, scalar
from cdp.identify.tables import review
from cdp.resolvers import review as resolvers
from cdp.schema.account import Staff
from cdp.schema.base import Node, graph, node_id
from cdp.schema.customer import Customer
from cdp.schema.merge import Merge


@strawberry.enum(description="What there is to decide.")
class ReviewKind(enum.Enum):
    """Kinds of findings."""

    SHARED = strawberry.enum_value(
        "shared",
        description="A value is on more customers than one person is. Accepted: it ties nobody. Refused: it does, within limits.",
    )
    QUARANTINE = strawberry.enum_value(
        "quarantine", description="A customer is too large. Accepted: it may grow. Refused: it stays as it is."
    )
    REFUSAL = strawberry.enum_value(
        "refusal",
        description="Two customers share a value, and together would break a limit. Accepted: they are one. Refused: never.",
    )
    MATCH = strawberry.enum_value(
        "match", description="Two customers look alike. Accepted: they are one. Refused: never."
    )


@strawberry.enum(description="Whether it was decided.")
class ReviewState(enum.Enum):
    """States of a review."""

    OPEN = strawberry.enum_value("open", description="It waits for somebody.")
    ACCEPTED = strawberry.enum_value("accepted", description="Somebody said that it is right.")
    REFUSED = strawberry.enum_value("refused", description="Somebody said that it is wrong; it never comes back.")


@graph.type(
    scope=Scope.GRAPH_READ,
    table=review,
    key=("review_id",),
    order=(by("found_at"),),
    prefix="rev",
)
class Review(Node):
    """A line of the review queue: something found for people to decide. Default order: longest waiting first."""

    id: strawberry.ID = node_id("rev", "review_id")
    kind: ReviewKind = scalar("kind", "What there is to decide.", filters=True)
    state: ReviewState = scalar("state", "Whether it was decided.", filters=True)
    namespace: str | None = scalar("namespace", "Namespace of the identifier it is about.", filters=True)
    value: str | None = scalar(
        "value", "Normal form of the identifier it is about.", scope=Scope.GRAPH_PII, filters=True
    )
    customers: list[Customer] = many(
        resolvers.customers,
        "The customers it is about, as they are by now, older first: one in quarantine, two that may be one, none of a value.",
        most=2,
    )
    weight: float | None = scalar(
        "weight",
        "Of a match: by how much likelier than not the two are one, as the logarithm to base 2.",
        orders=True,
        nullable=True,
    )
    explanation: JSON = scalar(
        "explanation", "Why it was found: of a match what each comparison weighs.", scope=Scope.GRAPH_PII
    )
    found_at: datetime = scalar("found_at", "When it was found first.", filters=True, orders=True)
    is_assigned: bool = scalar(resolvers.is_assigned, "Whether somebody looks at it.", filters=True)
    assignee: Staff | None = one(resolvers.assignee, "Who looks at it.", filters=True)
    decided_at: datetime | None = scalar("decided_at", "When it was decided.", filters=True, orders=True, nullable=True)
    decided_by: str | None = scalar(
        "decided_by", "Who decided: a client (client:…) or a staff person's subject.", scope=Scope.GRAPH_PII
    )
    reason: str | None = scalar("reason", "Why, in their own words.", scope=Scope.GRAPH_PII)
    merge: Merge | None = one(resolvers.merge, "The merge that accepting it made, by which it can be undone.")
