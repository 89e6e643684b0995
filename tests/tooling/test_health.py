"""Liveness says that the process runs, readiness that it can answer, metrics how it fares; none of them leaks."""

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from cdp.db.engine import Role
from cdp.db.migrate import head
from cdp.health import Health
from cdp.logs import RequestLog

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"

MAKE_KEY = (
    """INSERT INTO signing_key (kid, algorithm, public_jwk, sealed_private_jwk) VALUES ('k', 'ES256', '{}', '')"""
)


async def greet(request: Request) -> Response:
    return PlainTextResponse(request.path_params["name"])


def application(url: str | None, role: Role = "cdp_app") -> TestClient:
    health = Health(lambda: url, role=role)
    return TestClient(
        Starlette(
            routes=[*health.routes, Route("/greet/{name}", greet)],
            middleware=[Middleware(RequestLog, observe=health.observe)],
        )
    )


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())


def figures(client: TestClient) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_alive_does_not_ask_the_database() -> None:
    answer = application(NOWHERE).get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_when_database_migrations_and_keys_are_there(database_url: str) -> None:
    execute(database_url, MAKE_KEY)
    answer = application(database_url).get("/readyz")
    assert answer.json() == {"status": "ok", "checks": {"database": "ok", "migrations": "ok", "keys": "ok"}}
    assert answer.status_code == 200


def test_not_ready_without_a_signing_key(database_url: str) -> None:
    answer = application(database_url).get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json() == {
        "code": "not_ready",
        "message": "This process cannot answer requests now.",
        "checks": {"database": "ok", "migrations": "ok", "keys": "no signing key"},
    }


def test_the_portal_is_ready_without_seeing_keys(database_url: str) -> None:
    answer = application(database_url, "cdp_portal").get("/readyz")
    assert answer.json() == {"status": "ok", "checks": {"database": "ok", "migrations": "ok"}}


def test_not_ready_behind_the_migrations(database_url: str) -> None:
    execute(database_url, "UPDATE alembic_version SET version_num = '0001'")
    answer = application(database_url).get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"] == f"at 0001, this version needs {head()}: cdp migrate"


def test_not_ready_before_the_first_migration(database_url: str) -> None:
    execute(database_url, "DROP TABLE alembic_version")
    answer = application(database_url).get("/readyz")
    assert answer.json()["checks"] == {"database": "ok", "migrations": "never run: cdp migrate"}


@pytest.mark.parametrize("url", [NOWHERE, None])
def test_without_database_not_ready_and_nothing_leaks(url: str | None) -> None:
    answer = application(url).get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"database": "does not answer"})
    assert "127.0.0.1" not in answer.text


def test_requests_are_counted_by_template(database_url: str) -> None:
    client = application(database_url)
    client.get("/greet/ana.canary@example.com")
    client.get("/greet/luis")
    client.get("/nowhere/ana.canary@example.com")
    found = figures(client)
    labels = (("method", "GET"), ("route", "/greet/{name}"), ("status", "200"))
    assert found["cdp_requests_total", labels] == 2
    assert found["cdp_request_seconds_count", labels[:2]] == 2
    assert found["cdp_requests_total", (("method", "GET"), ("route", "unmatched"), ("status", "404"))] == 1
    assert "canary" not in client.get("/metrics").text


def test_the_inbox_is_measured(database_url: str) -> None:
    execute(
        database_url,
        """
        INSERT INTO inbox (source_id, message_id, lane, body, received_at)
        SELECT gen_random_uuid(), n::text, 0, '{}', now() - interval '1 minute' FROM generate_series(1, 5) AS n;
        INSERT INTO waiting_message (lane, seq, source_id, message_id, received_at)
        SELECT lane, seq, source_id, message_id, received_at FROM inbox WHERE message_id < '4';
        INSERT INTO failed_message (source_id, message_id, stage, code, error)
        SELECT source_id, message_id, 'decode', 'x', 'x' FROM inbox WHERE message_id >= '4'
        """,
    )
    found = figures(application(database_url))
    assert found["cdp_database_up", ()] == 1
    assert found["cdp_inbox_pending", ()] == 3
    assert found["cdp_failed_messages", ()] == 2
    assert 60 <= found["cdp_inbox_oldest_seconds", ()] < 120


def test_metrics_say_when_the_database_is_gone() -> None:
    found = figures(application(NOWHERE))
    assert found["cdp_database_up", ()] == 0
    assert ("cdp_inbox_pending", ()) not in found


def test_the_portal_s_metrics_leave_the_inbox_out(database_url: str) -> None:
    found = figures(application(database_url, "cdp_portal"))
    assert found["cdp_database_up", ()] == 1
    assert ("cdp_inbox_pending", ()) not in found
