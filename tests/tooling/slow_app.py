"""An application that takes its time, for the test of stopping; its log lines go the product's way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cdp.health import Health
from cdp.logs import RequestLog


async def slow(request: Request) -> Response:
    structlog.get_logger("cdp.slow").info("began")
    await asyncio.sleep(float(request.path_params["seconds"]))
    return PlainTextResponse("done")


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    yield
    structlog.get_logger("cdp.slow").info("closed properly")


health = Health(lambda: None)
app = Starlette(
    routes=[Route("/slow/{seconds}", slow), *health.routes],
    lifespan=lifespan,
    middleware=[Middleware(RequestLog, observe=health.observe)],
)
