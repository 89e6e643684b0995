"""`GET /v1/changes`: what changed in the graph, one JSON object a line, from any cursor on.

For systems that keep a copy: they read until a page is short, keep the last line's cursor, and ask again with `wait`, which
holds the answer back until something changed. Lines say what changed and whose it was, and nothing personal; what it is now
is asked of the graph.
"""

from typing import Final
from urllib.parse import urlencode

import orjson
import psycopg
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cdp.access.tokens import authenticate
from cdp.access.viewer import Scope
from cdp.db.ids import format_id
from cdp.errors import CdpError, InvalidField, Unavailable
from cdp.feed import ChangeFeed, Recorded
from cdp.feed.kinds import prefix_of

DEFAULT_LIMIT: Final = 100
LARGEST_LIMIT: Final = 1_000
LONGEST_WAIT_SECONDS: Final = 30
RETRY_AFTER_SECONDS: Final = 5
NDJSON: Final = "application/x-ndjson"
NOW: Final = "now"


def changes_routes() -> list[Route]:
    """The feed's route. `app.state` holds `feed` (ChangeFeed) and `tokens`."""
    return [Route("/v1/changes", _answer, methods=["GET"], name="changes")]


def line_of(change: Recorded) -> bytes:
    """A change as one line of the feed, with its line feed."""
    shown = {
        "cursor": change.position.cursor,
        "sequence": change.position.seq,
        "at": change.changed_at,
        "kind": change.kind,
        "id": format_id(prefix_of(change.kind), change.subject_id),
        "customerId": format_id("cus", change.customer_id),
        "data": orjson.Fragment(change.data),
    }
    return orjson.dumps(shown, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


async def _answer(request: Request) -> Response:
    try:
        await authenticate(request, Scope.FEED_READ)
        return await _page(request)
    except CdpError as error:
        headers = {"Cache-Control": "no-store"}
        if (challenge := getattr(error, "www_authenticate", None)) is not None:
            headers["WWW-Authenticate"] = challenge
        return JSONResponse(error.body(), error.http_status, headers=headers)
    except (psycopg.OperationalError, PoolTimeout):
        unavailable = Unavailable(retry_after_seconds=RETRY_AFTER_SECONDS)
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return JSONResponse(unavailable.body(), unavailable.http_status, headers=headers)


async def _page(request: Request) -> Response:
    feed: ChangeFeed = request.app.state.feed
    limit = _number(request, "limit", DEFAULT_LIMIT, least=1, most=LARGEST_LIMIT)
    wait_seconds = _number(request, "wait", 0, least=0, most=LONGEST_WAIT_SECONDS)
    cursor = request.query_params.get("after")
    if cursor == NOW:
        after = await feed.end()
    else:
        after = await feed.beginning() if cursor is None else await feed.position(cursor)
    found = await feed.read(after, most=limit, wait_seconds=wait_seconds)
    following = {"after": (found[-1].position if found else after).cursor, "limit": limit}
    headers = {"Cache-Control": "no-store", "Link": f'<{request.url.path}?{urlencode(following)}>; rel="next"'}
    return Response(b"".join(map(line_of, found)), media_type=NDJSON, headers=headers)


def _number(request: Request, name: str, default: int, *, least: int, most: int) -> int:
    """A whole number of the query. Raises InvalidField."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 10) or not least <= int(given) <= most:  # noqa: PLR2004
        raise InvalidField(field=name, problem=f"must be a whole number between {least} and {most}.")
    return int(given)
