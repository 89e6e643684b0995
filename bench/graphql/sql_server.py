"""Contender `sql`: what somebody would write by hand for one page, a Starlette endpoint for each operation and its statement.

The statement returns the finished answer; nothing is parsed, validated or authorised. Pool, preparing and passing the
database's bytes on are as ours does them.
"""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from psycopg import AsyncConnection, AsyncRawCursor
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.graphql.operations import Operation, operations
from cdp.db.engine import open_pool
from cdp.graph.runtime import configure

Pool = AsyncConnectionPool[AsyncConnection[Any]]
_PARAMETERS: Final[dict[str, Callable[[dict[str, Any]], list[Any]]]] = {
    "nested": lambda given: [given["first"]],
    "single": lambda given: [UUID(given["id"])],
    "filtered": lambda given: [given["first"], datetime.fromisoformat(given["since"])],
}


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    url = os.environ["BENCH_DATABASE_URL"]
    async with open_pool(
        url, "cdp_app", max_size=20, autocommit=True, configure=configure, settings={"jit": "off"}
    ) as pool:
        app.state.pool = pool
        yield


def _endpoint(operation: Operation) -> Route:
    statement = operation.text("sql").encode()
    read = _PARAMETERS[operation.name]

    async def answer(request: Request) -> Response:
        parameters = read(orjson.loads(await request.body()))
        pool: Pool = request.app.state.pool
        async with pool.connection() as connection:
            cursor = AsyncRawCursor(connection)
            await cursor.execute(statement, parameters, prepare=True)
            row = await cursor.fetchone()
        assert row is not None
        return Response(b'{"data":' + row[0] + b"}", media_type="application/json")

    return Route(operation.path("sql"), answer, methods=["POST"])


app = Starlette(routes=[_endpoint(each) for each in operations(1_000)], lifespan=_lifespan)
