"""GraphQL over a WebSocket, after graphql-transport-ws (github.com/enisdenjo/graphql-ws, PROTOCOL.md).

Strawberry's handler speaks the protocol; what is ours is around it: the bearer token, taken from the handshake's header or from
`connection_init`, checked again at every event; finished JSON sent as it is; errors as everywhere else; bounds on what a caller
may send; and an end, with a reason, for whoever doesn't read what they asked for.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final, cast

import orjson
import structlog
from graphql import GraphQLError, GraphQLSyntaxError
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.async_base_view import AsyncWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.unset import UNSET

from cdp.access.audit import NOBODY
from cdp.access.tokens import TokenInvalid, TokenMissing, TokenVerifier, note_refused
from cdp.access.viewer import Tool
from cdp.errors import CdpError
from cdp.graph.refusal import shown
from cdp.schema.endpoint import LARGEST_REQUEST_BYTES
from cdp.schema.events import SubscriptionContext
from cdp.schema.execution import Graph, schema
from cdp.schema.limits import too_long
from cdp.schema.reading import reading

_log = structlog.stdlib.get_logger("cdp.schema.socket")

INIT_WITHIN_SECONDS: Final = 10
MOST_OPERATIONS: Final = 100

UNAUTHORISED: Final = 4401
NO_SUCH_PROTOCOL: Final = 4406
TOO_SLOW: Final = 4430
TOO_LARGE: Final = 1009  # RFC 6455 §7.4.1
LONGEST_REASON_BYTES: Final = 123  # RFC 6455 §5.5


def socket_routes() -> list[WebSocketRoute]:
    """The WebSocket beside `/graphql`. `app.state` holds `graph` (Graph), `feed` (ChangeFeed), `tokens` and `audit`."""
    return [WebSocketRoute("/graphql", _serve)]


async def _serve(websocket: WebSocket) -> None:
    if GRAPHQL_TRANSPORT_WS_PROTOCOL not in websocket.scope.get("subprotocols", ()):
        await websocket.accept()
        await websocket.close(NO_SUCH_PROTOCOL, "Speak graphql-transport-ws.")
        return
    await websocket.accept(GRAPHQL_TRANSPORT_WS_PROTOCOL)
    socket = _Socket(websocket)
    caller = _Caller(websocket, socket)
    handler = _Handler(
        view=cast("Any", caller),
        websocket=socket,
        context=SimpleNamespace(connection_params=None),
        root_value=None,
        schema=cast("Any", caller),
        connection_init_wait_timeout=timedelta(seconds=INIT_WITHIN_SECONDS),
        max_subscriptions_per_connection=MOST_OPERATIONS,
    )
    await handler.handle()
    await socket.ended()


class _Handler(BaseGraphQLTransportWSHandler[Any, Any]):
    async def handle_task_exception(self, error: Exception) -> None:
        """That somebody went away is no failure."""
        if not isinstance(error, WebSocketDisconnected):
            _log.error("an operation over a socket failed", exc_info=error)

    async def handle_message(self, message: Any) -> None:
        """As the protocol says; a message of another shape is an invalid one."""
        try:
            await super().handle_message(message)
        except (TypeError, AttributeError):
            await self.handle_invalid_message("Failed to parse message")


class _Socket(AsyncWebSocketAdapter):
    """The connection as the handler sees it; closes once."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._is_closing = False
        self._drop: asyncio.Task[None] | None = None

    async def iter_json(self, *, ignore_parsing_errors: bool = False) -> AsyncGenerator[object, None]:  # noqa: ARG002
        """Messages as they come, each a JSON object of bounded size."""
        try:
            while self._websocket.application_state is not WebSocketState.DISCONNECTED:
                text = await self._websocket.receive_text()
                if len(text) > LARGEST_REQUEST_BYTES:
                    await self.close(TOO_LARGE, f"A message may have {LARGEST_REQUEST_BYTES} bytes.")
                    return
                message = _decoded(text)
                yield message
        except KeyError as error:
            raise NonTextMessageReceived from error
        except WebSocketDisconnect:
            return

    async def send_json(self, message: Mapping[str, object]) -> None:
        """Send a message; waits while the reader doesn't read."""
        if self._is_closing:
            raise WebSocketDisconnected
        try:
            await self._websocket.send_text(orjson.dumps(message).decode())
        except (WebSocketDisconnect, RuntimeError) as error:  # the latter: closed meanwhile
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        """Close, if nobody has yet."""
        if not self._is_closing:
            self._is_closing = True
            with suppress(WebSocketDisconnect, RuntimeError):
                await self._websocket.close(code, reason.encode()[:LONGEST_REASON_BYTES].decode(errors="ignore"))

    def drop(self) -> None:
        """Close on one who doesn't read; whatever is still being sent is in the way and may take its time."""
        reason = "Too slow: more events wait than are kept. Connect again and go on after your last cursor."
        self._drop = asyncio.create_task(self.close(TOO_SLOW, reason))

    async def ended(self) -> None:
        """Wait for a close that is under way."""
        if self._drop is not None:
            self._drop.cancel()
            with suppress(asyncio.CancelledError):
                await self._drop


