"""The extranet's ASGI application: routes, middleware, start and end. `extranet.app:app` is made when a server asks for it.

Every route but signing in and out, the style sheet's files and the probes goes through `signed_in`, the catch-all for
unknown addresses included: without a session each redirects to `/sign-in`, so nobody learns from outside which pages exist.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Final
from urllib.parse import quote, urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from cdp.access.limits import limits_of
from cdp.access.portal import open_access
from cdp.logs import RequestLog
from cdp.schema import open_graph
from cdp.settings import Settings, SettingsError, load_settings
from extranet import languages, svg, texts
from extranet.compression import Compression
from extranet.failures import FAILURES
from extranet.lasting import STATIC, LastingFiles, static
from extranet.pages import (
    activity,
    cases,
    details,
    guide,
    home,
    invoices,
    issued,
    looking,
    order_files,
    orders,
    people,
    preferences,
    sessions,
    statement,
    statement_files,
)
from extranet.portal import Portal, Visit, load_operations
from extranet.recently import recently_signed_in
from extranet.refusals import PageNotFound
from extranet.security import SecurityHeaders

READY_SECONDS: Final = 2.0
LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")
Page = Callable[[Visit], Awaitable[Response]]


def create_app(settings: Settings, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Starlette:
    """The application; opens its connections when it starts. `now` is the clock that `today` is read from."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        url = settings.portal_database_url
        if url is None:
            raise SettingsError(variable="CDP_PORTAL_DATABASE_URL", problem="is required by the extranet.")
        async with (
            open_access(settings) as access,
            open_graph(url, "cdp_portal", limits=limits_of(settings), writes=url, settings=settings) as graph,
            access.allowances() as graph.allowances,
        ):
            app.state.portal = Portal(
                settings=settings,
                access=access,
                graph=graph,
                operations=load_operations(),
                templates=templates(),
                now=now,
            )
            yield

    host = urlsplit(settings.extranet_url).hostname or ""
    return Starlette(
        routes=ROUTES,
        lifespan=lifespan,
        exception_handlers=FAILURES,
        middleware=[
            Middleware(RequestLog),
            Middleware(Compression),
            Middleware(SecurityHeaders, over_https=settings.extranet_url.startswith("https://")),
            Middleware(TrustedHostMiddleware, allowed_hosts=[host, *(() if settings.is_production else LOCAL_HOSTS)]),
        ],
    )


