"""The tracking API: Segment-compatible endpoints that answer 200 when, and only when, every message is durably stored.

Source: `tracking-api.md`. What a request costs is bounded before it is paid: bytes read, bytes inflated, messages,
nesting, requests in flight. The database being away is 503 with `Retry-After`, and never a lost or doubled message:
dedupe is exact.
"""

import base64
import binascii
import zlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import orjson
import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from cdp.errors import CdpError, Forbidden, Invalid, TooLarge, Unauthenticated, Unavailable
from cdp.errors import TooManyRequests as Overloaded
from cdp.events.queries import LANES, put_messages
from cdp.ingest.cors import preflight, readable
from cdp.ingest.messages import (
    LARGEST_BATCH_BYTES,
    LARGEST_MESSAGE_BYTES,
    Accepted,
    MessageType,
    Rejected,
    judge,
    read_request,
)
from cdp.ingest.sources import KeyRing, KnownSource
from cdp.ingest.waking import Bell

Pool = AsyncConnectionPool[AsyncConnection[tuple[Any, ...]]]

MOST_IN_FLIGHT: Final = 64
"""Requests held in memory at once, at most 500 KB each; more are told to come back."""
RETRY_AFTER_SECONDS: Final = 2
CONNECTION_TIMEOUT_SECONDS: Final = 5.0

ENDPOINTS: Final[dict[str, MessageType | None]] = {
    "identify": "identify",
    "track": "track",
    "page": "page",
    "screen": "screen",
    "group": "group",
    "alias": "alias",
    "batch": None,
}

_SUCCESS: Final = b'{"success": true}'
_UNREACHABLE: Final = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, PoolClosed, TooManyRequests)

_log = structlog.stdlib.get_logger("cdp.ingest.tracking")


class MissingWriteKey(Unauthenticated):
    """Send the source's write key: basic authentication, a bearer token, or `writeKey` in the body."""


class UnknownWriteKey(Unauthenticated):
    """This write key is not known, or no longer valid."""


class OriginNotAllowed(Forbidden):
    """Pages of this origin may not post to this source."""


class UnreadableEncoding(Invalid):
    """The body must be sent as it is or compressed with gzip."""


def tracking_routes(
    pool_of: Callable[[HttpRequest], Pool], *, most_in_flight: int = MOST_IN_FLIGHT, keys: KeyRing | None = None
) -> list[Route]:
    """Routes `/v1/identify` … `/v1/batch` and the browser's short forms `/v1/i` … `/v1/b`.

    `pool_of` gives the application's pool of `cdp_app` connections, not in autocommit.
    """
    door = _Door(pool_of, most_in_flight=most_in_flight, keys=keys or KeyRing())
    return [
        Route(f"/v1/{path}", door.endpoint(only), methods=["POST", "OPTIONS"], name=f"tracking-{path}")
        for name, only in ENDPOINTS.items()
        for path in (name, name[0])
    ]


class _Door:
    def __init__(self, pool_of: Callable[[HttpRequest], Pool], *, most_in_flight: int, keys: KeyRing) -> None:
        self._pool_of = pool_of
        self._most_in_flight = most_in_flight
        self._in_flight = 0
        self._keys = keys
        self._bell = Bell()

    def endpoint(self, only: MessageType | None) -> Callable[[HttpRequest], Awaitable[Response]]:
        """The handler for messages of one type, or for batches."""

        async def handle(request: HttpRequest) -> Response:
            if request.method == "OPTIONS":
                return preflight(request)
            if self._in_flight >= self._most_in_flight:
                return _refused(Overloaded(retry_after_seconds=RETRY_AFTER_SECONDS), request)
            self._in_flight += 1
            try:
                return await self._take(request, only)
            except CdpError as error:
                return _refused(error, request)
            except ClientDisconnect:
                # Nobody hears this; nothing was stored, and the sender knows it got no answer.
                return _refusal(Invalid())
            except _UNREACHABLE as error:
                _log.warning("not stored", reason=type(error).__name__, sqlstate=getattr(error, "sqlstate", None))
                return _refused(Unavailable(retry_after_seconds=RETRY_AFTER_SECONDS), request)
            finally:
                self._in_flight -= 1

        return handle

    async def _take(self, request: HttpRequest, only: MessageType | None) -> Response:
        body = await _body(request, LARGEST_BATCH_BYTES if only is None else LARGEST_MESSAGE_BYTES)
        key = key_in_header(request.headers.get("authorization"))
        # A key in the header is checked before the body is looked at, so that strangers cost little.
        source = await self._source(request, key) if key else None
        told = read_request(body, only)
        if source is None:
            source = await self._source(request, told.write_key)
        origin = request.headers.get("origin")
        if origin is not None and not source.allows(origin):
            raise OriginNotAllowed
        accepted, rejected = judge(told)
        if accepted:
            rejected += await _store(self._pool_of(request), source, accepted)
            self._bell.ring(lambda: self._pool_of(request))
        answer = _rejection(rejected) if rejected else Response(_SUCCESS, media_type="application/json")
        return readable(answer, origin)

    async def _source(self, request: HttpRequest, key: str | None) -> KnownSource:
        if not key:
            raise MissingWriteKey
        is_known, source = self._keys.remembered(key)
        if not is_known:
            async with self._pool_of(request).connection(timeout=CONNECTION_TIMEOUT_SECONDS) as connection:
                source = await self._keys.look_up(connection, key)
        if source is None:
            raise UnknownWriteKey
        return source