class _Caller:
    """Who is at the other end: what the handler calls its view (who may connect) and its schema (what is run for them)."""

    def __init__(self, websocket: WebSocket, socket: _Socket) -> None:
        self._websocket = websocket
        self._socket = socket
        self._state = websocket.app.state
        self._token = ""

    async def on_ws_connect(self, context: Any) -> Any:
        """Take the token from `connection_init`, else from the handshake. Raises ConnectionRejectionError, the socket closed."""
        payload = context.connection_params or {}
        given = payload.get("authorization") or payload.get("Authorization")
        given = given or self._websocket.headers.get("authorization") or ""
        scheme, _, token = given.partition(" ") if isinstance(given, str) else ("", "", "")
        self._token = token.strip() if scheme.lower() == "bearer" else ""
        try:
            await self._tool()
        except CdpError as error:
            if isinstance(error, TokenInvalid):
                note_refused(self._websocket, NOBODY.was_refused("api", TokenInvalid.code, "/graphql"))
            await self._socket.close(UNAUTHORISED, error.message)
            raise ConnectionRejectionError from error
        return UNSET

    async def _tool(self) -> Any:
        if not self._token:
            raise TokenMissing
        verifier: TokenVerifier = self._state.tokens
        return await verifier.tool(self._token)

    async def _check(self) -> Any:
        """The tool, while the token opens; then nothing more is sent. Raises TokenInvalid, Unavailable."""
        try:
            return await self._tool()
        except TokenInvalid as error:
            await self._socket.close(UNAUTHORISED, error.message)
            raise

    async def stream(self, query: Any, **asked: Any) -> AsyncGenerator[Any, None]:
        """Run an operation; its results as they come, errors as callers see them."""
        return self._results(query, asked)

    async def _context(self) -> SubscriptionContext:
        tool = await self._check()
        graph: Graph = self._state.graph
        usual = graph.context(tool)
        return SubscriptionContext(
            runner=usual.runner,
            viewer=tool,
            pool=usual.pool,
            today=usual.today,
            limits=usual.limits,
            reveals_schema=usual.reveals_schema,
            allowance=usual.allowance,
            feed=self._state.feed,
            check=self._check,
            on_behind=self._socket.drop,
            now=lambda: graph.context(tool).today,
        )

    async def _results(self, query: Any, asked: dict[str, Any]) -> AsyncGenerator[Any, None]:
        graph: Graph = self._state.graph
        try:
            context = await self._context()
            context.admit()
            self._state.audit.require_room()
            text = graph.documents.text_of({"query": query}, context.viewer)
            # Strawberry's stream would end without a word where reading the document raises.
            if (refusal := too_long(text, context.limits)) is not None:
                raise refusal
        except CdpError as error:
            yield PreExecutionError(data=None, errors=[_shown(GraphQLError(error.message, original_error=error))])
            return
        async with aclosing(await schema.stream(text, **{**asked, "context_value": context})) as results:
            recorded = False
            async for result in results:
                if not recorded and not isinstance(result, PreExecutionError):
                    recorded = True
                    assert isinstance(context.viewer, Tool)  # noqa: S101 - `_tool` answers no other
                    entries = reading(context.viewer, text, asked.get("variable_values"), asked.get("operation_name"))
                    self._state.audit.read(entries)
                if isinstance(result, ExecutionResult) and result.errors:
                    result.errors = [_shown(error, suggests=context.reveals_schema) for error in result.errors]
                yield result


def _shown(error: GraphQLError, *, suggests: bool = True) -> GraphQLError:
    """The error with the message and code that callers see; a syntax error stays what the protocol closes for."""
    if isinstance(error, GraphQLSyntaxError):
        return error
    told = shown(error, suggests=suggests)
    return GraphQLError(
        told["message"],
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        original_error=error.original_error,
        extensions=told["extensions"],
    )


def _decoded(text: str) -> dict[str, Any]:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NonJsonMessageReceived from error
    if not isinstance(message, dict):
        raise NonJsonMessageReceived
    return message
