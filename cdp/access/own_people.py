"""People of one's own account, as its client admins look after them: invitations by mail, roles, sites, removal. Synchronous, in
the caller's transaction, as `cdp_portal` with the member told to row-level security.

The database decides (migration 0019): each function asks again whether the current member is a client admin of the current
account, so no account comes from the request. An account keeps a client admin; what is done is on record.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from psycopg import Connection

from cdp.access.allowances import too_many
from cdp.access.sealing import digest, new_secret
from cdp.access.sites import SITE_MISTAKES, read_sites, unfit_sites
from cdp.access.viewer import Role
from cdp.db.statements import load_statements
from cdp.errors import Mistake
from cdp.limits import read_rate
from cdp.mail import Letters, send_now
from cdp.settings import Settings

LETTERS: Final = Letters("cdp.access")
_SQL: Final = load_statements("cdp.access", "own.sql")
_MISTAKES: Final[Mapping[str, tuple[str, str | None]]] = MappingProxyType({
    "not_client_admin": ("Only client admins look after the people of an account.", None),
    "already_member": ("Somebody with this e-mail address belongs to the account already.", "email"),
    "invite_not_found": ("There is no such open invitation.", "inviteId"),
    "membership_not_found": ("There is no such member of this account.", "memberId"),
    "last_client_admin": ("The account's last client admin stays one; make somebody else one first.", "memberId"),
    **SITE_MISTAKES,
})  # fmt: skip


def invite(
    connection: Connection[Any],
    *,
    email: str,
    role: Role,
    settings: Settings,
    sites: Collection[str] | None = None,
) -> Mistake | None:
    """Invite somebody by mail: once, for 72 hours, for this address, in place of an open invitation to it; to see every site, or
    these alone.

    The letter is handed over before the transaction ends, so an invitation whose letter can't be sent is none.
    Raises TooManyRequests, LetterRefused, MailUnavailable, NoMailServer.
    """
    if not settings.issuer_is_embedded:
        return Mistake(code="invited_elsewhere", message="People are invited at the issuer they sign in at.")
    try:
        address = validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError:
        return Mistake(code="email_invalid", message="This is no e-mail address.", field=("email",))
    if mistake := unfit_sites(sites):
        return mistake
    secret, rate = new_secret(), read_rate(settings.rate_invites)
    values = {
        "invite": digest(secret),
        "email": address,
        "role": role.value,
        "seconds": rate.seconds_each if rate else 0.0,
        "most": float(rate.seconds) if rate else 0.0,
        "sites": read_sites(sites),
    }
    code, wait_seconds = _row(connection, "invite", values)
    if wait_seconds > 0:
        raise too_many(wait_seconds)
    if code is not None:
        return _mistake(code)
    inviter, account = _row(connection, "who_invites", {})
    link = f"{settings.issuer}/invite/{secret}"
    send_now(
        LETTERS.write("invite", to=address, settings=settings, link=link, inviter=inviter, account=account), settings
    )
    return None


def withdraw_invite(connection: Connection[Any], invite_id: UUID) -> Mistake | None:
    """Make an open invitation good for nothing."""
    return _mistake(_row(connection, "withdraw_invite", {"invite_id": invite_id})[0])


def set_role(connection: Connection[Any], member_id: UUID, role: Role) -> Mistake | None:
    """Give a member another role."""
    return _mistake(_row(connection, "set_role", {"member_id": member_id, "role": role.value})[0])


def set_sites(connection: Connection[Any], member_id: UUID, sites: Collection[str] | None) -> Mistake | None:
    """Limit a member to the orders of these sites, or (None) let them see every one; what is of others closes at once."""
    values = {"member_id": member_id, "sites": read_sites(sites)}
    return unfit_sites(sites) or _mistake(_row(connection, "set_sites", values)[0])


def remove(connection: Connection[Any], member_id: UUID) -> Mistake | None:
    """End a membership, and its sessions at once."""
    return _mistake(_row(connection, "remove", {"member_id": member_id})[0])


def _row(connection: Connection[Any], statement: str, values: Mapping[str, object]) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = connection.execute(_SQL[statement], values).fetchone()
    assert row is not None  # noqa: S101 - each of them answers one row
    return row


def _mistake(code: str | None) -> Mistake | None:
    if code is None:
        return None
    message, field = _MISTAKES[code]
    return Mistake(code=code, message=message, field=(field,) if field else ())
