"""`GET /v1/recognise`: who is this, at every touchpoint; and `POST /v1/visitor`, which gives a page the token to ask with.

A page asks with its visitor's token and hears of its own visitor alone, whatever it names. A server asks with an access token for
any identifier. A write key opens neither: it is public, and the answer to it is the same whoever is named. Messages that were
acknowledged and are not stitched yet are in every answer.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

import orjson
import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from cdp.access.audit import actor_of
from cdp.access.tokens import authenticate
from cdp.access.viewer import Scope, Tool
from cdp.access.visitor_tokens import Visitor, VisitorTokenInvalid, read
from cdp.db.engine import open_pool
from cdp.db.ids import format_id
from cdp.db.plans import NO_SCANS
from cdp.errors import CdpError, Forbidden, InvalidField, TooLarge, Unauthenticated, Unavailable
from cdp.events.waiting import Named, introductions
from cdp.graph.writing import Writing
from cdp.identify.identifier import ANONYMOUS_ID
from cdp.identify.recognition import Recognised, recognise, told_of_user
from cdp.ingest.catching_up import catch_up
from cdp.ingest.cors import preflight, readable
from cdp.ingest.own_words import OwnWords, of_user, of_visitor
from cdp.ingest.sources import KeyRing
from cdp.ingest.tracking import MissingWriteKey, OriginNotAllowed, UnknownWriteKey, key_in_header
from cdp.ingest.visitors import (
    SourceBook,
    VisitorSource,
    give_token,
    known,
    read_body,
    source_name,
    visitor_of,
    vouch,
)
from cdp.settings import Settings, secret_key

LARGEST_BODY_BYTES: Final = 8 * 1024
MOST_IDENTIFIERS: Final = 20
RETRY_AFTER_SECONDS: Final = 2
CONNECTION_TIMEOUT_SECONDS: Final = 5.0
MOST_CONNECTIONS: Final = 8
LONGEST_STATEMENT: Final = "5s"
WRITE_KEY_PREFIX: Final = "wk_"
VISITOR_PREFIX: Final = "vt"
_UNREACHABLE: Final = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, PoolClosed)


class VisitorTokenMissing(Unauthenticated):
    """Send the visitor's token, or an access token: `Authorization: Bearer …`. A write key tells nobody anything."""


class OnlyYourself(Forbidden):
    """A visitor's token answers for its own visitor; name nobody in the address."""


def recognise_routes(settings: Settings) -> list[Route]:
    """Both routes. `app.state` holds `graph` (Graph, that can write), `recognising`, `tokens` and `audit`."""
    door = _Door(settings)
    return [
        Route("/v1/recognise", door.endpoint(door.recognise), methods=["GET", "OPTIONS"], name="recognise"),
        Route("/v1/visitor", door.endpoint(door.visitor), methods=["POST", "OPTIONS"], name="visitor"),
    ]


def recognising(database_url: str) -> AbstractAsyncContextManager[AsyncConnectionPool[AsyncConnection[Any]]]:
    """What `app.state.recognising` is to be: connections to where messages are written, since a replica would not know what was
    just acknowledged, that read by index, since nothing may wait when a plan is made, and much when it is used.
    """
    settings = {**NO_SCANS, "default_transaction_read_only": "on", "statement_timeout": LONGEST_STATEMENT}
    return open_pool(database_url, "cdp_app", max_size=MOST_CONNECTIONS, autocommit=True, settings=settings)


