"""`webhookCreate`: changes are to be sent to an address."""

from typing import Annotated

import strawberry

from cdp.access.viewer import Scope
from cdp.errors import Mistake
from cdp.graph.declaration import one
from cdp.resolvers import webhook as resolvers
from cdp.schema.mutations.acting import UserError, user_error
from cdp.schema.mutations.managing_webhooks import at_desk
from cdp.schema.subscription import made
from cdp.schema.webhook import WebhookEndpoint


@strawberry.input(description="Where changes are to be sent.")
class WebhookCreateInput:
    """Input of webhookCreate."""

    url: str = strawberry.field(
        description="Where to: https://… in ASCII, outside private networks; at most 2,000 characters."
    )
    kinds: list[str] = strawberry.field(
        default_factory=list, description="Which kinds: order.placed, or order.* for all about orders; empty: all."
    )
    description: str | None = strawberry.field(default=None, description="What it is for; at most 1,000 characters.")


@strawberry.type(description="What came of webhookCreate.")
class WebhookCreatePayload:
    """`endpoint_id` is for the compiled field."""

    endpoint: WebhookEndpoint | None = one(
        resolvers.endpoint_of, "The endpoint; null after a mistake.", scope=Scope.FEED_READ, member=None
    )
    secret: str | None = strawberry.field(
        description="What its messages are signed with, whsec_…; shown now and never again."
    )
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def webhook_create(
    info: strawberry.Info,
    input: Annotated[WebhookCreateInput, strawberry.argument(description="Where to, and which kinds.")],
) -> WebhookCreatePayload:
    """Make an endpoint."""
    outcome = await at_desk(
        info, lambda desk: desk.create(url=input.url, kinds=input.kinds, description=input.description)
    )
    if isinstance(outcome, Mistake):
        return made(WebhookCreatePayload, endpoint_id=None, secret=None, user_errors=[user_error(outcome)])
    return made(WebhookCreatePayload, endpoint_id=outcome.endpoint_id, secret=outcome.secret, user_errors=[])
