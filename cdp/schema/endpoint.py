"""GraphQL over HTTP, after the specification of that name (graphql.github.io/graphql-over-http, 2025 draft).

POST takes a JSON body; GET takes queries only. The answer is `application/graphql-response+json` unless the caller likes
`application/json` better: with the former, a request that could not be executed is a 400, with the latter a 200, as the
specification asks. Browsers that want HTML get GraphiQL, outside production. The specification's section numbers are in the
comments.

Why not Strawberry's own view: it answers `application/json` and 200 whatever was accepted and whatever went wrong.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from cdp.access.audit import actor_of
from cdp.access.tokens import TokenMissing, note_refused, who
from cdp.access.viewer import Tool
from cdp.errors import CdpError, Invalid, NotFound, TooLarge, TooManyRequests
from cdp.graph.refusal import ScopeMissing, shown
from cdp.graph.runtime import GraphContext
from cdp.schema.execution import Graph, schema
from cdp.schema.graphiql import asset_routes, page
from cdp.schema.negotiation import preferred
from cdp.schema.persisted import PersistedQueryNotFound, RequestMalformed
from cdp.schema.reading import reading
from cdp.settings import Settings

GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
JSON: Final = "application/json"
HTML: Final = "text/html"
LARGEST_REQUEST_BYTES: Final = 256 * 1024
_ASKING: Final = frozenset({"query", "documentId", "extensions"})
_READS: Final = {OperationType.QUERY}
_ALL: Final = {OperationType.QUERY, OperationType.MUTATION}


class NotAcceptable(Invalid):
    """This address answers application/graphql-response+json or application/json."""

    http_status = 406


class UnsupportedMediaType(Invalid):
    """Send the request as application/json in UTF-8."""

    http_status = 415


class OnlyQueries(Invalid):
    """GET is for queries only; send this operation by POST."""

    http_status = 405


class NoPage(NotFound):
    """There is no page here; ask by POST."""


def graphql_routes(settings: Settings) -> list[BaseRoute]:
    """The endpoint, and outside production GraphiQL's files. `app.state` holds `graph` (Graph), `tokens` and `audit`."""
    endpoint = Route("/graphql", _Endpoint(settings).answer, methods=["GET", "POST"])
    return [endpoint] if settings.is_production else [asset_routes(), endpoint]


class _Endpoint:
    """What the settings decide of the endpoint: whether browsers get a page."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def answer(self, request: Request) -> Response:
        """GraphiQL's page, or what the operation comes to."""
        media_type = GRAPHQL_RESPONSE
        try:
            media_type = _media_type(request)
            if media_type == HTML:
                return self._page()
            viewer = await who(request)
            if viewer is None:
                raise TokenMissing
            asked = _from_query(request) if request.method == "GET" else await _from_body(request)
            return await _execute(request, viewer, asked, media_type)
        except CdpError as error:
            return _refused(error, GRAPHQL_RESPONSE if media_type == HTML else media_type)

    def _page(self) -> Response:
        if self._settings.is_production:
            raise NoPage
        return page(self._settings)


async def _execute(request: Request, viewer: Tool, asked: Mapping[str, Any], media_type: str) -> Response:
    graph: Graph = request.app.state.graph
    context = graph.context(viewer)
    context.admit()
    text = graph.documents.text_of(asked, viewer)
    if viewer.acting_for is not None:
        request.app.state.audit.require_room()
    try:
        result = await schema.execute(
            text,
            variable_values=asked.get("variables"),
            operation_name=asked.get("operationName"),
            context_value=context,
            allowed_operation_types=_READS if request.method == "GET" else _ALL,
        )
    except InvalidOperationTypeError as error:
        if request.method == "GET":
            raise OnlyQueries from error
        raise RequestMalformed(problem="Subscriptions are not served here.") from error
    except (CannotGetOperationTypeError, MissingQueryError) as error:
        raise RequestMalformed(problem="operationName must name one of the document's operations.") from error
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = [shown(error, suggests=context.reveals_schema) for error in result.errors]
        _note_refusals(request, viewer, body["errors"])
    # Variables that don't fit are found out when execution begins, yet nothing is executed: no error has a path.
    executed = not isinstance(result, PreExecutionError) and (
        result.data is not None or any(error.path for error in result.errors or ())
    )
    if executed:
        body["data"] = result.data
        graph.documents.learn(asked, viewer)
        _note_reading(request, viewer, text, asked)
    if (asked.get("extensions") or {}).get("cost") is True:
        body["extensions"] = {"cost": _cost(context)}
    # §6.4: 400 for a request error under the GraphQL media type, 200 under plain JSON.
    status = 200 if executed or media_type == JSON else 400
    wait_seconds = _wait_seconds(body)
    if wait_seconds is not None:
        # A mutation that may be asked only so often: nothing came of it, so the answer says so by its status too.
        status = TooManyRequests.http_status
    headers = _headers(context, wait_seconds)
    return Response(orjson.dumps(body), status, media_type=f"{media_type}; charset=utf-8", headers=headers)