class _Door:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._keys = KeyRing()
        self._sources = SourceBook()

    @cached_property
    def _secret(self) -> str:
        return secret_key(self._settings)

    def endpoint(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """The handler, with its refusals told."""

        async def handle(request: Request) -> Response:
            if request.method == "OPTIONS":
                return preflight(request, "GET, POST, OPTIONS")
            try:
                return await answer(request)
            except OriginNotAllowed as error:
                return _refusal(error)
            except CdpError as error:
                # A refusal says nothing of anybody, and a page has to know that its token has ended.
                return readable(_refusal(error), request.headers.get("origin"))
            except ClientDisconnect:
                return Response(status_code=400)  # nobody is there to read it
            except _UNREACHABLE:
                return readable(
                    _refusal(Unavailable(retry_after_seconds=RETRY_AFTER_SECONDS)), request.headers.get("origin")
                )

        return handle

    async def recognise(self, request: Request) -> Response:
        """Who is this."""
        shown = _bearer(request)
        if shown is None or shown.startswith(WRITE_KEY_PREFIX):
            raise VisitorTokenMissing
        if shown.startswith(VISITOR_PREFIX):
            return await self._visitors_own(request, shown)
        tool = await authenticate(request, Scope.GRAPH_PII)
        return await _of_anybody(request, tool)

    async def visitor(self, request: Request) -> Response:
        """A token: for a page, or for whom a server vouches."""
        body = read_body(await _body(request))
        shown, now = _bearer(request), datetime.now(UTC)
        if shown is not None and not shown.startswith(WRITE_KEY_PREFIX):
            await authenticate(request, Scope.GRAPH_PII)
            name = source_name(body)
            source = known(await self._source(request, name), name)
            visitor, token = vouch(self._secret, source, body, now=now)
        else:
            key = shown or key_in_header(request.headers.get("authorization")) or body.get("writeKey")
            source = await self._source_of_key(request, key if isinstance(key, str) else None)
            if not source.allows(request.headers.get("origin")):
                raise OriginNotAllowed
            before = body.get("token")
            visitor, token = give_token(self._secret, source, before if isinstance(before, str) else None, now=now)
        field = "anonymousId" if visitor.proof == ANONYMOUS_ID else "userId"
        told = {field: visitor.value, "token": token, "expiresAt": visitor.expires_at}
        return readable(_json(told), request.headers.get("origin"))

    async def _visitors_own(self, request: Request, token: str) -> Response:
        visitor = read(self._secret, token, now=datetime.now(UTC))
        source = await self._source(request, visitor.source_id)
        visitor_of(self._secret, token, source, now=datetime.now(UTC))
        if source is None:
            raise VisitorTokenInvalid
        origin = request.headers.get("origin")
        if not source.allows(origin):
            raise OriginNotAllowed
        if request.url.query:
            raise OnlyYourself
        async with _connection(request) as connection:
            said = await _own_words(connection, visitor, source)
        told = {"known": said.known, "proof": visitor.proof, "name": said.name, "traits": said.traits}
        return readable(_json(told), origin)

    async def _source(self, request: Request, key: Any) -> VisitorSource | None:
        is_remembered, source = self._sources.remembered(key)
        if not is_remembered:
            async with _connection(request) as connection:
                source = await self._sources.look_up(connection, key)
        return source

    async def _source_of_key(self, request: Request, key: str | None) -> VisitorSource:
        if not key:
            raise MissingWriteKey
        is_remembered, behind = self._keys.remembered(key)
        if not is_remembered:
            async with _connection(request) as connection:
                behind = await self._keys.look_up(connection, key)
        source = await self._source(request, behind.source_id) if behind is not None else None
        if source is None:
            raise UnknownWriteKey
        return source


async def _own_words(connection: AsyncConnection[Any], visitor: Visitor, source: VisitorSource) -> OwnWords:
    if visitor.proof == ANONYMOUS_ID:
        messages = await introductions(connection, visitor.source_id, visitor.value)
        return of_visitor(messages, source.told, allowed=source.traits)
    found = await told_of_user(connection, visitor.source_id, visitor.value, traits=source.traits)
    return of_user(found.traits, found.waiting, source.told, known=found.is_known, allowed=source.traits)


async def _of_anybody(request: Request, tool: Tool) -> Response:
    named = _named(request)
    if tool.acting_for is not None:
        request.app.state.audit.require_room()
    async with _connection(request) as connection:
        found, more_waits = await recognise(connection, named)
    if more_waits:
        await _catch_up(request, named)
        async with _connection(request) as connection:
            found, _ = await recognise(connection, named)
    if tool.acting_for is not None and found is not None:  # as for what is asked of the graph
        read_one = actor_of(tool).did("read", format_id("cus", found.customer_id), fields=["recognise"])
        request.app.state.audit.read([read_one])
    return _json(_shown(found))


async def _catch_up(request: Request, named: list[Named]) -> None:
    try:
        await _writing(request).run(lambda connection: catch_up(connection, named))
    except Unavailable:
        return  # others are at work on them; what is known is told


def _shown(found: Recognised | None) -> dict[str, Any]:
    if found is None:
        return {"known": False}
    return {
        "known": True,
        "id": format_id("cus", found.customer_id),
        "kind": found.kind,
        "name": found.name,
        "email": found.email,
        "phone": found.phone,
        "traits": orjson.Fragment(found.traits),
        "firstSeenAt": found.first_seen_at,
        "lastSeenAt": found.last_seen_at,
    }


def _named(request: Request) -> list[Named]:
    """Identifiers of the query: names are namespaces. Raises InvalidField."""
    named = [(name, value) for name, value in request.query_params.multi_items() if value]
    if not 1 <= len(named) <= MOST_IDENTIFIERS:
        problem = f"name 1 to {MOST_IDENTIFIERS} identifiers by their namespace, e.g. ?email=ana@example.com."
        raise InvalidField(field="query", problem=problem)
    return named


def _bearer(request: Request) -> str | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    return (value.strip() or None) if scheme.lower() == "bearer" else None


def _writing(request: Request) -> Writing:
    writing: Writing | None = request.app.state.graph.writing
    if writing is None:
        raise AssertionError("recognition needs a graph that can write")
    return writing


def _connection(request: Request) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
    pool: AsyncConnectionPool[AsyncConnection[Any]] = request.app.state.recognising
    return pool.connection(timeout=CONNECTION_TIMEOUT_SECONDS)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY_BYTES:
            raise TooLarge(limit_bytes=LARGEST_BODY_BYTES)
    return bytes(body)


def _json(told: dict[str, Any], status: int = 200) -> Response:
    return Response(
        orjson.dumps(told, option=orjson.OPT_UTC_Z),
        status_code=status,
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )


def _refusal(error: CdpError) -> Response:
    answer = _json(error.body(), error.http_status)
    if isinstance(error, Unavailable):
        answer.headers["retry-after"] = str(error.retry_after_seconds)
    if isinstance(error, Unauthenticated | Forbidden):
        answer.headers["www-authenticate"] = getattr(error, "www_authenticate", "Bearer")
    return answer
