"""Sessions of members in the extranet: what a page knows of who is signed in, and the cookie that proves it.

The browser holds 256 random bits and nothing else; the database holds their SHA-256. A session ends after 30 minutes
without a request, after 12 hours in any case, and on the next request after its membership ends; the database holds
to that (migration 0005). Its id is new at every sign-in and switch of account.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from cdp.access.devices import UNKNOWN_DEVICE
from cdp.access.viewer import Member, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChoice:
    """An account a member may choose; `name` is the account's, `role` the member's role in it."""

    account_id: UUID
    number: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in member, in one account. `accounts` has at least the current one, in order of number.

    `csrf_token` belongs in a hidden field `csrf_token` of every form that changes something; it is written anew at each
    request. `authenticated_at`: when the person last proved who they are, by the issuer's word; long ago when it does not say.
    `sites`: those whose orders they see, by name; None: of every site.
    `looking_for` is the reason for which somebody of the staff, whose name and e-mail these are, sees what a member of this role
    sees; None for members.
    """

    member_id: UUID
    name: str
    email: str
    locale: str
    time_zone: str
    account_id: UUID
    role: Role
    csrf_token: str
    accounts: tuple[AccountChoice, ...]
    authenticated_at: datetime
    sites: tuple[str, ...] | None = None
    looking_for: str | None = None

    @property
    def viewer(self) -> Member:
        """The viewer that GraphQL and the database are asked as."""
        return Member(
            member_id=self.member_id,
            account_id=self.account_id,
            role=self.role,
            is_looking=self.looking_for is not None,
            sites=self.sites,
        )

    @property
    def account(self) -> AccountChoice:
        """The current account's entry in `accounts`."""
        return next(choice for choice in self.accounts if choice.account_id == self.account_id)

    def is_recent(self, now: datetime, *, max_age_seconds: int) -> bool:
        """Whether the person proved who they are no longer ago than this."""
        return now - self.authenticated_at <= timedelta(seconds=max_age_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """One of a member's live sessions, as they see it. `named` names it in a form and opens nothing."""

    named: str
    device: str
    signed_in_at: datetime
    last_seen_at: datetime
    account_number: str
    is_current: bool


def read_session(row: tuple[Any, ...], *, csrf_token: str) -> Session:
    """A session from a row of `session_by_cookie`."""
    member_id, name, email, locale, time_zone, account_id, role, accounts, authenticated_at, sites = row
    return Session(
        member_id=member_id,
        name=name,
        email=email,
        locale=locale,
        time_zone=time_zone,
        account_id=account_id,
        role=Role(role),
        csrf_token=csrf_token,
        authenticated_at=authenticated_at,
        sites=None if sites is None else tuple(sites),
        accounts=tuple(
            AccountChoice(
                account_id=UUID(choice["account_id"]),
                number=choice["number"],
                name=choice["name"],
                role=Role(choice["role"]),
            )
            for choice in accounts
        ),
    )


def read_view(row: tuple[Any, ...], *, csrf_token: str) -> Session:
    """The session of somebody of the staff who looks, from a row of `view_by_cookie`. It has no member's language."""
    view_id, account_id, role, number, name, staff_name, staff_email, reason, opened_at = row
    return Session(
        member_id=view_id,
        name=staff_name,
        email=staff_email,
        locale="en",
        time_zone="UTC",
        account_id=account_id,
        role=Role(role),
        csrf_token=csrf_token,
        authenticated_at=opened_at,
        accounts=(AccountChoice(account_id=account_id, number=number, name=name, role=Role(role)),),
        looking_for=reason,
    )


def read_open_session(row: tuple[Any, ...]) -> OpenSession:
    """A session from a row of `sessions_by_cookie`."""
    named, device, created_at, last_seen_at, account_number, is_current = row
    return OpenSession(
        named=named,
        device=device or UNKNOWN_DEVICE,
        signed_in_at=created_at,
        last_seen_at=last_seen_at,
        account_number=account_number,
        is_current=is_current,
    )
