"""`webhookUpdate`: an endpoint's address, kinds or state is to be another."""

from typing import Annotated

import strawberry

from cdp.access.viewer import Scope
from cdp.errors import Mistake
from cdp.graph.declaration import one
from cdp.resolvers import webhook as resolvers
from cdp.schema.mutations.acting import UserError, user_error
from cdp.schema.mutations.managing_webhooks import at_desk, read_one
from cdp.schema.subscription import made
from cdp.schema.webhook import WebhookEndpoint


@strawberry.input(description="What is to be another; what isn't given stays.")
class WebhookUpdateInput:
    """Input of webhookUpdate."""

    id: strawberry.ID = strawberry.field(description="The endpoint.")
    url: str | None = strawberry.field(
        default=None, description="Where to, from the next attempt on, also of what waits."
    )
    kinds: list[str] | None = strawberry.field(
        default=None, description="Which kinds, in place of those before; empty: all."
    )
    description: str | None = strawberry.field(default=None, description="What it is for; at most 1,000 characters.")
    enabled: bool | None = strawberry.field(
        default=None,
        description="false: it gets nothing, and what waits for it dies. true: it gets changes from now on, at once even if it"
        " rested; webhookReplay sends what it missed.",
    )


@strawberry.type(description="What came of webhookUpdate.")
class WebhookUpdatePayload:
    """`endpoint_id` is for the compiled field."""

    endpoint: WebhookEndpoint | None = one(
        resolvers.endpoint_of, "The endpoint as it is now; null after a mistake.", scope=Scope.FEED_READ, member=None
    )
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def webhook_update(
    info: strawberry.Info,
    input: Annotated[WebhookUpdateInput, strawberry.argument(description="Which endpoint, and what of it.")],
) -> WebhookUpdatePayload:
    """Change an endpoint."""
    endpoint_id = read_one(input.id, "whe", "id")
    outcome = await at_desk(
        info,
        lambda desk: (
            endpoint_id
            if isinstance(endpoint_id, Mistake)
            else desk.update(
                endpoint_id, url=input.url, kinds=input.kinds, description=input.description, enabled=input.enabled
            )
        ),
    )
    if isinstance(outcome, Mistake):
        return made(WebhookUpdatePayload, endpoint_id=None, user_errors=[user_error(outcome)])
    return made(WebhookUpdatePayload, endpoint_id=outcome, user_errors=[])
