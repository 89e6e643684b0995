"""`viewAsStart`: somebody of the staff looks at the extranet as a client sees it."""

from typing import Annotated

import strawberry

from cdp.access.managing_views import start_view
from cdp.access.viewer import Role
from cdp.db.ids import parse_id
from cdp.errors import Mistake
from cdp.schema.administration import MemberRole
from cdp.schema.mutations.acting import UserError, user_error, work
from cdp.schema.mutations.administering import ERRORS, administrator


@strawberry.input(description="Whose pages to look at, as whom, and why.")
class ViewAsStartInput:
    """Input of viewAsStart."""

    account_id: strawberry.ID = strawberry.field(description="The account.")
    role: MemberRole = strawberry.field(
        default=MemberRole.CLIENT_ADMIN, description="As which role of member; what it doesn't see isn't seen."
    )
    reason: str = strawberry.field(description="Why, 3 to 500 characters; the account's client admins read it.")


@strawberry.type(description="What came of viewAsStart.")
class ViewAsStartPayload:
    """Payload of viewAsStart."""

    link: str | None = strawberry.field(
        description="Opens the view: once, within five minutes, in the browser of whoever is to look. Null after a mistake."
    )
    user_errors: list[UserError] = strawberry.field(description=ERRORS)


async def view_as_start(
    info: strawberry.Info,
    input: Annotated[ViewAsStartInput, strawberry.argument(description="Whose, as whom, why.")],
) -> ViewAsStartPayload:
    """Start a view."""
    tool, _, settings = administrator(info)
    account_id = parse_id(input.account_id, "acc")
    if account_id is None:
        mistake = Mistake(code="account_not_found", message="There is no such account.", field=("accountId",))
        return ViewAsStartPayload(link=None, user_errors=[user_error(mistake)])
    role, reason = Role[input.role.name], input.reason
    outcome = await work(
        info, lambda connection: start_view(connection, tool, account_id=account_id, role=role, reason=reason)
    )
    if isinstance(outcome, Mistake):
        return ViewAsStartPayload(link=None, user_errors=[user_error(outcome)])
    return ViewAsStartPayload(link=f"{settings.extranet_url}/view-as/{outcome}", user_errors=[])
