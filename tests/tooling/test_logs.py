"""Personal data and secrets never reach the log: canaries are sent through every way in, and the output is searched."""

import ast
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from cdp.errors import NotFound
from cdp.logs import RequestLog, configure, scrub
from cdp.settings import load_settings

CANARIES = (
    "ana.canary@example.com",
    "+34 600 11 22 33",
    "Canary-Nombre Apellido",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl",
    "wk_Canary7xQ2mZp9LrT4vB8nKs1Yd6Hf",
)

Lines = io.StringIO


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """The log's output, one JSON object a line; logging as it was afterwards."""
    output = io.StringIO()
    monkeypatch.setattr("sys.stderr", output)
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    configure(load_settings(log_format="json"))
    try:
        yield output
    finally:
        root.handlers[:], root.level = before
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()


def parsed(lines: Lines) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def assert_no_canary(lines: Lines) -> None:
    text = lines.getvalue()
    assert text
    assert [canary for canary in CANARIES if canary in text] == []
    assert "Apellido" not in text


def test_unknown_keys_are_dropped_and_counted(lines: Lines) -> None:
    structlog.get_logger("cdp.test").info("stored", accepted=3, email=CANARIES[0], name=CANARIES[2])
    record = parsed(lines)[0]
    assert (record["event"], record["accepted"], record["dropped"]) == ("stored", 3, 2)
    assert_no_canary(lines)


def test_allowed_keys_hold_no_personal_data_either(lines: Lines) -> None:
    structlog.get_logger("cdp.test").info(
        f"mail to {CANARIES[0]}",
        reason=f"called {CANARIES[1]} with {CANARIES[3]}",
        source={"name": CANARIES[2]},
        customer_id=CANARIES[0],
        kind=f"Authorization: Bearer {CANARIES[4]}",
    )
    record = parsed(lines)[0]
    assert record["event"] == "mail to [email]"
    assert record["reason"] == "called [number] with [token]"
    assert record["source"] == "dict(1)"
    assert record["customer_id"] == "[redacted]"
    assert_no_canary(lines)


def test_ids_of_ours_stay_readable(lines: Lines) -> None:
    structlog.get_logger("cdp.test").info(
        "merged", customer_id="019abc12-7d3e-7c00-8000-1234567890ab", merge_id="mrg_7Gk"
    )
    assert parsed(lines)[0]["customer_id"] == "019abc12-7d3e-7c00-8000-1234567890ab"
    assert parsed(lines)[0]["merge_id"] == "mrg_7Gk"


def test_exceptions_are_told_by_type_and_place(lines: Lines) -> None:
    class ClientNotFound(NotFound):
        """There is no client {name}."""

        name: str

    def fail() -> None:
        try:
            int(" ".join(CANARIES))
        except ValueError as error:
            raise ClientNotFound(name=CANARIES[2]) from error

    try:
        fail()
    except ClientNotFound:
        structlog.get_logger("cdp.test").exception("failed")
    told = parsed(lines)[0]["exception"]
    assert "ClientNotFound [client_not_found]" in told
    assert "builtins.ValueError" in told
    assert "in fail" in told
    assert_no_canary(lines)


def test_a_database_error_is_told_by_its_sqlstate(lines: Lines) -> None:
    try:
        raise psycopg.errors.UniqueViolation(f"Key (value)=({CANARIES[2]}) already exists")
    except psycopg.Error:
        structlog.get_logger("cdp.test").exception("failed")
    assert "psycopg.errors.UniqueViolation [23505]" in parsed(lines)[0]["exception"]
    assert_no_canary(lines)


def test_a_library_s_arguments_stay_out(lines: Lines) -> None:
    logging.getLogger("some.library").warning("job %s took %d ms\nwith %s", CANARIES[2], 12, CANARIES[0])
    logging.getLogger("some.library").warning("sent to %s", CANARIES[1], extra={"email": CANARIES[0]})
    assert [record["event"] for record in parsed(lines)] == ["job … took 12 ms", "sent to …"]
    assert_no_canary(lines)


