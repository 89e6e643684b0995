"""Accepting an invite: a person by password, a member by (issuer, subject), and the membership that was offered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from anyio import to_thread
from psycopg import AsyncConnection

from cdp.access.issuer.sign_in import Pool, Wait, Wrong, check_password
from cdp.access.issuer.store import fetch, note
from cdp.access.passwords import hash_password
from cdp.access.sealing import digest
from cdp.db.statements import load_statements
from cdp.errors import Invalid, InvalidField, NotFound
from cdp.languages import spoken

_MEMBERS: Final = load_statements("cdp.access")


class InviteOver(NotFound):
    """This invitation was already used, or has expired; ask for a new one."""


class NotTheInvited(Invalid):
    """This is not the password of the person who is invited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenInvite:
    """An invite that can be accepted. `is_known`: the person has a password already, and proves it instead of choosing
    one. `sites`: those whose orders they will see; None: of every site.
    """

    email: str
    account_id: UUID
    role: str
    sites: list[str] | None
    name: str
    is_known: bool


async def open_invite(connection: AsyncConnection[Any], secret: str) -> OpenInvite:
    """The invite of a link. Raises InviteOver."""
    row = await fetch(connection, "open_invite", invite=digest(secret))
    if row is None:
        raise InviteOver
    return OpenInvite(**row)


async def accept_invite(
    pool: Callable[[], Pool], secret: str, *, name: str, password: str, issuer: str, address: str
) -> OpenInvite:
    """Accept it, once. Raises InviteOver, NotTheInvited, InvalidField (name, password)."""
    async with pool().connection() as connection, connection.transaction():
        invite = await open_invite(connection, secret)
    user_id: UUID | None = None
    password_hash = ""
    if invite.is_known:
        found = await check_password(pool, email=invite.email, password=password, address=address)
        if isinstance(found, Wrong | Wait):
            raise NotTheInvited
        user_id = found
    else:
        if not name.strip():
            raise InvalidField(field="name", problem="must not be empty.")
        password_hash = await to_thread.run_sync(hash_password, password)
    async with pool().connection() as connection, connection.transaction():
        taken = await fetch(connection, "accept_invite", invite=digest(secret))
        if taken is None:
            raise InviteOver
        if user_id is None:
            values = {"email": invite.email, "name": name.strip(), "locale": spoken(), "password_hash": password_hash}
            made = await fetch(connection, "save_person", **values)
            if made is None:
                raise InviteOver
            user_id = made["user_id"]
        person = await fetch(connection, "person", user_id=user_id, issuer=issuer)
        if person is None:
            raise InviteOver
        member = {"issuer": issuer, "subject": str(user_id), "email": invite.email, "name": person["name"]}
        cursor = await connection.execute(_MEMBERS["save_member"], {**member, "locale": person["locale"]})
        row = await cursor.fetchone()
        membership = {"account_id": invite.account_id, "member_id": row[0] if row else None, "role": invite.role}
        await connection.execute(_MEMBERS["save_membership"], {**membership, "sites": invite.sites})
        await note(connection, "invite_accepted", actor=str(user_id), account_id=invite.account_id)
    return invite
