"""What recognition is compared with: one indexed SELECT behind one route, on the server, loop and pool that the API runs on,
with its line in the log for each request.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cdp.db.engine import open_pool
from cdp.logs import RequestLog

_SELECT = """
    SELECT customer_id, name, email, traits::text
    FROM identifier JOIN customer USING (customer_id)
    WHERE namespace = %s AND value = %s"""


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    async with open_pool(os.environ["CDP_DATABASE_URL"], "cdp_app", max_size=20, autocommit=True) as pool:
        app.state.pool = pool
        yield


async def _select(request: Request) -> Response:
    pool: AsyncConnectionPool[AsyncConnection[Any]] = request.app.state.pool
    async with pool.connection() as connection:
        row = await (await connection.execute(_SELECT, ("user_id", request.query_params["user_id"]))).fetchone()
    assert row is not None
    told = {"id": row[0], "name": row[1], "email": row[2], "traits": orjson.Fragment(row[3])}
    return Response(orjson.dumps(told), media_type="application/json")


async def _health(_request: Request) -> Response:
    return Response(b"{}", media_type="application/json")


app = Starlette(
    routes=[Route("/v1/recognise", _select), Route("/healthz", _health)],
    lifespan=_lifespan,
    middleware=[Middleware(RequestLog)],
)