def test_the_servers_own_messages_stay_readable(lines: Lines) -> None:
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 42)
    logging.getLogger("uvicorn.error").info("Uvicorn running on %s://%s:%d", "http", "127.0.0.1", 8000)
    assert [record["event"] for record in parsed(lines)] == [
        "Started server process [42]",
        "Uvicorn running on http://127.0.0.1:8000",
    ]


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("postgresql://app:s3cret@db:5432/cdp", "postgresql://[credentials]@db:5432/cdp"),
        ("GET https://x.example/cb?code=abc&state=d", "GET https://x.example/cb?[query]"),
        ("ana%40example.com", "[email]"),
        ("card 4111 1111 1111 1111.", "card [number]."),
        ("call 600112233 now", "call [number] now"),
        ("2,357 customers, 6919 orders", "2,357 customers, 6919 orders"),
        ("order ord_12 of 2026-11-21", "order ord_12 of [number]"),
    ],
)
def test_scrub(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


async def greet(request: Request) -> Response:
    return PlainTextResponse(request.path_params["email"])


async def fail(_: Request) -> Response:
    raise ValueError(CANARIES[2])


async def talk(socket: WebSocket) -> None:
    if socket.path_params["name"] == "refused":
        await socket.close()
        return
    await socket.accept()
    await socket.receive_text()
    await socket.close()


@pytest.fixture
def client() -> TestClient:
    routes = [
        Route("/greet/{email}", greet),
        WebSocketRoute("/talk/{name}", talk),
        Mount("/inner", routes=[Route("/fail", fail)]),
    ]
    application = Starlette(routes=routes, middleware=[Middleware(RequestLog)])
    return TestClient(application, raise_server_exceptions=False)


def requests(lines: Lines) -> list[dict[str, Any]]:
    return [record for record in parsed(lines) if record["event"] == "answered"]


def test_a_request_is_one_line_with_the_template_and_no_query(lines: Lines, client: TestClient) -> None:
    client.get(
        f"/greet/{CANARIES[0]}", params={"token": CANARIES[3]}, headers={"authorization": f"Bearer {CANARIES[4]}"}
    )
    (record,) = requests(lines)
    assert (record["method"], record["route"], record["status"]) == ("GET", "/greet/{email}", 200)
    assert record["bytes"] == len(CANARIES[0])
    assert_no_canary(lines)


def test_a_failing_request_is_logged_as_500(lines: Lines, client: TestClient) -> None:
    assert client.get("/inner/fail").status_code == 500
    (record,) = requests(lines)
    assert (record["route"], record["status"]) == ("/inner/fail", 500)
    assert_no_canary(lines)


def test_an_unknown_path_is_not_repeated(lines: Lines, client: TestClient) -> None:
    client.get(f"/nowhere/{CANARIES[0]}")
    client.get(f"/inner/{CANARIES[0]}")
    assert [(record["route"], record["status"]) for record in requests(lines)] == [
        ("unmatched", 404),
        ("/inner/…", 404),
    ]
    assert_no_canary(lines)


def test_websockets_are_told_when_they_end(lines: Lines, client: TestClient) -> None:
    with client.websocket_connect(f"/talk/{CANARIES[0]}") as opened:
        opened.send_text("hello")
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/talk/refused"):
        pass
    told = [(record["method"], record["route"], record["status"]) for record in requests(lines)]
    assert told == [("WEBSOCKET", "/talk/{name}", 101), ("WEBSOCKET", "/talk/{name}", 403)]
    assert_no_canary(lines)


def test_the_request_id_is_the_caller_s_when_it_is_an_id(lines: Lines, client: TestClient) -> None:
    kept = client.get("/greet/a", headers={"x-request-id": "01JCANARY-request"})
    replaced = client.get("/greet/a", headers={"x-request-id": CANARIES[0]})
    assert kept.headers["x-request-id"] == "01JCANARY-request"
    assert [record["request_id"] for record in requests(lines)] == [
        "01JCANARY-request",
        replaced.headers["x-request-id"],
    ]
    assert_no_canary(lines)


def test_every_event_in_the_product_is_a_constant() -> None:
    """An f-string as event would carry data past the allow-list of keys."""
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    root = Path(__file__).parents[2]
    found = []
    for path in [*root.glob("cdp/**/*.py"), *root.glob("extranet/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in levels):
                continue
            logger = ast.unparse(node.func.value).rsplit(".", 1)[-1]
            if "log" in logger.casefold() and node.args and not isinstance(node.args[0], ast.Constant):
                found.append(f"{path.relative_to(root)}:{node.lineno}")
    assert found == []