def signed_in(page: Page) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that answers with `page` for a live session, and redirects to sign in, and back, without one."""

    async def endpoint(request: Request) -> Response:
        portal: Portal = request.app.state.portal
        session = await portal.access.session_of(request)
        if session is None:
            return RedirectResponse("/sign-in" + _back_to(request), status_code=303)
        languages.speak(languages.language_of(session.locale))
        visit = Visit(portal=portal, request=request, session=session)
        request.state.visit = visit
        return await page(visit)

    return endpoint


@cache
def templates() -> Environment:
    """The pages' templates: escaping on, an unknown name is an error, texts through gettext. Made once."""
    environment = Environment(
        loader=PackageLoader("extranet"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        languages.translated, languages.translated_plural, newstyle=True
    )
    environment.globals.update(languages=languages, texts=texts, svg=svg, static=static)
    return environment


async def alive(_request: Request) -> Response:
    """Liveness: the process answers."""
    return PlainTextResponse("ok")


async def ready(request: Request) -> Response:
    """Readiness: the database answers the portal's role."""
    portal: Portal = request.app.state.portal
    try:
        async with portal.graph.pool.connection(timeout=READY_SECONDS) as connection:
            await connection.execute("SELECT 1")
    except (OSError, PoolTimeout, DatabaseError):
        return PlainTextResponse("the database does not answer", status_code=503)
    return PlainTextResponse("ready")


async def unknown(_visit: Visit) -> Response:
    """Any other address."""
    raise PageNotFound


def _back_to(request: Request) -> str:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.method != "GET" or here == "/":
        return ""
    return "?next=" + quote(here, safe="/")


ROUTES: Final = (
    Route("/", signed_in(home.show)),
    Route("/announcements/put-away", signed_in(home.put_away), methods=["POST"]),
    Route("/statement", signed_in(statement.show)),
    Route("/statement.csv", signed_in(statement_files.csv)),
    Route("/statement.pdf", signed_in(statement_files.pdf)),
    Route("/statement.xlsx", signed_in(statement_files.xlsx)),
    Route("/statement/issued", signed_in(issued.listing), methods=["GET"]),
    Route("/statement/issued", signed_in(issued.issue), methods=["POST"]),
    Route("/statement/issued/{id}.csv", signed_in(issued.csv)),
    Route("/statement/issued/{id}.pdf", signed_in(issued.pdf)),
    Route("/statement/issued/{id}.xlsx", signed_in(issued.xlsx)),
    Route("/statement/issued/{id}", signed_in(issued.detail)),
    Route("/invoices", signed_in(invoices.listing)),
    Route("/invoices/{id}.pdf", signed_in(invoices.pdf)),
    Route("/invoices/{id}", signed_in(invoices.detail)),
    Route("/orders", signed_in(orders.listing)),
    Route("/orders.csv", signed_in(order_files.csv)),
    Route("/orders.xlsx", signed_in(order_files.xlsx)),
    Route("/orders/{id}/delivery-notes/{shipment}.pdf", signed_in(orders.delivery_note)),
    Route("/orders/{id}", signed_in(orders.detail)),
    Route("/people", signed_in(people.listing)),
    Route("/people/invite", signed_in(recently_signed_in(people.invite_form)), methods=["GET"]),
    Route("/people/invite", signed_in(recently_signed_in(people.invite)), methods=["POST"]),
    Route("/people/withdraw", signed_in(recently_signed_in(people.withdraw)), methods=["POST"]),
    Route("/people/{id}/remove", signed_in(recently_signed_in(people.remove)), methods=["POST"]),
    Route("/people/{id}/sites", signed_in(recently_signed_in(people.limit)), methods=["POST"]),
    Route("/people/{id}", signed_in(recently_signed_in(people.detail)), methods=["GET"]),
    Route("/people/{id}", signed_in(recently_signed_in(people.change)), methods=["POST"]),
    Route("/cases", signed_in(cases.listing)),
    Route("/cases/new", signed_in(cases.new), methods=["GET"]),
    Route("/cases/new", signed_in(cases.open_one), methods=["POST"]),
    Route("/cases/files/{id}", signed_in(cases.file)),
    Route("/cases/{id}", signed_in(cases.detail), methods=["GET"]),
    Route("/cases/{id}", signed_in(cases.reply), methods=["POST"]),
    Route("/cases/{id}/close", signed_in(cases.close), methods=["POST"]),
    Route("/activity", signed_in(activity.listing)),
    Route("/details", signed_in(details.show)),
    Route("/preferences", signed_in(preferences.show), methods=["GET"]),
    Route("/preferences", signed_in(preferences.save), methods=["POST"]),
    Route("/preferences/consent", signed_in(preferences.consent), methods=["POST"]),
    Route("/unsubscribe/{token}", preferences.before_unsubscribing, methods=["GET"]),
    Route("/unsubscribe/{token}", preferences.unsubscribe, methods=["POST"]),
    Route("/account", signed_in(sessions.choose_account), methods=["GET"]),
    Route("/account", signed_in(sessions.switch_account), methods=["POST"]),
    Route("/sessions", signed_in(sessions.listing), methods=["GET"]),
    Route("/sessions/end", signed_in(sessions.end_one), methods=["POST"]),
    Route("/sessions/end-all", signed_in(sessions.end_all), methods=["POST"]),
    Route("/end-view", signed_in(looking.end), methods=["POST"]),
    Route("/view-as/{ticket}", looking.before, methods=["GET"]),
    Route("/view-as/{ticket}", looking.begin, methods=["POST"]),
    Route("/sign-in", sessions.sign_in, methods=["GET"]),
    Route("/auth/callback", sessions.callback, methods=["GET"]),
    Route("/auth/back-channel-logout", sessions.back_channel_logout, methods=["POST"]),
    Route("/sign-out", sessions.sign_out, methods=["POST"]),
    Route("/signed-out", sessions.signed_out, methods=["GET"]),
    Route("/styleguide", signed_in(guide.show)),
    Route("/healthz", alive),
    Route("/readyz", ready),
    Mount("/static", GZipMiddleware(LastingFiles(directory=STATIC))),
    Route("/{anything:path}", signed_in(unknown), methods=["GET"]),
)


def __getattr__(name: str) -> Starlette:
    if name == "app":
        return create_app(load_settings())
    raise AttributeError(name)
