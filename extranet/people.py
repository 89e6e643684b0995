"""What the stored operations answer about the people of an account, and who they are to one another."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from extranet.answers import Answer, PageInfo
from extranet.texts import N_

LIMITED_ROLES: Final = ("viewer", "buyer")
"""Roles that can be limited to sites; the others see the whole account's ledger."""

MOST_LISTED: Final = 100
"""Sites that the graph lists of an account."""

ROLES: Final[Mapping[str, str]] = MappingProxyType({
    "viewer": N_("Orders, to read."),
    "buyer": N_("Orders, and cases of their own. No balances."),
    "finance": N_("Statements, invoices and orders."),
    "client_admin": N_("Everything, and who else may sign in."),
})  # fmt: skip
"""What each role may see, the smallest first."""


class AccountPerson(Answer, frozen=True, kw_only=True):
    """Somebody who may sign in for the account. `last_signed_in_at` None: not yet; `disabled_at`: since when they can't; `sites`:
    whose orders they see, None: of every site.
    """

    id: str
    name: str
    email: str
    role: str
    sites: list[str] | None
    since: datetime
    last_signed_in_at: datetime | None
    disabled_at: datetime | None


class OpenInvite(Answer, frozen=True, kw_only=True):
    """An invitation that can still be accepted."""

    id: str
    email: str
    role: str
    sites: list[str] | None
    expires_at: datetime


class PeoplePage(Answer, frozen=True, kw_only=True):
    """A page of people, by name."""

    total_count: int
    nodes: list[AccountPerson]
    page_info: PageInfo


class OpenInvites(Answer, frozen=True, kw_only=True):
    """Open invitations, latest first."""

    nodes: list[OpenInvite]


class People(Answer, frozen=True, kw_only=True):
    """Who belongs to the account, and who may come to."""

    people: PeoplePage
    open_invites: OpenInvites


class Found(Answer, frozen=True, kw_only=True):
    """Somebody by id; nobody where there is no such person here."""

    nodes: list[AccountPerson]


class FoundPerson(Answer, frozen=True, kw_only=True):
    """The account's answer about one person, and the sites that its orders name: the first hundred."""

    locations: list[str]
    people: Found


class Places(Answer, frozen=True, kw_only=True):
    """The sites that the account's orders name: the first hundred."""

    locations: list[str]
