"""Mutations of members: inviting them, their roles and sessions, and letting them in nowhere."""

from collections.abc import Callable
from typing import Annotated, Any, Final
from uuid import UUID

import strawberry
from psycopg import Connection

from cdp.access import own_people
from cdp.access.audit import Actor
from cdp.access.managing_members import MemberDesk, SessionEnded
from cdp.access.viewer import Member, Role, Scope, Viewer
from cdp.db.ids import parse_id
from cdp.errors import Mistake
from cdp.limits import read_rate
from cdp.mail import LetterRefused, MailUnavailable, NoMailServer
from cdp.schema.administration import MemberRole
from cdp.schema.mutations.acting import UserError, authorise, user_error, work
from cdp.schema.mutations.administering import (
    ERRORS,
    NEEDS,
    MemberInvitePayload,
    MemberPayload,
    administrator,
    settings_of,
)
from cdp.schema.subscription import made

Act = Callable[[MemberDesk], UUID | SessionEnded | Mistake]
_ADMIN = " The account's last client admin stays one."
_OWN = " Needs the scope admin, or to be a client admin of the account; it is on record."
_OWN_ROLES: Final = (Role.CLIENT_ADMIN,)


@strawberry.input(description="Who is to be let into an account.")
class MemberInviteInput:
    """Input of memberInvite."""

    account_id: strawberry.ID = strawberry.field(description="The account.")
    email: str = strawberry.field(description="Whom the invitation is for; nobody else can accept it.")
    role: MemberRole = strawberry.field(description="What they may see there.")
    sites: list[str] | None = strawberry.field(
        default=None,
        description="Sites whose orders they will see, as orders name them; null: of every site. For buyers and viewers.",
    )


@strawberry.input(description="Sites that a member is limited to.")
class MemberSetSitesInput:
    """Input of memberSetSites."""

    member_id: strawberry.ID = strawberry.field(description="The member.")
    account_id: strawberry.ID = strawberry.field(description="In which account.")
    sites: list[str] | None = strawberry.field(
        description="Sites whose orders they see from now on, as orders name them; null: of every site."
    )


@strawberry.input(description="Another role of a member.")
class MemberSetRoleInput:
    """Input of memberSetRole."""

    member_id: strawberry.ID = strawberry.field(description="The member.")
    account_id: strawberry.ID = strawberry.field(description="In which account.")
    role: MemberRole = strawberry.field(description="What they may see there from now on.")


@strawberry.input(description="A member of an account.")
class MemberRemoveInput:
    """Input of memberRemove."""

    member_id: strawberry.ID = strawberry.field(description="The member.")
    account_id: strawberry.ID = strawberry.field(description="From which account.")


@strawberry.input(description="A member.")
class MemberInput:
    """Input of the mutations of one member that need no more."""

    member_id: strawberry.ID = strawberry.field(description="The member.")


@strawberry.input(description="A session of a member.")
class MemberEndSessionInput:
    """Input of memberEndSession."""

    session_id: str = strawberry.field(description="Which, from a member's sessions.")


@strawberry.input(description="An invitation.")
class MemberInviteWithdrawInput:
    """Input of memberInviteWithdraw."""

    invite_id: strawberry.ID = strawberry.field(description="Which, from the account's openInvites.")


@strawberry.type(description="What came of memberInviteWithdraw.")
class MemberInviteWithdrawPayload:
    """Payload of memberInviteWithdraw."""

    user_errors: list[UserError] = strawberry.field(description=ERRORS)


async def _invite(
    info: strawberry.Info,
    input: Annotated[MemberInviteInput, strawberry.argument(description="Whom, where, as what.")],
) -> MemberInvitePayload:
    viewer = authorise(info, scope=Scope.ADMIN, roles=_OWN_ROLES)
    if isinstance(viewer, Member):
        return await _invite_to_own(info, viewer, input)
    _, actor, settings = administrator(info)
    account_id = parse_id(input.account_id, "acc")
    if not settings.issuer_is_embedded:
        mistake = Mistake(code="invited_elsewhere", message="People are invited at the issuer they sign in at.")
        return MemberInvitePayload(link=None, user_errors=[user_error(mistake)])
    if account_id is None:
        return MemberInvitePayload(link=None, user_errors=[user_error(_not_an_id("acc", "accountId"))])
    rate, role = read_rate(settings.rate_invites), Role[input.role.name]

    def write(connection: Connection[Any]) -> Any:
        return MemberDesk(connection, actor).invite(
            email=input.email, account_id=account_id, role=role, sites=input.sites, rate=rate
        )

    outcome = await work(info, write)
    if isinstance(outcome, Mistake):
        return MemberInvitePayload(link=None, user_errors=[user_error(outcome)])
    return MemberInvitePayload(link=f"{settings.issuer}/invite/{outcome.secret}", user_errors=[])