def _note_reading(request: Request, viewer: Tool, text: str, asked: Mapping[str, Any]) -> None:
    if viewer.acting_for is not None:
        request.app.state.audit.read(reading(viewer, text, asked.get("variables"), asked.get("operationName")))


def _headers(context: GraphContext, wait_seconds: int | None) -> dict[str, str]:
    """Nothing is stored on the way; what the viewer may still ask; how long they have to wait."""
    headers = {"Cache-Control": "no-store"}
    if context.allowance is not None:
        headers |= {"RateLimit-Policy": context.allowance.policy_header, "RateLimit": context.allowance.header}
    return headers if wait_seconds is None else {**headers, "Retry-After": str(wait_seconds)}


def _wait_seconds(body: Mapping[str, Any]) -> int | None:
    """How long to wait where nothing was answered because too much was asked in a while."""
    told = [error["extensions"] for error in body.get("errors", ())]
    waits = [each["retry_after_seconds"] for each in told if each.get("code") == TooManyRequests.code]
    return None if not waits or any((body.get("data") or {}).values()) else max(waits)


def _note_refusals(request: Request, viewer: Tool, errors: list[dict[str, Any]]) -> None:
    """Have it recorded which fields the viewer lacks a scope for."""
    for error in errors:
        told = error["extensions"]
        if told.get("code") == ScopeMissing.code:
            note_refused(request, actor_of(viewer).was_refused("graph", ScopeMissing.code, told.get("field")))


def _cost(context: GraphContext) -> dict[str, Any]:
    """What an answer cost, for who asks by `extensions: {"cost": true}`."""
    remaining = {} if context.allowance is None else {"remaining": context.allowance.remaining}
    return {
        "nodes": context.nodes,
        "depth": context.depth,
        "statements": context.statements,
        "planCached": context.compiled == 0,
        **remaining,
    }


def _media_type(request: Request) -> str:
    """§5.2, §6.3: what the caller likes best, GraphQL's own where nothing is said. HTML only where no query is asked."""
    offers = [GRAPHQL_RESPONSE, JSON]
    if request.method == "GET" and not _ASKING & request.query_params.keys():
        offers.append(HTML)
    accepted = ",".join(request.headers.getlist("accept"))
    chosen = preferred(accepted, offers)
    if chosen is None:
        raise NotAcceptable
    return chosen


def _from_query(request: Request) -> dict[str, Any]:
    """§5.3: GET, parameters as strings, objects as JSON."""
    given = dict(parse_qsl(request.url.query, keep_blank_values=True))
    asked: dict[str, Any] = {name: given.get(name) for name in ("query", "documentId")}
    asked["operationName"] = given.get("operationName") or None
    for name in ("variables", "extensions"):
        if given.get(name):
            asked[name] = _decoded(given[name].encode(), f"The parameter {name}")
    return _checked(asked)


async def _from_body(request: Request) -> dict[str, Any]:
    """§5.4: POST, a JSON object."""
    content_type, _, parameters = request.headers.get("content-type", "").partition(";")
    if content_type.strip().lower() != JSON or ("charset" in parameters.lower() and "utf-8" not in parameters.lower()):
        raise UnsupportedMediaType
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_REQUEST_BYTES:
            raise TooLarge(limit_bytes=LARGEST_REQUEST_BYTES)
    decoded = _decoded(bytes(body), "The body")
    if not isinstance(decoded, dict):
        raise RequestMalformed(problem="The body must be one JSON object; batches are not served.")
    return _checked(decoded)


def _decoded(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RequestMalformed(problem=f"{what} is not JSON: {error.msg} at character {error.pos}.") from error


def _checked(asked: dict[str, Any]) -> dict[str, Any]:
    for name, kind, what in (
        ("variables", dict, "an object"),
        ("operationName", str, "a text"),
        ("extensions", dict, "an object"),
    ):
        if asked.get(name) is not None and not isinstance(asked[name], kind):
            raise RequestMalformed(problem=f"{name} must be {what}.")
    return asked


def _refused(error: CdpError, media_type: str) -> Response:
    """A request that never became an operation: GraphQL's shape, with the contract's code and message beside it."""
    body = {"errors": [{"message": error.message, "extensions": {"code": error.code, **error.ids}}], **error.body()}
    headers = {"Cache-Control": "no-store"}
    if (challenge := getattr(error, "www_authenticate", None)) is not None:
        headers["WWW-Authenticate"] = challenge
    if (retry := getattr(error, "retry_after_seconds", None)) is not None:
        headers["Retry-After"] = str(retry)
    if isinstance(error, OnlyQueries):
        headers["Allow"] = "POST"
    # What Apollo's clients ask first is no fault of theirs: under plain JSON a 200, as for any request error.
    status = 200 if isinstance(error, PersistedQueryNotFound) and media_type == JSON else error.http_status
    return Response(orjson.dumps(body), status, media_type=f"{media_type}; charset=utf-8", headers=headers)
