"""`identifierUnlink`: an identifier isn't a customer's, whoever claims it."""

from typing import Annotated

import strawberry

from cdp.access.viewer import Scope
from cdp.errors import Mistake
from cdp.graph.declaration import many, one
from cdp.identify import linking
from cdp.resolvers import event as event_resolvers
from cdp.resolvers import merge as resolvers
from cdp.schema.customer import Customer
from cdp.schema.mutations.acting import UserError, author, read_ids, user_error, work
from cdp.schema.mutations.deciding import KEY, REASON, USUAL_CUSTOMERS, mistaken
from cdp.schema.query import IdentifierInput
from cdp.schema.subscription import made


@strawberry.input(description="Which identifier to unlink, and from whom.")
class IdentifierUnlinkInput:
    """Input of identifierUnlink."""

    customer_id: strawberry.ID = strawberry.field(description="The customer, by any id it ever had.")
    identifier: IdentifierInput = strawberry.field(description="The identifier, in any spelling; phone numbers with +.")
    reason: str | None = strawberry.field(default=None, description=REASON)
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="What came of identifierUnlink.")
class IdentifierUnlinkPayload:
    """`customer_id` and `customer_ids` are for the compiled fields."""

    customer: Customer | None = one(
        event_resolvers.customer_of,
        "The customer as it is now. Null after a mistake.",
        scope=Scope.GRAPH_READ,
        member=None,
    )
    others: list[Customer] = many(
        resolvers.customers_of,
        "Customers that were part of it by this identifier alone, and left with it; last seen first.",
        scope=Scope.GRAPH_READ,
        member=None,
        most=USUAL_CUSTOMERS,
    )
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def identifier_unlink(
    info: strawberry.Info,
    input: Annotated[IdentifierUnlinkInput, strawberry.argument(description="Which identifier, and whose.")],
) -> IdentifierUnlinkPayload:
    """An identifier isn't a customer's, whoever claims it."""
    actor = author(info, input.reason)
    wrong = mistaken(input.reason, input.idempotency_key, input.identifier)
    ids = read_ids([input.customer_id], "cus", "customerId")
    if isinstance(ids, Mistake):
        return _payload(Mistake(code=ids.code, message=ids.message, field=("customerId",)))
    if wrong is not None:
        return _payload(wrong)
    namespace, value, key = input.identifier.namespace, input.identifier.value, input.idempotency_key
    outcome = await work(
        info,
        lambda connection: linking.unlink(connection, ids[0], namespace, value, author=actor, request_key=key),
    )
    return _payload(outcome)


def _payload(outcome: linking.Changed | Mistake) -> IdentifierUnlinkPayload:
    if isinstance(outcome, Mistake):
        return made(IdentifierUnlinkPayload, customer_id=None, customer_ids=[], user_errors=[user_error(outcome)])
    first, *others = outcome.customer_ids
    return made(IdentifierUnlinkPayload, customer_id=first, customer_ids=others, user_errors=[])
