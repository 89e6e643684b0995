"""`reviewRefuse`: what was found is wrong, and never comes back."""

from typing import Annotated

import strawberry

from cdp.access.viewer import Scope
from cdp.errors import Mistake
from cdp.graph.declaration import one
from cdp.identify import reviewing
from cdp.resolvers import review as resolvers
from cdp.schema.mutations.acting import UserError, author, read_ids, user_error, work
from cdp.schema.mutations.deciding import REASON, mistaken
from cdp.schema.review import Review
from cdp.schema.subscription import made


@strawberry.input(description="Which review to refuse.")
class ReviewRefuseInput:
    """Input of reviewRefuse."""

    id: strawberry.ID = strawberry.field(description="The review.")
    reason: str | None = strawberry.field(default=None, description=REASON)


@strawberry.type(description="What came of reviewRefuse.")
class ReviewRefusePayload:
    """`review_id` is for the compiled field."""

    review: Review | None = one(
        resolvers.review_of,
        "The review as it is now, and with it the customers. Null after a mistake.",
        scope=Scope.GRAPH_READ,
        member=None,
    )
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def review_refuse(
    info: strawberry.Info,
    input: Annotated[ReviewRefuseInput, strawberry.argument(description="Which review, and why.")],
) -> ReviewRefusePayload:
    """What was found is wrong, and never comes back."""
    actor = author(info, input.reason)
    ids = read_ids([input.id], "rev", "id")
    if isinstance(ids, Mistake):
        return _payload(reviewing.mistake_about(ids))
    wrong = mistaken(input.reason)
    if wrong is not None:
        return _payload(wrong)
    return _payload(await work(info, lambda connection: reviewing.refuse(connection, ids[0], author=actor)))


def _payload(outcome: reviewing.Review | Mistake) -> ReviewRefusePayload:
    if isinstance(outcome, Mistake):
        return made(ReviewRefusePayload, review_id=None, user_errors=[user_error(outcome)])
    return made(ReviewRefusePayload, review_id=outcome.review_id, user_errors=[])
