"""Access for the extranet: signing in, the session of a request, switching account, signing out. The extranet imports
this alone.

It works over the database role `cdp_portal` only, which may do nothing here but call a handful of functions
(migration 0005).

    async with open_access(settings) as access:
        session = await access.session_of(request)
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from cdp.access.allowances import Allowances, shared_allowances, too_many
from cdp.access.clients import EXTRANET_CLIENT_ID, extranet_client_secret
from cdp.access.cookies import SecretCookie, comes_from
from cdp.access.devices import device
from cdp.access.relying_party import Attempt, IssuerUnavailable, LogoutRefused, RelyingParty, SignInRefused
from cdp.access.sealing import digest, equal, masked, new_secret, seal, token_for, unmasked, unseal
from cdp.access.sessions import AccountChoice, OpenSession, Session, read_open_session, read_session, read_view
from cdp.access.unsubscribing import read_unsubscribe_token
from cdp.db.engine import open_pool
from cdp.db.statements import load_statements
from cdp.errors import CdpError, Forbidden, NotFound
from cdp.limits import read_rate
from cdp.settings import Settings, SettingsError

__all__ = [
    "AccountChoice",
    "CrossSiteRequest",
    "IssuerUnavailable",
    "LogoutRefused",
    "NoAccount",
    "OnlyLooking",
    "OpenSession",
    "PortalAccess",
    "Session",
    "SignInFailed",
    "ViewOver",
    "open_access",
]

CALLBACK_PATH: Final = "/auth/callback"
SIGNED_OUT_PATH: Final = "/signed-out"
BACK_CHANNEL_PATH: Final = "/auth/back-channel-logout"
LONGEST_MAX_AGE_SECONDS: Final = 43_200
_ID_PURPOSE: Final = "id token"  # what is sealed under the session's secret
_CSRF: Final = "csrf"
_ISSUER_TIMEOUT_SECONDS: Final = 10
SIGN_IN_SECONDS: Final = 900
_LONGEST_RETURN_TO: Final = 2000
_SQL: Final = load_statements("cdp.access")

Pool = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]


class CrossSiteRequest(Forbidden):
    """This form did not come from this site, or is too old; open the page again."""


class SignInFailed(Forbidden):
    """This sign-in was refused, already used, too old, or begun in another browser; please sign in again."""

    reason: str


class NoAccount(SignInFailed):
    """You are signed in, but no account here is yours to see; ask your account manager for an invitation."""


class ViewOver(NotFound):
    """This link was already used, or is older than five minutes; ask for a new one."""


class OnlyLooking(Forbidden):
    """You see these pages as a client sees them: to read, not to change anything or take files away."""


class NoSuchAccount(NotFound):
    """There is no such account, or it is not yours to see."""


class PortalAccess:
    """Made by `open_access`. Every method but `check_csrf` asks the database, so is awaited."""

    def __init__(self, pool: Pool, relying_party: RelyingParty, settings: Settings) -> None:
        self._pool = pool
        self._relying_party = relying_party
        self._settings = settings
        self._extranet_url = settings.extranet_url
        self._exports = read_rate(settings.rate_exports)
        self._members = read_rate(settings.rate_graphql_member)
        self._origin = _origin(settings.extranet_url)
        self._security_url = f"{settings.issuer}/security" if settings.issuer_is_embedded else None
        secure = settings.extranet_url.startswith("https://")
        self._session = SecretCookie(name="sid", secure=secure)
        self._browser = SecretCookie(name="signing-in", secure=secure, seconds=SIGN_IN_SECONDS)

    async def begin_sign_in(self, request: Request, *, ui_locales: str | None = None) -> Response:
        """Redirect to the issuer's sign-in page (303). `?next=/orders` is where to go afterwards: a path of this
        site, else `/`. `?max_age=900` asks who signed in longer ago than so many seconds to do it again. `ui_locales`: the
        languages that the issuer is asked to speak.

        Raises IssuerUnavailable.
        """
        attempt = Attempt(state=new_secret(), browser=self._browser.read(request) or new_secret())
        max_age = _max_age(request.query_params.get("max_age", ""))
        target = await self._relying_party.authorization_url(attempt, max_age_seconds=max_age, ui_locales=ui_locales)
        answer = RedirectResponse(target, status_code=303)
        return_to = own_path(request.query_params.get("next", "/"))
        await self._ask(
            "begin_login",
            state=digest(attempt.state),
            browser=digest(attempt.browser),
            return_to=return_to,
            max_age_seconds=max_age,
        )
        self._browser.write(answer, attempt.browser)
        return _never_stored(answer)

    async def complete_sign_in(self, request: Request) -> Response:
        """Answer the issuer's callback: a redirect (303) with a new session's cookie.

        When it cannot be completed (an old or doubled tab, a refusal, no membership) raises SignInFailed, a Forbidden
        with `code` and a message for people: render a page with it and a link to `/sign-in`. Raises IssuerUnavailable
        too.
        """
        attempt = Attempt(state=request.query_params.get("state", ""), browser=self._browser.read(request) or "")
        begun = await self._row("take_login", state=digest(attempt.state), browser=digest(attempt.browser))
        if begun is None:
            if not attempt.browser:  # nobody began anything here: not worth a record, which anybody could have made
                raise SignInFailed(reason="login_unknown")
            raise await self._refused("login_unknown")
        return_to, max_age = begun
        try:
            identity = await self._relying_party.redeem(request.query_params, attempt, max_age_seconds=max_age)
        except SignInRefused as error:
            raise await self._refused(error.reason) from error
        secret, replaced = new_secret(), self._session.read(request)
        opened = await self._ask(
            "open_session",
            replaced=digest(replaced or ""),
            opened=digest(secret),
            issuer=identity.issuer,
            subject=identity.subject,
            issuer_session=identity.issuer_session,
            id_token=seal(secret, _ID_PURPOSE, identity.id_token.encode()),
            authenticated_at=identity.authenticated_at,
            device=device(request.headers.get("user-agent", "")),
        )
        if opened is None:
            raise NoAccount(reason="no_account")
        answer = RedirectResponse(return_to, status_code=303)
        self._session.write(answer, secret)
        return _never_stored(answer)

    async def session_of(self, request: Request) -> Session | None:
        """The live session of a request, or None when there is none: then redirect to `/sign-in?next=…`.

        Counts as activity. Costs one statement; ask once a request and keep the answer.
        """
        secret = self._session.read(request)
        if secret is None:
            return None
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_SQL["session_by_cookie"], {"session": digest(secret)})
            row = await cursor.fetchone()
            if row is not None:
                return read_session(row, csrf_token=masked(token_for(secret, _CSRF)))
            cursor = await connection.execute(_SQL["view_by_cookie"], {"session": digest(secret)})
            row = await cursor.fetchone()
        return None if row is None else read_view(row, csrf_token=masked(token_for(secret, _CSRF)))

    async def open_view(self, request: Request, ticket: str) -> Response:
        """Let somebody of the staff look, by a link good once: redirect (303) to `/` with a session of its own, which takes the
        place of what the browser had. Raises CrossSiteRequest, ViewOver.
        """
        if not comes_from(request, self._origin):
            raise CrossSiteRequest
        secret = new_secret()
        if not await self._ask("open_view", ticket=digest(ticket), session=digest(secret)):
            raise ViewOver
        answer = RedirectResponse("/", status_code=303)
        self._session.write(answer, secret)
        return _never_stored(answer)

    async def end_view(self, request: Request) -> Response:
        """End a view and redirect (303) to `/signed-out`. Check the CSRF token first."""
        await self._ask("end_view", session=digest(self._session.read(request) or ""))
        answer = RedirectResponse(SIGNED_OUT_PATH, status_code=303)
        self._session.forget(answer)
        answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        return _never_stored(answer)

    async def switch_account(self, request: Request, session: Session, account_number: str) -> Response:
        """Redirect (303) to `/` with a new session id in another of the member's accounts. Check the CSRF token first.

        Raises NotFound for an account that is not the member's, the same as for one that isn't there.
        """
        secret, renewed = self._session.read(request) or "", new_secret()
        id_token = await self._id_token(secret)
        moved = any(choice.number == account_number for choice in session.accounts) and await self._ask(
            "switch_account",
            session=digest(secret),
            renewed=digest(renewed),
            number=account_number,
            id_token=None if id_token is None else seal(renewed, _ID_PURPOSE, id_token.encode()),
        )
        if not moved:
            raise NoSuchAccount
        answer = RedirectResponse("/", status_code=303)
        self._session.write(answer, renewed)
        return _never_stored(answer)

    async def sign_out(self, request: Request, session: Session | None) -> Response:
        """End the session and redirect (303) to the issuer's end-session page, clearing cookies and caches.

        Check the CSRF token first where there is a session. The issuer sends the browser back to `/signed-out`. A
        form that posts here needs `form-action 'self' {issuer_origin}` in its page's Content-Security-Policy:
        browsers hold it against redirects too.
        """
        if session is not None and session.looking_for is not None:
            return await self.end_view(request)
        target: str | None = None
        if session is not None and (secret := self._session.read(request)) is not None:
            id_token = await self._id_token(secret)
            await self._ask("close_session", session=digest(secret))
            back = f"{self._extranet_url}{SIGNED_OUT_PATH}"
            try:
                target = await self._relying_party.end_session_url(id_token=id_token, return_to=back)
            except IssuerUnavailable:
                target = None  # signed out here all the same
        answer = RedirectResponse(target or SIGNED_OUT_PATH, status_code=303)
        self._session.forget(answer)
        self._browser.forget(answer)
        answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        return _never_stored(answer)

    async def sessions_of(self, request: Request) -> tuple[OpenSession, ...]:
        """All live sessions of the member whose request this is, the newest first; none without a live session."""
        secret = self._session.read(request) or ""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_SQL["sessions_by_cookie"], {"session": digest(secret)})
            return tuple(read_open_session(row) for row in await cursor.fetchall())

    async def end_session(self, request: Request, named: str) -> bool:
        """End one of the member's sessions by its `OpenSession.named`, here and at the embedded issuer; false when it is no
        session of theirs. Check the CSRF token first.
        """
        secret = self._session.read(request) or ""
        ended: int = await self._ask("end_sessions", session=digest(secret), named=named)
        return ended > 0

    async def sign_out_everywhere(self, request: Request) -> Response:
        """End every session of the member, this one included, here and at the embedded issuer; redirect (303) to
        `/signed-out`. Check the CSRF token first.
        """
        secret = self._session.read(request) or ""
        await self._ask("end_sessions", session=digest(secret), named=None)
        answer = RedirectResponse(SIGNED_OUT_PATH, status_code=303)
        self._session.forget(answer)
        self._browser.forget(answer)
        answer.headers["Clear-Site-Data"] = '"cache", "storage"'
        return _never_stored(answer)

    async def back_channel_logout(self, logout_token: str) -> None:
        """End the sessions that the issuer's logout token names. Raises LogoutRefused, also for one that came before, and
        IssuerUnavailable.
        """
        told = await self._relying_party.logged_out(logout_token)
        is_new = await self._ask(
            "back_channel_logout",
            issuer=told.issuer,
            subject=told.subject,
            sid=told.sid,
            token=digest(f"logout token {told.token_id}"),
            forget=told.expires_at,
        )
        if not is_new:
            raise LogoutRefused(problem="it came before")

    async def take_away(self, request: Request, *, what: str, form: str) -> None:
        """Have it recorded that the member whose request this is takes a file away: what it tells of, and its form.

        Raises TooManyRequests, which is recorded too, beyond CDP_RATE_EXPORTS.
        """
        rate = self._exports
        wait_seconds = await self._ask(
            "export",
            session=digest(self._session.read(request) or ""),
            what=what,
            form=form,
            seconds=rate.seconds_each if rate else 0.0,
            most=float(rate.seconds) if rate else 0.0,
        )
        if wait_seconds > 0:
            if await self._row("view_by_cookie", session=digest(self._session.read(request) or "")) is not None:
                raise OnlyLooking
            raise too_many(wait_seconds)

    async def unsubscribe(self, token: str, *, wording: str) -> None:
        """Stop the letters that a link's token names; `wording` is what the person was shown. A token that is none does
        nothing, and nobody learns which it was.
        """
        found = read_unsubscribe_token(self._settings, token)
        if found is not None:
            await self._ask("unsubscribe", member_id=found.member_id, topic=found.topic, wording=wording)

    def allowances(self) -> AbstractAsyncContextManager[Allowances]:
        """How much members may ask of the graph in a while, counted for all processes."""
        return shared_allowances(lambda: self._pool, member=self._members)

    def check_csrf(self, request: Request, form: Mapping[str, Any], session: Session) -> None:
        """Raise CrossSiteRequest unless the request comes from this site and `form["csrf_token"]` is the session's.

        Pages with forms need a Referrer-Policy of `same-origin` or weaker: under `no-referrer` browsers send `Origin:
        null`.
        """
        token = form.get("csrf_token")
        if not comes_from(request, self._origin) or not isinstance(token, str):
            raise CrossSiteRequest
        if not equal(unmasked(token), unmasked(session.csrf_token)):
            raise CrossSiteRequest

    @property
    def security_url(self) -> str | None:
        """Where people change their password and second factors: a page of the embedded issuer; None with any other."""
        return self._security_url

    @property
    def issuer_origin(self) -> str:
        """Scheme, host and port of the issuer, for `form-action`."""
        return _origin(self._relying_party.issuer)

    async def _id_token(self, secret: str) -> str | None:
        sealed = await self._ask("sealed_id_token", session=digest(secret))
        plain = None if sealed is None else unseal(secret, _ID_PURPOSE, bytes(sealed))
        return None if plain is None else plain.decode()

    async def _refused(self, reason: str) -> CdpError:
        await self._ask("note_refusal", reason=reason)
        return SignInFailed(reason=reason)

    async def _ask(self, statement: str, **values: object) -> Any:
        """The one value that a statement answers, in a transaction of its own."""
        row = await self._row(statement, **values)
        return None if row is None else row[0]

    async def _row(self, statement: str, **values: object) -> tuple[Any, ...] | None:
        async with self._pool.connection() as connection:
            return await (await connection.execute(_SQL[statement], values)).fetchone()


@asynccontextmanager
async def open_access(
    settings: Settings, *, database_url: str | None = None, transport: httpx2.AsyncBaseTransport | None = None
) -> AsyncIterator[PortalAccess]:
    """Open a small connection pool as `cdp_portal` and an HTTP client for the issuer; closes both.

    `database_url` overrides `CDP_PORTAL_DATABASE_URL` (the demo's embedded server). `transport` reaches an issuer in
    this process without a socket. Raises SettingsError when neither says where the database is.
    """
    url = database_url or settings.portal_database_url
    if url is None:
        raise SettingsError(variable="CDP_PORTAL_DATABASE_URL", problem="is required here.")
    async with (
        open_pool(url, "cdp_portal", max_size=4, autocommit=True) as pool,
        httpx2.AsyncClient(transport=transport, timeout=_ISSUER_TIMEOUT_SECONDS, follow_redirects=False) as http,
    ):
        yield PortalAccess(pool, _relying_party(http, settings), settings)


def own_path(path: str) -> str:
    """`path` when it is a path of this site, else "/": never another site, nor what a browser could take for one."""
    fine = (
        path.startswith("/")
        and not path.startswith("//")
        and len(path) <= _LONGEST_RETURN_TO
        and "\\" not in path
        and path.isascii()
        and path.isprintable()
    )
    return path if fine else "/"


def _max_age(given: str) -> int | None:
    return min(int(given), LONGEST_MAX_AGE_SECONDS) if given.isascii() and given.isdecimal() else None


def _relying_party(http: httpx2.AsyncClient, settings: Settings) -> RelyingParty:
    embedded = settings.issuer_is_embedded
    return RelyingParty(
        http,
        issuer=settings.issuer,
        client_id=settings.oidc_client_id or EXTRANET_CLIENT_ID,
        client_secret=extranet_client_secret(settings) if embedded else settings.oidc_client_secret,
        redirect_uri=f"{settings.extranet_url}{CALLBACK_PATH}",
        subject_claim="sub" if embedded else settings.oidc_subject_claim,
    )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _never_stored(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
