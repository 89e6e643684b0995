"""`webhookReplay`: what was sent, or should have been, is to be sent again: one delivery, or all since an instant."""

import enum
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import strawberry

from cdp.access.viewer import Scope
from cdp.errors import Mistake
from cdp.graph.declaration import one
from cdp.resolvers import webhook as resolvers
from cdp.schema.mutations.acting import UserError, user_error
from cdp.schema.mutations.managing_webhooks import at_desk, read_one
from cdp.schema.subscription import made
from cdp.schema.webhook import WebhookDelivery, WebhookEndpoint
from cdp.webhooks.endpoints import Desk, Replayed


@strawberry.enum(description="What to send again.")
class WebhookReplayed(enum.Enum):
    """What to replay."""

    MISSED = strawberry.enum_value(
        "missed", description="What didn't arrive: dead letters, and changes while it was disabled or not yet there."
    )
    EVERYTHING = strawberry.enum_value("everything", description="What arrived too.")


_WHAT: Final[Mapping[WebhookReplayed, Replayed]] = {
    WebhookReplayed.MISSED: "missed",
    WebhookReplayed.EVERYTHING: "everything",
}


@strawberry.input(description="What to send again: a delivery, or all since an instant of one endpoint.")
class WebhookReplayInput:
    """Input of webhookReplay."""

    delivery_id: strawberry.ID | None = strawberry.field(
        default=None, description="One delivery, whatever became of it; then nothing else is given."
    )
    id: strawberry.ID | None = strawberry.field(default=None, description="The endpoint, with since.")
    since: datetime | None = strawberry.field(
        default=None, description="Changes from then on, with an offset from UTC, as far as the feed keeps them."
    )
    what: WebhookReplayed = strawberry.field(
        default=WebhookReplayed.MISSED, description="Which of them; what was missed unless told."
    )


@strawberry.type(description="What came of webhookReplay.")
class WebhookReplayPayload:
    """`endpoint_id` and `delivery_id` are for the compiled fields."""

    endpoint: WebhookEndpoint | None = one(
        resolvers.endpoint_of, "The endpoint; null after a mistake.", scope=Scope.FEED_READ, member=None
    )
    delivery: WebhookDelivery | None = one(
        resolvers.delivery_of, "The delivery that was asked for; null otherwise.", scope=Scope.FEED_READ, member=None
    )
    dead_letters: int = strawberry.field(
        description="Dead letters that go again at once; the rest follows as the worker goes through the feed."
    )
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def webhook_replay(
    info: strawberry.Info,
    input: Annotated[WebhookReplayInput, strawberry.argument(description="A delivery; or an endpoint and an instant.")],
) -> WebhookReplayPayload:
    """Send again."""
    told: dict[str, Any] = {"endpoint_id": None, "delivery_id": None, "dead_letters": 0, "user_errors": []}
    wanted = _read(input)
    outcome = await at_desk(info, wanted if not isinstance(wanted, Mistake) else lambda _: wanted)
    if isinstance(outcome, Mistake):
        told["user_errors"] = [user_error(outcome)]
    else:
        told |= outcome
    return made(WebhookReplayPayload, **told)


def _read(input: WebhookReplayInput) -> Callable[[Desk], dict[str, Any] | Mistake] | Mistake:
    """What is to be done: of one delivery, or of all since an instant."""
    if input.delivery_id is not None:
        delivery_id = read_one(input.delivery_id, "whd", "deliveryId")
        return delivery_id if isinstance(delivery_id, Mistake) else lambda desk: _one(desk, delivery_id)
    endpoint_id = read_one(input.id or "", "whe", "id")
    since = input.since
    if since is None or since.tzinfo is None:
        message = "Give a delivery, or an endpoint and since when, with an offset from UTC."
        return Mistake(code="since_missing", message=message, field=("since",))
    return endpoint_id if isinstance(endpoint_id, Mistake) else lambda desk: _all(desk, endpoint_id, since, input.what)


def _one(desk: Desk, delivery_id: UUID) -> dict[str, Any] | Mistake:
    found = desk.replay_delivery(delivery_id)
    return found if isinstance(found, Mistake) else {"endpoint_id": found, "delivery_id": delivery_id}


def _all(desk: Desk, endpoint_id: UUID, since: datetime, what: WebhookReplayed) -> dict[str, Any] | Mistake:
    found = desk.replay(endpoint_id, since=since, what=_WHAT[what])
    return found if isinstance(found, Mistake) else {"endpoint_id": endpoint_id, "dead_letters": found}
