"""Sessions of members in the extranet: what a page knows of who is signed in, and the cookies that prove it.

The browser holds 256 random bits and nothing else; the database holds their SHA-256. A session ends after 30 minutes
without a request, after 12 hours in any case, and on the next request after its membership ends; the database holds
to that (migration 0005). Its id is new at every sign-in and switch of account.
"""

import re
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from cdp.access.viewer import Member, Role

BROWSER_COOKIE_SECONDS: Final = 900
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


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

    `csrf_token` belongs in a hidden field `csrf_token` of every form that changes something.
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

    @property
    def viewer(self) -> Member:
        """The viewer that GraphQL and the database are asked as."""
        return Member(member_id=self.member_id, account_id=self.account_id, role=self.role)

    @property
    def account(self) -> AccountChoice:
        """The current account's entry in `accounts`."""
        return next(choice for choice in self.accounts if choice.account_id == self.account_id)


def read_session(row: tuple[Any, ...], *, csrf_token: str) -> Session:
    """A session from a row of `session_by_cookie`."""
    member_id, name, email, locale, time_zone, account_id, role, accounts = row
    return Session(
        member_id=member_id,
        name=name,
        email=email,
        locale=locale,
        time_zone=time_zone,
        account_id=account_id,
        role=Role(role),
        csrf_token=csrf_token,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    """The two cookies of the extranet: the session, and the browser that began a sign-in.

    `__Host-` keeps sibling domains from planting one. Browsers refuse that prefix, and Secure, on plain http, which
    only a development machine may serve: there the names have no prefix.
    """

    secure: bool

    def session(self, request: Request) -> str | None:
        """The session's secret as the browser sent it, None when absent or misshapen."""
        return self._read(request, "sid")

    def browser(self, request: Request) -> str | None:
        """The secret of the browser that began a sign-in."""
        return self._read(request, "signing-in")

    def set_session(self, answer: Response, secret: str) -> None:
        """Until the browser closes; the database ends it earlier."""
        self._set(answer, "sid", secret, None)

    def set_browser(self, answer: Response, secret: str) -> None:
        """As long as a pending sign-in is good; renewed by each."""
        self._set(answer, "signing-in", secret, BROWSER_COOKIE_SECONDS)

    def clear(self, answer: Response) -> None:
        """Forget both."""
        for name in ("sid", "signing-in"):
            self._set(answer, name, "", 0)

    def _read(self, request: Request, name: str) -> str | None:
        value = request.cookies.get(self._name(name), "")
        return value if _SECRET.fullmatch(value) else None

    def _set(self, answer: Response, name: str, value: str, max_age: int | None) -> None:
        answer.set_cookie(
            self._name(name), value, max_age=max_age, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def _name(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name
