"""The API application: the doors for integrators and internal tools, and the embedded issuer. `cdp.app:app` for servers.

Wiring only: each room brings its routes. On start it opens the pools, which survive a database that is not there yet.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import structlog
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount

from cdp.access.allowances import shared_allowances
from cdp.access.audit import audit_writer
from cdp.access.issuer.app import issuer_routes, prepare_issuer, well_known_routes
from cdp.access.issuer.logout_notices import notices_sent
from cdp.access.limits import limits_of
from cdp.access.tokens import TokenVerifier, authenticate
from cdp.db.engine import open_pool
from cdp.feed import open_feed
from cdp.health import Health
from cdp.ingest.catching_up import catch_up
from cdp.ingest.changes import changes_routes
from cdp.ingest.imports import import_routes
from cdp.ingest.recognise import recognise_routes, recognising
from cdp.ingest.tracking import tracking_routes
from cdp.limits import read_rate
from cdp.logs import RequestLog
from cdp.schema import open_graph
from cdp.schema.endpoint import graphql_routes
from cdp.schema.socket import socket_routes
from cdp.settings import Settings, SettingsError, load_settings

log = structlog.stdlib.get_logger("cdp.app")
Pool = AsyncConnectionPool[AsyncConnection[Any]]


def create_app(settings: Settings) -> Starlette:
    """The application for a database URL in `settings`; whoever starts it has started an embedded server before."""
    pools: dict[str, Pool] = {}

    def pool() -> Pool:
        return pools["app"]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if settings.database_url is None:
            raise SettingsError(variable="CDP_DATABASE_URL", problem="is required.")
        async with AsyncExitStack() as stack:
            pools["app"] = await stack.enter_async_context(open_pool(settings.database_url, "cdp_app", max_size=20))
            reads = settings.replica_database_url or settings.database_url
            graph = open_graph(
                reads,
                "cdp_app",
                time_zone=settings.seller_time_zone,
                limits=limits_of(settings),
                trusted=settings.trusted_documents,
                reticent=settings.is_production,
                max_connections=8,  # each plans its own statements, and few answer as fast as many
                writes=settings.database_url,
                settings=settings,
                catch_up=catch_up,
            )
            app.state.graph = await stack.enter_async_context(graph)
            app.state.recognising = await stack.enter_async_context(recognising(settings.database_url))
            app.state.graph.allowances = await stack.enter_async_context(
                shared_allowances(pool, tool=read_rate(settings.rate_graphql_tool))
            )
            app.state.audit = await stack.enter_async_context(audit_writer(pool))
            # Read where the graph is read, so that what a change tells of is there to be asked for.
            feed = open_feed(settings.database_url, app.state.graph.pool)
            app.state.feed = await stack.enter_async_context(feed)
            http = await stack.enter_async_context(httpx2.AsyncClient(timeout=10))
            app.state.tokens = TokenVerifier(pool, settings, http=http)
            if settings.issuer_is_embedded:
                await _prepare(pool, settings)
                await stack.enter_async_context(notices_sent(pool, settings, http))
            yield

    health = Health(lambda: settings.database_url)
    routes: list[BaseRoute] = [
        *graphql_routes(settings),
        *socket_routes(),
        *tracking_routes(lambda _request: pool()),
        *recognise_routes(settings),
        *(import_routes(settings.database_url, authenticate) if settings.database_url else ()),
        *changes_routes(),
        *health.routes,
    ]
    if settings.issuer_is_embedded:
        routes += [Mount("/idp", routes=issuer_routes(pool, settings)), *well_known_routes(settings)]
    return Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(RequestLog, observe=health.observe)])


async def _prepare(pool: Callable[[], Pool], settings: Settings) -> None:
    """Make the issuer's key and client now. With no database yet, its first request does; until then /readyz says no."""
    try:
        await prepare_issuer(pool, settings)
    except (OperationalError, PoolTimeout):
        log.warning("the issuer waits for the database")


def __getattr__(name: str) -> Starlette:
    """`cdp.app:app`, made from the environment's settings when a server asks for it."""
    if name != "app":
        raise AttributeError(name)
    return create_app(load_settings())
