"""`POST /v1/import/{kind}`: a stream of NDJSON or CSV becomes records, in bounded memory.

The body is read as it arrives, by a thread that decodes and stores; so a slow database slows the sender down, and nothing
piles up. What was committed before a connection broke stays: the same delivery again finishes the rest.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import asdict
from typing import Any, Final

import anyio
import anyio.from_thread
import anyio.to_thread
import psycopg
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cdp.access.audit import actor_of, record
from cdp.access.viewer import Scope, Tool
from cdp.db.engine import connect
from cdp.errors import CdpError, Invalid, InvalidField, Unavailable
from cdp.ingest.importing import Chunk, ImportCount, find_source, import_kind, import_records, read
from cdp.ingest.record_lines import Format, Rejection
from cdp.ingest.records import ImportKind

MOST_REJECTIONS_TOLD: Final = 1_000
"""Rejections in one answer; `rejected_count` counts them all."""
MOST_AT_ONCE: Final = 4
"""Imports that run at the same time in a process; more wait, unread."""
RETRY_AFTER_SECONDS: Final = 5

FORMATS: Final[dict[str, Format]] = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/x-jsonlines": "ndjson",
}

_log = structlog.stdlib.get_logger("cdp.ingest.imports")

Authenticate = Callable[[Request, Scope], Awaitable[Tool]]


class UnsupportedFormat(Invalid):
    """Send text/csv or application/x-ndjson, not compressed."""

    http_status = 415


def import_routes(database_url: str, authenticate: Authenticate) -> list[Route]:
    """The import's route. `authenticate` finds the tool behind a request or raises Unauthenticated or Forbidden."""
    limiter = anyio.CapacityLimiter(MOST_AT_ONCE)

    async def receive_import(request: Request) -> Response:
        try:
            tool = await authenticate(request, Scope.IMPORT_WRITE)
            kind = import_kind(request.path_params["kind"])
            form = format_of(request)
            source = request.query_params.get("source")
            if not source:
                raise InvalidField(field="source", problem="name the source: ?source=erp.")
            blocks = _Blocks(request.stream())
            answer = await anyio.to_thread.run_sync(
                lambda: _import(database_url, kind, form, source, blocks, tool=tool), limiter=limiter
            )
            return JSONResponse(answer)
        except CdpError as error:
            return JSONResponse(error.body(), status_code=error.http_status)
        except psycopg.OperationalError:
            unavailable = Unavailable(retry_after_seconds=RETRY_AFTER_SECONDS)
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return JSONResponse(unavailable.body(), status_code=unavailable.http_status, headers=headers)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it

    return [Route("/v1/import/{kind}", receive_import, methods=["POST"], name="import")]


def format_of(request: Request) -> Format:
    """The body's format by its content type. Raises UnsupportedFormat."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if media_type not in FORMATS or encoding != "identity":
        raise UnsupportedFormat
    return FORMATS[media_type]


def _import(
    database_url: str, kind: ImportKind, form: Format, source_name: str, blocks: Iterator[bytes], *, tool: Tool
) -> dict[str, Any]:
    """Runs in a thread: the whole import on one connection of its own."""
    told: list[Rejection] = []

    def remember(chunk: Chunk, _count: ImportCount) -> None:
        told.extend(chunk.rejections[: MOST_REJECTIONS_TOLD - len(told)])

    with connect(database_url, "cdp_app", autocommit=True) as connection:
        source = find_source(connection, source_name)
        count = import_records(connection, source, kind, read(kind, form, blocks), remember)
        told_of: dict[str, Any] = {"source": source_name, "accepted": count.accepted, "rejected": count.rejected}
        record(connection, actor_of(tool).did("import", str(kind), **told_of))
    _log.info("import", kind=kind, accepted=count.accepted, duplicates=count.unchanged, rejected=count.rejected)
    return {
        "accepted": count.accepted,
        "unchanged": count.unchanged,
        "rejected_count": count.rejected,
        "rejected": [asdict(rejection) for rejection in told],
    }


class _Blocks:
    """The request's body as a thread reads it: each block is asked of the event loop when it is needed."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block = anyio.from_thread.run(self._next)
        if block is None:
            raise StopIteration
        return block

    async def _next(self) -> bytes | None:
        return await anext(self._stream, None)