async def _invite_to_own(info: strawberry.Info, viewer: Member, input: MemberInviteInput) -> MemberInvitePayload:
    settings = settings_of(info)
    mistake: Mistake | None
    if parse_id(input.account_id, "acc") != viewer.account_id:
        mistake = _not_there("accountId", "account")
    else:
        try:
            mistake = await work(
                info,
                lambda connection: own_people.invite(
                    connection, email=input.email, role=Role[input.role.name], settings=settings, sites=input.sites
                ),
            )
        except LetterRefused:
            message = "The letter can't be delivered to this address; nobody was invited."
            mistake = Mistake(code="letter_refused", message=message, field=("email",))
        except (MailUnavailable, NoMailServer):
            message = "Letters can't be sent at the moment; nobody was invited. Try again later."
            mistake = Mistake(code="mail_unavailable", message=message)
    return MemberInvitePayload(link=None, user_errors=[user_error(mistake)] if mistake else [])


async def _withdraw(
    info: strawberry.Info, input: Annotated[MemberInviteWithdrawInput, strawberry.argument(description="Which.")]
) -> MemberInviteWithdrawPayload:
    authorise(info, scope=None, roles=_OWN_ROLES)
    invite_id = parse_id(input.invite_id, "inv")
    mistake = (
        _not_an_id("inv", "inviteId")
        if invite_id is None
        else await work(info, lambda connection: own_people.withdraw_invite(connection, invite_id))
    )
    return MemberInviteWithdrawPayload(user_errors=[user_error(mistake)] if mistake else [])


async def _of_own(
    info: strawberry.Info,
    viewer: Member,
    input: "MemberSetRoleInput | MemberSetSitesInput | MemberRemoveInput",
    act: Callable[[Connection[Any], UUID], Mistake | None],
) -> MemberPayload:
    """What a client admin does to somebody of their account; another account is as good as none."""
    member_id = parse_id(input.member_id, "mem")
    if member_id is None:
        mistake: Mistake | None = _not_an_id("mem", "memberId")
    elif parse_id(input.account_id, "acc") != viewer.account_id:
        mistake = _not_there("accountId", "account")
    else:
        found = member_id
        mistake = await work(info, lambda connection: act(connection, found))
    errors = [user_error(mistake)] if mistake else []
    return made(MemberPayload, member_id=None if errors else member_id, user_errors=errors)


async def _set_role(
    info: strawberry.Info,
    input: Annotated[MemberSetRoleInput, strawberry.argument(description="Whose, where, which.")],
) -> MemberPayload:
    role = Role[input.role.name]
    viewer: Viewer = authorise(info, scope=Scope.ADMIN, roles=_OWN_ROLES)
    if isinstance(viewer, Member):
        return await _of_own(info, viewer, input, lambda connection, who: own_people.set_role(connection, who, role))
    return await _of_account(info, input, lambda desk, *ids: desk.set_role(*ids, role))


async def _set_sites(
    info: strawberry.Info,
    input: Annotated[MemberSetSitesInput, strawberry.argument(description="Whose, where, which.")],
) -> MemberPayload:
    sites = input.sites
    viewer: Viewer = authorise(info, scope=Scope.ADMIN, roles=_OWN_ROLES)
    if isinstance(viewer, Member):
        return await _of_own(info, viewer, input, lambda connection, who: own_people.set_sites(connection, who, sites))
    return await _of_account(info, input, lambda desk, *ids: desk.set_sites(*ids, sites))


async def _remove(
    info: strawberry.Info, input: Annotated[MemberRemoveInput, strawberry.argument(description="Who, from where.")]
) -> MemberPayload:
    viewer: Viewer = authorise(info, scope=Scope.ADMIN, roles=_OWN_ROLES)
    if isinstance(viewer, Member):
        return await _of_own(info, viewer, input, own_people.remove)
    return await _of_account(info, input, lambda desk, *ids: desk.remove(*ids))


Which = Annotated[MemberInput, strawberry.argument(description="Who.")]


async def _disable(info: strawberry.Info, input: Which) -> MemberPayload:
    return await _of_member(info, input, lambda desk, member_id: desk.disable(member_id))


