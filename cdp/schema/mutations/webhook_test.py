"""`webhookTest`: whether anybody is there, and takes what we sign."""

from datetime import UTC, datetime
from typing import Annotated

import strawberry

from cdp.access.viewer import Scope
from cdp.errors import Mistake
from cdp.graph.declaration import one
from cdp.resolvers import webhook as resolvers
from cdp.schema.mutations.acting import UserError, user_error
from cdp.schema.mutations.managing_webhooks import at_desk, read_one
from cdp.schema.subscription import made
from cdp.schema.webhook import WebhookDelivery


@strawberry.input(description="Which endpoint to try.")
class WebhookTestInput:
    """Input of webhookTest."""

    id: strawberry.ID = strawberry.field(description="The endpoint, enabled or not.")


@strawberry.type(description="What came of webhookTest.")
class WebhookTestPayload:
    """`delivery_id` is for the compiled field."""

    delivery: WebhookDelivery | None = one(
        resolvers.delivery_of,
        "A delivery of the kind webhook.test, which the worker sends once; ask webhookDelivery how it went.",
        scope=Scope.FEED_READ,
        member=None,
    )
    user_errors: list[UserError] = strawberry.field(description="Why nothing was sent; empty when all went well.")


async def webhook_test(
    info: strawberry.Info,
    input: Annotated[WebhookTestInput, strawberry.argument(description="Which endpoint.")],
) -> WebhookTestPayload:
    """Send a test."""
    endpoint_id = read_one(input.id, "whe", "id")
    outcome = await at_desk(
        info,
        lambda desk: endpoint_id if isinstance(endpoint_id, Mistake) else desk.test(endpoint_id, now=datetime.now(UTC)),
    )
    if isinstance(outcome, Mistake):
        return made(WebhookTestPayload, delivery_id=None, user_errors=[user_error(outcome)])
    return made(WebhookTestPayload, delivery_id=outcome, user_errors=[])
