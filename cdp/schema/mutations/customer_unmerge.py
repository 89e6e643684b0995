"""`customerUnmerge`: two customers were never one."""

from typing import Annotated, Any, Final

import strawberry

from cdp.access.viewer import Scope
from cdp.errors import Mistake
from cdp.graph.declaration import many
from cdp.identify import unmerging
from cdp.resolvers import merge as resolvers
from cdp.schema.customer import Customer
from cdp.schema.mutations.acting import UserError, author, read_ids, too_long, user_error, work
from cdp.schema.mutations.customer_merge import LONGEST_REASON_CHARACTERS
from cdp.schema.subscription import made

USUAL_PARTS: Final = 2


@strawberry.input(description="Which merge to undo.")
class CustomerUnmergeInput:
    """Input of customerUnmerge."""

    merge_id: strawberry.ID = strawberry.field(description="The merge's id, from customerMerge or a customer's merges.")
    reason: str | None = strawberry.field(default=None, description="Why, for the ledger; at most 1,000 characters.")


@strawberry.type(description="What came of customerUnmerge.")
class CustomerUnmergePayload:
    """`customer_ids` is for the compiled field."""

    customers: list[Customer] = many(
        resolvers.customers_of,
        "The customers that there are now, last seen first; empty after a mistake.",
        scope=Scope.GRAPH_READ,
        member=None,
        most=USUAL_PARTS,
    )
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def customer_unmerge(
    info: strawberry.Info,
    input: Annotated[CustomerUnmergeInput, strawberry.argument(description="Which merge, and why undo it.")],
) -> CustomerUnmergePayload:
    """Undo a merge."""
    actor = author(info, input.reason)
    ids = read_ids([input.merge_id], "mrg", "mergeId")
    wrong = too_long(input.reason, LONGEST_REASON_CHARACTERS, "reason")
    if wrong is not None:
        return _payload(wrong)
    if isinstance(ids, Mistake):
        return _payload(Mistake(code=ids.code, message=ids.message, field=("mergeId",)))
    return _payload(await work(info, lambda connection: unmerging.unmerge(connection, ids[0], author=actor)))


def _payload(outcome: unmerging.Unmerged | Mistake) -> CustomerUnmergePayload:
    told: dict[str, Any] = {"customer_ids": [], "user_errors": []}
    if isinstance(outcome, Mistake):
        told["user_errors"] = [user_error(outcome)]
    else:
        told["customer_ids"] = list(outcome.customer_ids)
    return made(CustomerUnmergePayload, **told)