async def _enable(info: strawberry.Info, input: Which) -> MemberPayload:
    return await _of_member(info, input, lambda desk, member_id: desk.enable(member_id))


async def _sign_out(info: strawberry.Info, input: Which) -> MemberPayload:
    return await _of_member(info, input, lambda desk, member_id: desk.sign_out(member_id))


async def _end_session(
    info: strawberry.Info, input: Annotated[MemberEndSessionInput, strawberry.argument(description="Which.")]
) -> MemberPayload:
    return await _at_desk(info, lambda desk: desk.end_session(input.session_id))


async def _of_member(
    info: strawberry.Info, input: MemberInput, act: Callable[[MemberDesk, UUID], UUID | Mistake]
) -> MemberPayload:
    member_id = parse_id(input.member_id, "mem")
    if member_id is None:
        return await _at_desk(info, lambda _: _not_an_id("mem", "memberId"))
    return await _at_desk(info, lambda desk: act(desk, member_id))


async def _of_account(
    info: strawberry.Info,
    input: MemberSetRoleInput | MemberSetSitesInput | MemberRemoveInput,
    act: Callable[[MemberDesk, UUID, UUID], UUID | Mistake],
) -> MemberPayload:
    member_id, account_id = parse_id(input.member_id, "mem"), parse_id(input.account_id, "acc")
    if member_id is None:
        return await _at_desk(info, lambda _: _not_an_id("mem", "memberId"))
    if account_id is None:
        return await _at_desk(info, lambda _: _not_an_id("acc", "accountId"))
    return await _at_desk(info, lambda desk: act(desk, member_id, account_id))


async def _at_desk(info: strawberry.Info, act: Act) -> MemberPayload:
    actor: Actor
    _, actor, _ = administrator(info)
    outcome = await work(info, lambda connection: act(MemberDesk(connection, actor)))
    if isinstance(outcome, Mistake):
        return made(MemberPayload, member_id=None, user_errors=[user_error(outcome)])
    member_id = outcome.member_id if isinstance(outcome, SessionEnded) else outcome
    return made(MemberPayload, member_id=member_id, user_errors=[])


def _not_an_id(prefix: str, field: str) -> Mistake:
    message = f"An id of this type looks like {prefix}_0123456789abcdef0123456789abcdef."
    return Mistake(code="not_an_id", message=message, field=(field,))


def _not_there(field: str, what: str) -> Mistake:
    return Mistake(
        code=f"{what}_not_found", message=f"There is no such {what}, or it is not yours to see.", field=(field,)
    )


@strawberry.type
class MemberMutation:
    """Roots; the mutation root has them."""

    member_invite: MemberInvitePayload | None = strawberry.field(
        resolver=_invite,
        description=f"Makes an invitation into an account, for one e-mail address, good once within 72 hours. A client admin's is"
        f" sent by mail, and its link told to nobody else.{_OWN}",
    )
    member_invite_withdraw: MemberInviteWithdrawPayload | None = strawberry.field(
        resolver=_withdraw,
        description="Makes an open invitation good for nothing. For client admins of the account; it is on record.",
    )
    member_set_role: MemberPayload | None = strawberry.field(
        resolver=_set_role, description=f"Gives a member another role in an account.{_ADMIN}{_OWN}"
    )
    member_set_sites: MemberPayload | None = strawberry.field(
        resolver=_set_sites,
        description="Limits a buyer or viewer to the orders of some sites of an account, with their shipments, papers and cases,"
        f" or lets them see every one. What is of other sites closes at once.{_OWN}",
    )
    member_remove: MemberPayload | None = strawberry.field(
        resolver=_remove, description=f"Ends a membership, and its sessions at once.{_ADMIN}{_OWN}"
    )
    member_disable: MemberPayload | None = strawberry.field(
        resolver=_disable,
        description=f"Lets a member in nowhere any more and ends their sessions at once, also where that leaves"
        f" no client admin. {NEEDS}",
    )
    member_enable: MemberPayload | None = strawberry.field(
        resolver=_enable, description=f"Lets a disabled member in again. {NEEDS}"
    )
    member_sign_out: MemberPayload | None = strawberry.field(
        resolver=_sign_out,
        description=f"Signs a member out everywhere: of the extranet and of the embedded issuer, and revokes tokens that came of"
        f" that. {NEEDS}",
    )
    member_end_session: MemberPayload | None = strawberry.field(
        resolver=_end_session, description=f"Ends one session of a member. {NEEDS}"
    )
