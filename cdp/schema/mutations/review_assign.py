"""`reviewAssign`: somebody of the staff looks at it."""

from typing import Annotated

import strawberry

from cdp.access.viewer import Scope
from cdp.errors import Mistake
from cdp.graph.declaration import one
from cdp.identify import reviewing
from cdp.resolvers import review as resolvers
from cdp.schema.mutations.acting import UserError, author, read_ids, user_error, work
from cdp.schema.review import Review
from cdp.schema.subscription import made


@strawberry.input(description="Which review to hand to whom.")
class ReviewAssignInput:
    """Input of reviewAssign."""

    id: strawberry.ID = strawberry.field(description="The review.")
    email: str | None = strawberry.field(
        default=None, description="E-mail address of somebody of the staff; null: nobody in particular."
    )


@strawberry.type(description="What came of reviewAssign.")
class ReviewAssignPayload:
    """`review_id` is for the compiled field."""

    review: Review | None = one(
        resolvers.review_of,
        "The review as it is now, and with it the customers. Null after a mistake.",
        scope=Scope.GRAPH_READ,
        member=None,
    )
    user_errors: list[UserError] = strawberry.field(description="Why nothing was changed; empty when all went well.")


async def review_assign(
    info: strawberry.Info,
    input: Annotated[ReviewAssignInput, strawberry.argument(description="Which review, and who.")],
) -> ReviewAssignPayload:
    """Somebody of the staff looks at it."""
    author(info, None)
    ids = read_ids([input.id], "rev", "id")
    if isinstance(ids, Mistake):
        return _payload(reviewing.mistake_about(ids))
    return _payload(await work(info, lambda connection: reviewing.assign(connection, ids[0], input.email)))


def _payload(outcome: reviewing.Review | Mistake) -> ReviewAssignPayload:
    if isinstance(outcome, Mistake):
        return made(ReviewAssignPayload, review_id=None, user_errors=[user_error(outcome)])
    return made(ReviewAssignPayload, review_id=outcome.review_id, user_errors=[])
