"""Administering members, their sessions, and staff: for administrators' tools and the command line. Synchronous, in the caller's
transaction.

A member is whom an issuer calls by a subject, never an e-mail. An account that has a client admin keeps one. Every change is on
record, under the account it concerns, with what was before; personal data is not.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from psycopg import Connection
from psycopg.rows import dict_row

from cdp.access.allowances import take_now
from cdp.access.audit import Actor, record
from cdp.access.people import invite_member
from cdp.access.sites import read_sites, site_mistake, unfit_sites
from cdp.access.viewer import Role
from cdp.db.ids import format_id
from cdp.db.statements import load_statements
from cdp.errors import Mistake
from cdp.limits import Rate

MOST_LISTED: Final = 1_000
_SQL: Final = load_statements("cdp.access", "managing.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """An invite: what its link ends in, told once."""

    secret: str
    account_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """Whose session it was."""

    member_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class _Belonging:
    role: Role
    sites: list[str] | None


class MemberDesk:
    """Where members are administered by `actor`."""

    def __init__(self, connection: Connection[Any], actor: Actor) -> None:
        self._connection = connection
        self._actor = actor

    def invite(
        self,
        *,
        email: str,
        account_id: UUID,
        role: Role,
        sites: Collection[str] | None = None,
        rate: Rate | None = None,
    ) -> Invited | Mistake:
        """Invite somebody into an account: once, for 72 hours, for this e-mail; to see every site, or these alone. `rate` is
        each inviter's and each account's; beyond it raises TooManyRequests.
        """
        row = self._row("account_exists", account_id=account_id)
        if row is None:
            return _no_account()
        try:
            checked = validate_email(email, check_deliverability=False)
        except EmailNotValidError:
            return Mistake(code="email_invalid", message="This is no e-mail address.", field=("email",))
        if mistake := self._unfit(account_id, role, sites):
            return mistake
        limit = read_sites(sites)
        take_now(self._connection, rate, "invites by", self._actor.key)
        take_now(self._connection, rate, "invites to", str(account_id))
        secret = invite_member(
            self._connection,
            email=checked.normalized,
            account_number=row["number"],
            role=role,
            invited_by=self._actor.actor,
            sites=limit,
        )
        self._note("member_invited", None, account_id, role=role.value, **({} if limit is None else {"sites": limit}))
        return Invited(secret=secret, account_id=account_id)

    def set_role(self, member_id: UUID, account_id: UUID, role: Role) -> UUID | Mistake:
        """Give a member another role in an account."""
        before = self._membership(member_id, account_id)
        if isinstance(before, Mistake):
            return before
        if role is not Role.CLIENT_ADMIN and (mistake := self._last_admin(member_id, account_id)):
            return mistake
        if mistake := self._unfit(account_id, role, before.sites, held=before.sites):
            return mistake
        if before.role is not role:
            self._do("set_role", member_id=member_id, account_id=account_id, role=role.value)
            self._note("member_role_changed", member_id, account_id, before=before.role.value, after=role.value)
        return member_id

    def set_sites(self, member_id: UUID, account_id: UUID, sites: Collection[str] | None) -> UUID | Mistake:
        """Limit a member to the orders of these sites of an account, or (None) let them see every one."""
        before = self._membership(member_id, account_id)
        if isinstance(before, Mistake):
            return before
        if mistake := self._unfit(account_id, before.role, sites, held=before.sites):
            return mistake
        after = read_sites(sites)
        if after != before.sites:
            self._do("set_sites", member_id=member_id, account_id=account_id, sites=after)
            self._note("member_sites_changed", member_id, account_id, before=before.sites, after=after)
        return member_id

    def remove(self, member_id: UUID, account_id: UUID) -> UUID | Mistake:
        """End a membership, and its sessions at once."""
        before = self._membership(member_id, account_id)
        if isinstance(before, Mistake):
            return before
        if mistake := self._last_admin(member_id, account_id):
            return mistake
        self._do("remove_membership", member_id=member_id, account_id=account_id)
        self._note("member_removed", member_id, account_id, before=before.role.value)
        return member_id

    def disable(self, member_id: UUID) -> UUID | Mistake:
        """Let a member in nowhere any more, their sessions ended at once; memberships stay, for when they are enabled."""
        member = self._member(member_id)
        if isinstance(member, Mistake):
            return member
        self._do("disable_member", member_id=member_id, is_disabled=True)
        self._end_sessions(member)
        if not member["is_disabled"]:
            self._note_everywhere("member_disabled", member_id)
        return member_id

    def enable(self, member_id: UUID) -> UUID | Mistake:
        """Let a disabled member in again."""
        member = self._member(member_id)
        if isinstance(member, Mistake):
            return member
        self._do("disable_member", member_id=member_id, is_disabled=False)
        if member["is_disabled"]:
            self._note_everywhere("member_enabled", member_id)
        return member_id

    def sign_out(self, member_id: UUID) -> UUID | Mistake:
        """End every session of a member: of the extranet, of the embedded issuer, and the tokens that came of those."""
        member = self._member(member_id)
        if isinstance(member, Mistake):
            return member
        ended = self._end_sessions(member)
        self._note_everywhere("member_signed_out", member_id, sessions=ended)
        return member_id

    def end_session(self, session: str) -> SessionEnded | Mistake:
        """End one session of the extranet by its name, and the issuer's that it came from."""
        row = self._row("end_session", session=session.replace("\0", ""))
        if row is None:
            return Mistake(code="session_not_found", message="There is no such session.", field=("sessionId",))
        if row["issuer_session"]:
            self._do("end_issuer_session", sid=row["issuer_session"])
        self._note("session_ended", row["member_id"], row["account_id"])
        return SessionEnded(member_id=row["member_id"])

    def _end_sessions(self, member: dict[str, Any]) -> int:
        row = self._row("end_sessions", member_id=member["member_id"])
        self._do("end_issuer_sessions", subject=member["subject"])
        return int(row["count"]) if row else 0

    def _membership(self, member_id: UUID, account_id: UUID) -> "_Belonging | Mistake":
        row = self._row("role", member_id=member_id, account_id=account_id)
        if row is None:
            message = "There is no such member of this account."
            return Mistake(code="membership_not_found", message=message, field=("memberId",))
        return _Belonging(role=Role(row["role"]), sites=row["sites"])

    def _unfit(
        self, account_id: UUID, role: Role, sites: Collection[str] | None, held: list[str] | None = None
    ) -> Mistake | None:
        if mistake := unfit_sites(sites):
            return mistake
        row = self._row("sites_problem", account_id=account_id, role=role.value, sites=read_sites(sites), held=held)
        return site_mistake(row["code"]) if row and row["code"] else None

    def _last_admin(self, member_id: UUID, account_id: UUID) -> Mistake | None:
        admins = self._connection.execute(_SQL["lock_admins"], {"account_id": account_id}).fetchall()
        if [row[0] for row in admins] != [member_id]:
            return None
        message = "The account's last client admin stays one; make somebody else one first."
        return Mistake(code="last_client_admin", message=message, field=("memberId",))

    def _member(self, member_id: UUID) -> dict[str, Any] | Mistake:
        found = self._row("member", member_id=member_id)
        return found or Mistake(code="member_not_found", message="There is no such member.", field=("memberId",))

    def _note(self, event: str, member_id: UUID | None, account_id: UUID, **details: Any) -> None:
        target = format_id("mem", member_id) if member_id else None
        record(self._connection, self._actor.did(event, target, account_id=account_id, **details))

    def _note_everywhere(self, event: str, member_id: UUID, **details: Any) -> None:
        """On record for each account that the member belongs to, or for none."""
        rows = self._connection.execute(_SQL["accounts_of_member"], {"member_id": member_id}).fetchall()
        target = format_id("mem", member_id)
        accounts: Sequence[UUID | None] = [row[0] for row in rows] or [None]
        record(self._connection, *(self._actor.did(event, target, account_id=each, **details) for each in accounts))

    def _row(self, statement: str, **values: object) -> dict[str, Any] | None:
        with self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(_SQL[statement], values).fetchone()

    def _do(self, statement: str, **values: object) -> None:
        self._connection.execute(_SQL[statement], values)


def list_members(connection: Connection[Any], account_number: str | None) -> list[tuple[Any, ...]]:
    """Rows of `members`, at most `MOST_LISTED`."""
    return connection.execute(_SQL["members"], {"number": account_number, "most": MOST_LISTED}).fetchall()


def members_by_email(connection: Connection[Any], email: str) -> list[UUID]:
    """Ids of the members with this e-mail: usually one."""
    return [row[0] for row in connection.execute(_SQL["member_by_email"], {"email": email.strip()}).fetchall()]


def list_sessions(connection: Connection[Any], member_id: UUID) -> list[tuple[Any, ...]]:
    """Rows of `sessions`."""
    return connection.execute(_SQL["sessions"], {"member_id": member_id}).fetchall()


def _no_account() -> Mistake:
    return Mistake(code="account_not_found", message="There is no such account.", field=("accountId",))
