"""`webhookDelete`: an address is to get nothing any more."""

from typing import Annotated

import strawberry

from cdp.db.ids import format_id
from cdp.errors import Mistake
from cdp.schema.mutations.acting import UserError, user_error
from cdp.schema.mutations.managing_webhooks import at_desk, read_one


@strawberry.input(description="Which endpoint to delete.")
class WebhookDeleteInput:
    """Input of webhookDelete."""

    id: strawberry.ID = strawberry.field(description="The endpoint.")


@strawberry.type(description="What came of webhookDelete.")
class WebhookDeletePayload:
    """Payload of webhookDelete."""

    deleted_id: strawberry.ID | None = strawberry.field(description="The id that was; null after a mistake.")
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def webhook_delete(
    info: strawberry.Info,
    input: Annotated[WebhookDeleteInput, strawberry.argument(description="Which endpoint.")],
) -> WebhookDeletePayload:
    """Delete an endpoint."""
    endpoint_id = read_one(input.id, "whe", "id")
    outcome = await at_desk(
        info, lambda desk: endpoint_id if isinstance(endpoint_id, Mistake) else desk.delete(endpoint_id)
    )
    if isinstance(outcome, Mistake):
        return WebhookDeletePayload(deleted_id=None, user_errors=[user_error(outcome)])
    return WebhookDeletePayload(deleted_id=strawberry.ID(format_id("whe", outcome)), user_errors=[])
