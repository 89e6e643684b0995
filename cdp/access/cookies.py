"""Cookies that hold a secret and nothing else.

`__Host-` keeps sibling domains from planting one. Browsers refuse that prefix, and Secure, on plain http, which only
a development machine may serve: there the names have no prefix (decision 0007).
"""

import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretCookie:
    """One cookie of an application. `secure`: it is reached by https. `seconds` None: until the browser closes."""

    name: str
    secure: bool
    seconds: int | None = None

    def read(self, request: Request) -> str | None:
        """The secret as the browser sent it, None when absent or misshapen."""
        value = request.cookies.get(self.full_name, "")
        return value if _SECRET.fullmatch(value) else None

    def write(self, answer: Response, secret: str) -> None:
        """Have the browser keep it."""
        self._set(answer, secret, self.seconds)

    def forget(self, answer: Response) -> None:
        """Have the browser forget it."""
        self._set(answer, "", 0)

    @property
    def full_name(self) -> str:
        """With the prefix, where browsers accept it."""
        return f"__Host-{self.name}" if self.secure else self.name

    def _set(self, answer: Response, value: str, seconds: int | None) -> None:
        answer.set_cookie(
            self.full_name, value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax"
        )


def comes_from(request: Request, origin: str) -> bool:
    """Whether a browser sent this request from a page of `origin`, as far as it says.

    Browsers say `Origin` on every POST; under a Referrer-Policy of `no-referrer` they say "null", so pages with forms
    need `same-origin` or weaker.
    """
    said, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    return said in {None, origin} and site in {None, "same-origin", "none"}