async def _store(pool: Pool, source: KnownSource, accepted: Sequence[Accepted]) -> list[Rejected]:
    """Put the messages into the inbox and commit; those that the database cannot hold are told, the others stored."""
    rows = [one.arrival(LANES) for one in accepted]
    rejected = []
    async with pool.connection(timeout=CONNECTION_TIMEOUT_SECONDS) as connection:
        # Each statement is a transaction of its own: begin and commit would cost two more round trips.
        await connection.set_autocommit(True)
        try:
            await put_messages(connection, source.source_id, rows)
        except psycopg.DataError:
            # The judge's checks should leave nothing that PostgreSQL cannot store; if something does get by, find it alone.
            for one, row in zip(accepted, rows, strict=True):
                try:
                    await put_messages(connection, source.source_id, [row])
                except psycopg.DataError:
                    rejected.append(Rejected(index=one.index, code="not_storable", message="It cannot be stored."))
        finally:
            if not connection.closed:
                await connection.set_autocommit(False)
    return rejected


async def _body(request: HttpRequest, limit_bytes: int) -> bytes:
    """The body, inflated, never holding more than the limit. Raises TooLarge, UnreadableEncoding."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", ""}:
        raise UnreadableEncoding
    inflate = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            part = inflate.decompress(chunk, limit_bytes + 1 - size) if inflate else chunk
            size += len(part)
            if size > limit_bytes or (inflate is not None and inflate.unconsumed_tail):
                raise TooLarge(limit_bytes=limit_bytes)
            chunks.append(part)
    except zlib.error:
        raise UnreadableEncoding from None
    if inflate is not None and not inflate.eof:
        raise UnreadableEncoding
    return b"".join(chunks)


def key_in_header(header: str | None) -> str | None:
    """The write key of `Basic base64(key:)` or `Bearer key`; None when there is neither."""
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip() or None
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[0] or None
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return None
    return None


def _rejection(rejected: Sequence[Rejected]) -> Response:
    count = len(rejected)
    body = {
        "code": "messages_rejected",
        "message": f"{count} message{'s were' if count > 1 else ' was'} rejected; the others are stored.",
        "errors": [{"index": one.index, "code": one.code, "message": one.message} for one in rejected],
    }
    return _json(body, 400)


def _refused(error: CdpError, request: HttpRequest) -> Response:
    """A refusal that a page may read, so that its SDK knows whether to try again; none for a page of a foreign origin."""
    answer = _refusal(error)
    return answer if isinstance(error, OriginNotAllowed) else readable(answer, request.headers.get("origin"))


def _refusal(error: CdpError) -> Response:
    answer = _json(error.body(), error.http_status)
    if isinstance(error, Overloaded | Unavailable):
        answer.headers["retry-after"] = str(error.retry_after_seconds)
    if isinstance(error, Unauthenticated):
        answer.headers["www-authenticate"] = 'Basic realm="write key"'
    return answer


def _json(body: dict[str, Any], status: int) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")
