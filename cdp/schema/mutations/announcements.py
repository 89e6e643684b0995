"""Mutations of announcements: the company tells, and tells no more; a member puts one away."""

from datetime import date
from typing import Annotated
from uuid import UUID

import strawberry

from cdp.access.audit import actor_of
from cdp.access.viewer import Member, Role, Scope, Tool
from cdp.db.ids import parse_id
from cdp.errors import Mistake
from cdp.graph.declaration import one
from cdp.interact import announcements
from cdp.resolvers import announcement as resolvers
from cdp.schema.account import AccountTier
from cdp.schema.announcement import Announcement
from cdp.schema.mutations.acting import UserError, authorise, user_error, work
from cdp.schema.subscription import made

_ERRORS = "Why nothing was changed; empty when all went well."


@strawberry.input(description="What to tell, and whom.")
class AnnouncementCreateInput:
    """Input of announcementCreate."""

    title: str = strawberry.field(description="In a few words, at most 120 characters.")
    body: str = strawberry.field(description="In full, at most 2,000 characters; lines apart are paragraphs.")
    account_id: strawberry.ID | None = strawberry.field(default=None, description="One account alone.")
    tier: AccountTier | None = strawberry.field(default=None, description="Accounts of a tier; null: of any.")
    ends_on: date | None = strawberry.field(default=None, description="Last day; null: until it is withdrawn.")


@strawberry.input(description="An announcement.")
class AnnouncementInput:
    """Input of mutations of one announcement."""

    announcement_id: strawberry.ID = strawberry.field(description="Which.")


@strawberry.type(description="What came of a mutation of an announcement.")
class AnnouncementPayload:
    """`announcement_id` is for the compiled field."""

    announcement: Announcement | None = one(
        resolvers.announcement_of, "The announcement; null after a mistake.", scope=Scope.GRAPH_WRITE, member=None
    )
    user_errors: list[UserError] = strawberry.field(description=_ERRORS)


async def _create(
    info: strawberry.Info, input: Annotated[AnnouncementCreateInput, strawberry.argument(description="What, whom.")]
) -> AnnouncementPayload:
    viewer = authorise(info, scope=Scope.GRAPH_WRITE)
    assert isinstance(viewer, Tool)  # noqa: S101 — no role of members may
    account_id = parse_id(input.account_id, "acc") if input.account_id is not None else None
    if input.account_id is not None and account_id is None:
        return _payload(
            Mistake(code="account_not_found", message="There is no such account.", field=("accountId",)), None
        )
    told = announcements.Announcement(
        title=input.title,
        body=input.body,
        account_id=account_id,
        tier=None if input.tier is None else input.tier.name.lower(),
        ends_on=input.ends_on,
        written_by=actor_of(viewer).actor,
    )
    outcome = await work(info, lambda connection: announcements.publish(connection, told))
    if isinstance(outcome, Mistake):
        return _payload(outcome, None)
    return _payload(None, outcome)


async def _withdraw(
    info: strawberry.Info, input: Annotated[AnnouncementInput, strawberry.argument(description="Which.")]
) -> AnnouncementPayload:
    authorise(info, scope=Scope.GRAPH_WRITE)
    announcement_id = parse_id(input.announcement_id, "ann")
    if announcement_id is None:
        return _payload(_not_an_id(), None)
    mistake = await work(info, lambda connection: announcements.withdraw(connection, announcement_id))
    return _payload(mistake, announcement_id)


async def _put_away(
    info: strawberry.Info, input: Annotated[AnnouncementInput, strawberry.argument(description="Which.")]
) -> AnnouncementPayload:
    viewer = authorise(info, scope=None, roles=tuple(Role))
    assert isinstance(viewer, Member)  # noqa: S101 — no tool may
    announcement_id = parse_id(input.announcement_id, "ann")
    if announcement_id is None:
        return _payload(_not_an_id(), None)
    await work(
        info,
        lambda connection: announcements.put_away(connection, announcement_id, member_id=viewer.member_id),
    )
    return _payload(None, announcement_id)


def _payload(mistake: Mistake | None, announcement_id: UUID | None) -> AnnouncementPayload:
    errors = [user_error(mistake)] if mistake else []
    return made(AnnouncementPayload, announcement_id=None if errors else announcement_id, user_errors=errors)


def _not_an_id() -> Mistake:
    message = "An id of this type looks like ann_0123456789abcdef0123456789abcdef."
    return Mistake(code="not_an_id", message=message, field=("announcementId",))


@strawberry.type
class AnnouncementMutation:
    """Roots; the mutation root has them."""

    announcement_create: AnnouncementPayload | None = strawberry.field(
        resolver=_create,
        description="Tells clients something on their home pages from now on. Needs the scope graph:write.",
    )
    announcement_withdraw: AnnouncementPayload | None = strawberry.field(
        resolver=_withdraw, description="Tells it no more. Needs the scope graph:write."
    )
    announcement_put_away: AnnouncementPayload | None = strawberry.field(
        resolver=_put_away, description="A member has read it, and sees it no more. For members, about themselves."
    )
