"""`identifierBlock`: a value points at nobody, whoever claims it."""

from typing import Annotated

import strawberry

from cdp.access.viewer import Scope
from cdp.errors import Mistake
from cdp.graph.declaration import many
from cdp.identify import valuing
from cdp.identify.linking import Changed
from cdp.resolvers import merge as resolvers
from cdp.schema.customer import Customer
from cdp.schema.mutations.acting import UserError, author, user_error, work
from cdp.schema.mutations.deciding import KEY, REASON, USUAL_CUSTOMERS, mistaken
from cdp.schema.query import IdentifierInput
from cdp.schema.subscription import made


@strawberry.input(description="Which value to block.")
class IdentifierBlockInput:
    """Input of identifierBlock."""

    identifier: IdentifierInput = strawberry.field(description="The value, in any spelling; phone numbers with +.")
    reason: str | None = strawberry.field(default=None, description=REASON)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="What came of identifierBlock.")
class IdentifierBlockPayload:
    """`customer_ids` is for the compiled field."""

    customers: list[Customer] = many(
        resolvers.customers_of,
        "The customer it pointed at, and those that it alone held together with it; last seen first.",
        scope=Scope.GRAPH_READ,
        member=None,
        most=USUAL_CUSTOMERS,
    )
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def identifier_block(
    info: strawberry.Info,
    input: Annotated[IdentifierBlockInput, strawberry.argument(description="Which value, and why.")],
) -> IdentifierBlockPayload:
    """A value points at nobody, whoever claims it."""
    actor = author(info, input.reason)
    wrong = mistaken(input.reason, input.idempotency_key, input.identifier)
    if wrong is not None:
        return _payload(wrong)
    namespace, value, key = input.identifier.namespace, input.identifier.value, input.idempotency_key
    return _payload(
        await work(info, lambda connection: valuing.block(connection, namespace, value, author=actor, request_key=key))
    )


def _payload(outcome: Changed | Mistake) -> IdentifierBlockPayload:
    if isinstance(outcome, Mistake):
        return made(IdentifierBlockPayload, customer_ids=[], user_errors=[user_error(outcome)])
    return made(IdentifierBlockPayload, customer_ids=list(outcome.customer_ids), user_errors=[])
