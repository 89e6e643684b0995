"""`identifierUnblock`: a blocked value counts again."""

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


@strawberry.input(description="Which value to unblock.")
class IdentifierUnblockInput:
    """Input of identifierUnblock."""

    identifier: IdentifierInput = strawberry.field(description="The value, in any spelling; phone numbers with +.")
    reason: str | None = strawberry.field(default=None, description=REASON)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="What came of identifierUnblock.")
class IdentifierUnblockPayload:
    """`customer_ids` is for the compiled field."""

    customers: list[Customer] = many(
        resolvers.customers_of,
        "The customer it points at now, if any.",
        scope=Scope.GRAPH_READ,
        member=None,
        most=USUAL_CUSTOMERS,
    )
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def identifier_unblock(
    info: strawberry.Info,
    input: Annotated[IdentifierUnblockInput, strawberry.argument(description="Which value, and why.")],
) -> IdentifierUnblockPayload:
    """A blocked value counts again."""
    actor = author(info, input.reason)
    wrong = mistaken(input.reason, input.idempotency_key, input.identifier)
    if wrong is not None:
        return _payload(wrong)
    namespace, value, key = input.identifier.namespace, input.identifier.value, input.idempotency_key
    return _payload(
        await work(
            info, lambda connection: valuing.unblock(connection, namespace, value, author=actor, request_key=key)
        )
    )


def _payload(outcome: Changed | Mistake) -> IdentifierUnblockPayload:
    if isinstance(outcome, Mistake):
        return made(IdentifierUnblockPayload, customer_ids=[], user_errors=[user_error(outcome)])
    return made(IdentifierUnblockPayload, customer_ids=list(outcome.customer_ids), user_errors=[])
