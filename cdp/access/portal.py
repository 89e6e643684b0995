"""Access for the extranet: signing in, the session of a request, switching account, signing out. The extranet imports this alone.

It works over the database role `cdp_portal` only, which may do nothing here but call a handful of functions (migration 0005).

    async with open_access(settings) as access:
        session = await access.session_of(request)
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from starlette.requests import Request
from starlette.responses import Response

from cdp.access.sessions import AccountChoice, Session
from cdp.errors import Forbidden
from cdp.settings import Settings

__all__ = ["AccountChoice", "CrossSiteRequest", "PortalAccess", "Session", "open_access"]


class CrossSiteRequest(Forbidden):
    """This form did not come from this site, or is too old; open the page again."""


class PortalAccess:
    """Made by `open_access`. Every method but `check_csrf` asks the database, so is awaited."""

    async def begin_sign_in(self, request: Request) -> Response:
        """Redirect to the issuer's sign-in page (303). `?next=/orders` is where to go afterwards: a path of this site, else `/`."""
        raise NotImplementedError

    async def complete_sign_in(self, request: Request) -> Response:
        """Answer the issuer's callback: a redirect (303) with a new session's cookie.

        When it cannot be completed (an old or doubled tab, a refusal, no membership) raises SignInFailed, a Forbidden with `code`
        and a message for people: render a page with it and a link to `/sign-in`.
        """
        raise NotImplementedError

    async def session_of(self, request: Request) -> Session | None:
        """The live session of a request, or None when there is none: then redirect to `/sign-in?next=…`.

        Counts as activity. Costs one statement; ask once a request and keep the answer.
        """
        raise NotImplementedError

    async def switch_account(self, request: Request, session: Session, account_number: str) -> Response:
        """Redirect (303) to `/` with a new session id in another of the member's accounts. Check the CSRF token first.

        Raises NotFound for an account that is not the member's, the same as for one that isn't there.
        """
        raise NotImplementedError

    async def sign_out(self, request: Request, session: Session | None) -> Response:
        """End the session and redirect (303) to the issuer's end-session page, clearing cookies and caches. Check the CSRF token first.

        The issuer redirects back to `/sign-in`'s neighbour, `{CDP_EXTRANET_URL}/signed-out`. A form that posts here needs
        `form-action 'self' {issuer_origin}` in the page's Content-Security-Policy, since browsers hold it against redirects too.
        """
        raise NotImplementedError

    def check_csrf(self, request: Request, form: Mapping[str, Any], session: Session) -> None:
        """Raise CrossSiteRequest unless the request comes from this site and `form["csrf_token"]` is the session's."""
        raise NotImplementedError

    @property
    def issuer_origin(self) -> str:
        """Scheme, host and port of the issuer, for `form-action`."""
        raise NotImplementedError


@asynccontextmanager
async def open_access(
    settings: Settings, *, database_url: str | None = None, transport: httpx2.AsyncBaseTransport | None = None
) -> AsyncIterator[PortalAccess]:
    """Open a small connection pool as `cdp_portal` and an HTTP client for the issuer; closes both.

    `database_url` overrides `CDP_PORTAL_DATABASE_URL` (the demo's embedded server). `transport` reaches an issuer in this
    process without a socket.
    """
    raise NotImplementedError
    yield PortalAccess()
