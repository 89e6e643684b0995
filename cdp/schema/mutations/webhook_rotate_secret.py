"""`webhookRotateSecret`: messages are to be signed with a new secret, and for a while with the old one too."""

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
from cdp.webhooks.endpoints import USUAL_OVERLAP_HOURS


@strawberry.input(description="Whose secret, and how long the old one signs beside the new.")
class WebhookRotateSecretInput:
    """Input of webhookRotateSecret."""

    id: strawberry.ID = strawberry.field(description="The endpoint.")
    overlap_hours: int = strawberry.field(
        default=USUAL_OVERLAP_HOURS,
        description="Hours in which messages carry signatures of both, at most 720; 0 when the old one was given away.",
    )


@strawberry.type(description="What came of webhookRotateSecret.")
class WebhookRotateSecretPayload:
    """`endpoint_id` is for the compiled field."""

    endpoint: WebhookEndpoint | None = one(
        resolvers.endpoint_of, "The endpoint; null after a mistake.", scope=Scope.FEED_READ, member=None
    )
    secret: str | None = strawberry.field(description="The new secret, whsec_…; shown now and never again.")
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def webhook_rotate_secret(
    info: strawberry.Info,
    input: Annotated[WebhookRotateSecretInput, strawberry.argument(description="Which endpoint, and the overlap.")],
) -> WebhookRotateSecretPayload:
    """Rotate an endpoint's secret."""
    endpoint_id = read_one(input.id, "whe", "id")
    outcome = await at_desk(
        info,
        lambda desk: (
            endpoint_id
            if isinstance(endpoint_id, Mistake)
            else desk.rotate_secret(endpoint_id, overlap_hours=input.overlap_hours)
        ),
    )
    if isinstance(outcome, Mistake):
        return made(WebhookRotateSecretPayload, endpoint_id=None, secret=None, user_errors=[user_error(outcome)])
    return made(WebhookRotateSecretPayload, endpoint_id=outcome.endpoint_id, secret=outcome.secret, user_errors=[])
