"""Webhooks in the contract: endpoints, deliveries and attempts. Secrets are answered by what makes them, once, and never here."""

import enum
from datetime import datetime
from typing import Annotated

import strawberry

from cdp.access.viewer import Scope
from cdp.graph.declaration import by, many, one, page, scalar
from cdp.resolvers import webhook as resolvers
from cdp.schema.base import Connection, Node, graph, node_id
from cdp.webhooks.tables import webhook_attempt, webhook_delivery, webhook_endpoint, webhook_secret


@strawberry.enum(description="Whether an endpoint gets anything.")
class WebhookState(enum.Enum):
    """State of an endpoint."""

    ENABLED = strawberry.enum_value("enabled", description="It gets changes.")
    DISABLED = strawberry.enum_value("disabled", description="It gets none; what waited for it is dead.")


@strawberry.enum(description="Why an endpoint is disabled.")
class WebhookDisabledReason(enum.Enum):
    """Reasons."""

    BY_REQUEST = strawberry.enum_value("by_request", description="Somebody disabled it.")
    FAILING = strawberry.enum_value("failing", description="Nothing could be delivered for five days.")
    GONE = strawberry.enum_value("gone", description="It answered 410 Gone.")


@strawberry.enum(description="Where a delivery stands.")
class WebhookDeliveryState(enum.Enum):
    """State of a delivery."""

    PENDING = strawberry.enum_value("pending", description="It will be tried, or tried again.")
    DELIVERED = strawberry.enum_value("delivered", description="The receiver took it.")
    DEAD = strawberry.enum_value("dead", description="It was given up; replay sends it again.")


@strawberry.enum(description="How an attempt went.")
class WebhookOutcome(enum.Enum):
    """Outcome of an attempt."""

    DELIVERED = strawberry.enum_value("delivered", description="Answered with a status from 200 to 299.")
    REFUSED = strawberry.enum_value("refused", description="Answered with a status of 400 or more.")
    REDIRECTED = strawberry.enum_value("redirected", description="Answered with a redirect, which isn't followed.")
    TIMED_OUT = strawberry.enum_value("timed_out", description="Did not answer in time.")
    UNREACHABLE = strawberry.enum_value("unreachable", description="No connection, no trust, or none that held.")
    FORBIDDEN = strawberry.enum_value("forbidden", description="The address leads to where webhooks may not go.")
    INTERRUPTED = strawberry.enum_value("interrupted", description="The worker ended before an answer was on record.")


@graph.type(scope=Scope.FEED_READ, table=webhook_attempt, key=("attempt",), order=(by("attempt", descending=True),))
class WebhookAttempt:
    """One attempt to deliver. Default order: latest first."""

    number: int = scalar("attempt", "First, second, … of the delivery.")
    at: datetime = scalar("attempted_at", "When.")
    outcome: WebhookOutcome = scalar("outcome", "How it went.")
    status: int | None = scalar("status", "HTTP status, where there was an answer.")
    milliseconds: int | None = scalar("milliseconds", "How long it took.")
    problem: str | None = scalar("problem", "What went wrong, in a sentence; null when it was delivered.")
    response_excerpt: str | None = scalar(
        "excerpt", "How the answer's body begins, at most 1,000 characters.", scope=Scope.ADMIN
    )


@graph.type(
    scope=Scope.FEED_READ,
    table=webhook_delivery,
    key=("delivery_id",),
    order=(by("occurred_at", descending=True),),
    prefix="whd",
    by_id=resolvers.delivery_by_id,
)
class WebhookDelivery(Node):
    """A change on its way to an endpoint; its id is the header `webhook-id`. Default order: latest change first."""

    id: strawberry.ID = node_id("whd", "delivery_id")
    kind: str = scalar("kind", "What it tells of, such as order.placed, or webhook.test.", filters=True)
    state: WebhookDeliveryState = scalar("state", "Where it stands.", filters=True)
    occurred_at: datetime = scalar("occurred_at", "When the change happened.", filters=True, orders=True)
    body: str = scalar("body", "The JSON that is sent, byte for byte, at every attempt.")
    attempt_count: int = scalar("attempts", "How often it was tried.")
    next_attempt_at: datetime | None = scalar(
        resolvers.next_attempt_at, "When it is tried next at the earliest; null once it ended."
    )
    ended_at: datetime | None = scalar("ended_at", "When it was delivered or given up.")
    last_status: int | None = scalar("last_status", "HTTP status of the last answer.", filters=True)
    last_problem: str | None = scalar("last_problem", "Why the last attempt failed, in a sentence.")
    attempts: Connection[WebhookAttempt] = page(resolvers.attempts, "How each attempt went, latest first.")
    endpoint: Annotated["WebhookEndpoint", strawberry.lazy("cdp.schema.webhook")] | None = one(
        resolvers.endpoint, "Where it goes; null once that was deleted."
    )


@graph.type(scope=Scope.FEED_READ, table=webhook_secret, key=("secret_id",))
class WebhookSecret:
    """A secret that messages are signed with; its value is answered only by what made it."""

    created_at: datetime = scalar("created_at", "When it was made.")
    expires_at: datetime | None = scalar("expires_at", "Until when it signs beside newer ones; null for the newest.")


@graph.type(
    scope=Scope.FEED_READ,
    table=webhook_endpoint,
    key=("endpoint_id",),
    order=(by("created_at"),),
    prefix="whe",
    by_id=resolvers.endpoint_by_id,
)
class WebhookEndpoint(Node):
    """An address that changes are sent to. Default order: oldest first."""

    id: strawberry.ID = node_id("whe", "endpoint_id")
    url: str | None = scalar("url", "Where messages go; for viewers with the scope admin.", scope=Scope.ADMIN)
    host: str | None = scalar(resolvers.host, "Host and port of its address.")
    description: str | None = scalar("description", "What it is for.")
    kinds: list[str] = scalar(
        "kinds", "Kinds it wants, such as order.placed, or order.* for all about orders; empty: all."
    )
    state: WebhookState = scalar("state", "Whether it gets anything.", filters=True)
    disabled_reason: WebhookDisabledReason | None = scalar("disabled_reason", "Why it is disabled.", filters=True)
    disabled_at: datetime | None = scalar("disabled_at", "Since when it is disabled.")
    failing_since: datetime | None = scalar(
        "failing_since", "First of the failures since the last success; null when the last attempt succeeded."
    )
    resting_until: datetime | None = scalar(
        "resting_until", "It fails again and again, and is asked again then at the earliest."
    )
    last_delivered_at: datetime | None = scalar("delivered_at", "When it last took a message.")
    replaying_since: datetime | None = scalar(
        resolvers.replaying_since, "A replay of all since then is under way; null when none is."
    )
    created_at: datetime = scalar("created_at", "When it was made.", orders=True)
    created_by: str = scalar("created_by", "Who made it: a staff person's subject, client:…, or command line.")
    secrets: list[WebhookSecret] = many(
        resolvers.secrets, "Secrets that sign now, newest first; several while they overlap.", most=5
    )
    deliveries: Connection[WebhookDelivery] = page(resolvers.deliveries, "What it got, gets, or didn't.")
