"""`/healthz`, `/readyz` and `/metrics`, for whoever runs the product: alive, ready to be asked, and how it fares.

Each answer opens its own short connection, so that it tells of the database and not of a busy pool. The paths carry no
personal data, but the figures are the operator's: keep `/metrics` behind the proxy.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any, Final

import psycopg
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cdp.db.engine import Role, conninfo
from cdp.db.migrate import head
from cdp.db.statements import load_statements

ANSWER_WITHIN_SECONDS: Final = 3
BUCKETS_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_MEANING: Final = {
    "cdp_database_up": "Whether the database answers.",
    "cdp_inbox_pending": "Acknowledged messages not yet in the graph.",
    "cdp_inbox_oldest_seconds": "Age of the oldest pending message.",
    "cdp_failed_messages": "Messages kept for a person to look at.",
    "cdp_webhook_behind_seconds": "How long the most overdue webhook has been waiting.",
    "cdp_webhook_endpoints_failing": "Webhook endpoints that fail, or were disabled because they did.",
}
_WEBHOOK_FIGURES: Final = ("cdp_webhook_behind_seconds", "cdp_webhook_endpoints_failing")
_INBOX_FIGURES: Final = ("cdp_inbox_pending", "cdp_inbox_oldest_seconds", "cdp_failed_messages")
_STATEMENTS: Final = load_statements("cdp", "health.sql")


class Health:
    """Health of one application.

    `routes` go into its route table; `observe` goes to `cdp.logs.RequestLog`. `database_url` is asked at each check,
    because an embedded database is known only once it runs. In role `cdp_portal` what the portal may not read is left
    out. `signs_tokens`: whether a signing key must exist before this application is ready.
    """

    def __init__(
        self, database_url: Callable[[], str | None], *, role: Role = "cdp_app", signs_tokens: bool = True
    ) -> None:
        self._database_url = database_url
        self._signs_tokens = signs_tokens and role == "cdp_app"
        self._role: Role = role
        self._registry = CollectorRegistry()
        # With several server processes each writes files that any of them can add up.
        several = "PROMETHEUS_MULTIPROC_DIR" in os.environ
        owner = None if several else self._registry
        self._requests = Counter("cdp_requests", "Answered requests.", ["method", "route", "status"], registry=owner)
        self._seconds = Histogram(
            "cdp_request_seconds",
            "Time to answer, by route template.",
            ["method", "route"],
            buckets=BUCKETS_SECONDS,
            registry=owner,
        )
        if several:
            MultiProcessCollector(self._registry)  # type: ignore[no-untyped-call]
        else:
            ProcessCollector(registry=self._registry)
        self.routes = [
            Route("/healthz", self._alive, methods=["GET"]),
            Route("/readyz", self._ready, methods=["GET"]),
            Route("/metrics", self._metrics, methods=["GET"]),
        ]

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; `route` is a template, never a path."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    async def checks(self) -> dict[str, str]:
        """What readiness hangs on, each `ok` or what is wrong with it; the first that fails ends the list."""
        found: dict[str, str] = {}
        try:
            async with asyncio.timeout(ANSWER_WITHIN_SECONDS), await self._connect() as connection:
                found["database"] = "ok"
                found["migrations"] = await _migrations(connection)
                if self._signs_tokens and found["migrations"] == "ok":
                    found["keys"] = await _keys(connection)
        except (psycopg.Error, TimeoutError, OSError):
            found["migrations" if "database" in found else "database"] = "does not answer"
        return found

    async def _alive(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _ready(self, _: Request) -> Response:
        checks = await self.checks()
        if all(state == "ok" for state in checks.values()):
            return JSONResponse({"status": "ok", "checks": checks})
        return JSONResponse(
            {"code": "not_ready", "message": "This process cannot answer requests now.", "checks": checks},
            status_code=503,
            headers={"retry-after": "5"},
        )

    async def _metrics(self, _: Request) -> Response:
        database = await self._database_figures()
        return Response(generate_latest(self._registry) + database, media_type=CONTENT_TYPE_LATEST)

    async def _database_figures(self) -> bytes:
        figures: dict[str, float] = {"cdp_database_up": 0}
        try:
            async with asyncio.timeout(ANSWER_WITHIN_SECONDS), await self._connect() as connection:
                if self._role == "cdp_app":
                    row = await (await connection.execute(_STATEMENTS["inbox"])).fetchone()
                    figures.update(zip(_INBOX_FIGURES, row or (), strict=True))
                    row = await (await connection.execute(_STATEMENTS["webhooks"])).fetchone()
                    figures.update(zip(_WEBHOOK_FIGURES, row or (), strict=True))
                figures["cdp_database_up"] = 1
        except (psycopg.Error, TimeoutError, OSError):
            pass  # that is the figure
        registry = CollectorRegistry()
        for name, figure in figures.items():
            Gauge(name, _MEANING[name], registry=registry).set(figure)
        return generate_latest(registry)

    async def _connect(self) -> psycopg.AsyncConnection[tuple[Any, ...]]:
        url = self._database_url()
        if url is None:
            raise psycopg.OperationalError("no database yet")
        return await psycopg.AsyncConnection.connect(conninfo(url, self._role), autocommit=True)


async def _migrations(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> str:
    try:
        row = await (await connection.execute(_STATEMENTS["revision"])).fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    if row is None:
        return "never run: cdp migrate"
    return "ok" if row[0] == head() else f"at {row[0]}, this version needs {head()}: cdp migrate"


async def _keys(connection: psycopg.AsyncConnection[tuple[Any, ...]]) -> str:
    row = await (await connection.execute(_STATEMENTS["signing_keys"])).fetchone()
    return "ok" if row and row[0] else "no signing key"
