"""Mutations of members: inviting them, their roles and sessions, and letting them in nowhere."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import strawberry
from psycopg import Connection

from cdp.access.audit import Actor
from cdp.access.managing_members import MemberDesk, SessionEnded
from cdp.access.viewer import Role
from cdp.db.ids import parse_id
from cdp.errors import Mistake
from cdp.limits import read_rate
from cdp.schema.administration import MemberRole
from cdp.schema.mutations.acting import user_error, work
from cdp.schema.mutations.administering import NEEDS, MemberInvitePayload, MemberPayload, administrator
from cdp.schema.subscription import made

Act = Callable[[MemberDesk], UUID | SessionEnded | Mistake]
_ADMIN = " The account's last client admin stays one."


@strawberry.input(description="Who is to be let into an account.")
class MemberInviteInput:
    """Input of memberInvite."""

    account_id: strawberry.ID = strawberry.field(description="The account.")
    email: str = strawberry.field(description="Whom the invitation is for; nobody else can accept it.")
    role: MemberRole = strawberry.field(description="What they may see there.")


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


async def _invite(
    info: strawberry.Info,
    input: Annotated[MemberInviteInput, strawberry.argument(description="Whom, where, as what.")],
) -> MemberInvitePayload:
    _, actor, settings = administrator(info)
    account_id = parse_id(input.account_id, "acc")
    if not settings.issuer_is_embedded:
        mistake = Mistake(code="invited_elsewhere", message="People are invited at the issuer they sign in at.")
        return MemberInvitePayload(link=None, user_errors=[user_error(mistake)])
    if account_id is None:
        return MemberInvitePayload(link=None, user_errors=[user_error(_not_an_id("acc", "accountId"))])
    rate, role = read_rate(settings.rate_invites), Role[input.role.name]

    def write(connection: Connection[Any]) -> Any:
        return MemberDesk(connection, actor).invite(email=input.email, account_id=account_id, role=role, rate=rate)

    outcome = await work(info, write)
    if isinstance(outcome, Mistake):
        return MemberInvitePayload(link=None, user_errors=[user_error(outcome)])
    return MemberInvitePayload(link=f"{settings.issuer}/invite/{outcome.secret}", user_errors=[])


async def _set_role(
    info: strawberry.Info,
    input: Annotated[MemberSetRoleInput, strawberry.argument(description="Whose, where, which.")],
) -> MemberPayload:
    role = Role[input.role.name]
    return await _of_account(info, input, lambda desk, *ids: desk.set_role(*ids, role))


async def _remove(
    info: strawberry.Info, input: Annotated[MemberRemoveInput, strawberry.argument(description="Who, from where.")]
) -> MemberPayload:
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
    input: MemberSetRoleInput | MemberRemoveInput,
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


@strawberry.type
class MemberMutation:
    """Roots; the mutation root has them."""

    member_invite: MemberInvitePayload | None = strawberry.field(
        resolver=_invite,
        description=f"Makes an invitation into an account, for one e-mail address, good once within 72 hours. {NEEDS}",
    )
    member_set_role: MemberPayload | None = strawberry.field(
        resolver=_set_role, description=f"Gives a member another role in an account.{_ADMIN} {NEEDS}"
    )
    member_remove: MemberPayload | None = strawberry.field(
        resolver=_remove, description=f"Ends a membership, and its sessions at once.{_ADMIN} {NEEDS}"
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
