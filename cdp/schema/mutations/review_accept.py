"""`reviewAccept`: what was found is right."""

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


@strawberry.input(description="Which review to accept.")
class ReviewAcceptInput:
    """Input of reviewAccept."""

    id: strawberry.ID = strawberry.field(description="The review.")
    reason: str | None = strawberry.field(default=None, description=REASON)


@strawberry.type(description="What came of reviewAccept.")
class ReviewAcceptPayload:
    """`review_id` is for the compiled field."""

    review: Review | None = one(
        resolvers.review_of,
        "The review as it is now, and with it the customers. Null after a mistake.",
        scope=Scope.GRAPH_READ,
        member=None,
    )
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def review_accept(
    info: strawberry.Info,
    input: Annotated[ReviewAcceptInput, strawberry.argument(description="Which review, and why.")],
) -> ReviewAcceptPayload:
    """What was found is right."""
    actor = author(info, input.reason)
    ids = read_ids([input.id], "rev", "id")
    if isinstance(ids, Mistake):
        return _payload(reviewing.mistake_about(ids))
    wrong = mistaken(input.reason)
    if wrong is not None:
        return _payload(wrong)
    return _payload(await work(info, lambda connection: reviewing.accept(connection, ids[0], author=actor)))


def _payload(outcome: reviewing.Review | Mistake) -> ReviewAcceptPayload:
    if isinstance(outcome, Mistake):
        return made(ReviewAcceptPayload, review_id=None, user_errors=[user_error(outcome)])
    return made(ReviewAcceptPayload, review_id=outcome.review_id, user_errors=[])
