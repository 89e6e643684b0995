"""`POST /v1/import/{kind}`: who may, what is answered, and that a broken delivery is finished by the next."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import psycopg
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from cdp.access.viewer import Scope, Tool
from cdp.db.engine import connect
from cdp.errors import Forbidden, Unauthenticated
from cdp.ingest.imports import import_routes
from cdp.ingest.sources import create_source

NDJSON = {"content-type": "application/x-ndjson", "authorization": "Bearer writer"}
CSV = NDJSON | {"content-type": "text/csv; charset=utf-8"}


async def authenticate(request: Request, scope: Scope) -> Tool:
    """Two tokens: `writer` may import, `reader` may not."""
    scopes = {"Bearer writer": Scope.IMPORT_WRITE, "Bearer reader": Scope.GRAPH_READ}
    granted = scopes.get(request.headers.get("authorization", ""))
    if granted is None:
        raise Unauthenticated
    if granted is not scope:
        raise Forbidden
    return Tool(client_id="erp-sync", scopes=frozenset({granted}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The application, and its database's URL."""

    app: Starlette
    database_url: str

    async def post(self, path: str, content: Any, headers: dict[str, str]) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://api.test") as client:
            return await client.post(path, content=content, headers=headers)

    def names(self) -> list[str]:
        with connect(self.database_url) as connection:
            return [name for (name,) in connection.execute("SELECT name FROM customer ORDER BY name")]


@pytest.fixture
def api(database_url: str) -> Api:
    with connect(database_url) as connection:
        create_source(connection, "erp", channel="erp")
    return Api(app=Starlette(routes=import_routes(database_url, authenticate)), database_url=database_url)


async def test_the_answer_counts_and_names_what_was_refused(api: Api) -> None:
    body = (
        '{"external_id": "a", "name": "Ann"}\n{"external_id": "b", "nmae": "Bob"}\n{"external_id": "c", "name": "Cy"}\n'
    )
    answer = await api.post("/v1/import/customers?source=erp", body.encode(), NDJSON)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "accepted": 2,
            "unchanged": 0,
            "rejected_count": 1,
            "rejected": [{"line": 2, "field": "nmae", "code": "unknown_field", "message": "There is no such field."}],
        },
    )
    assert api.names() == ["Ann", "Cy"]
    again = await api.post("/v1/import/customers?source=erp", body.encode(), NDJSON)
    assert (again.json()["accepted"], again.json()["unchanged"]) == (2, 2)


async def test_csv_by_its_content_type(api: Api) -> None:
    answer = await api.post("/v1/import/customers?source=erp", b"external_id,name\na,Ann\n", CSV)
    assert answer.json() == {"accepted": 1, "unchanged": 0, "rejected_count": 0, "rejected": []}


async def test_a_stream_is_stored_while_it_arrives_and_a_broken_one_is_finished_by_the_next(api: Api) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield b"".join(b'{"external_id": "c%d", "name": "N%04d"}\n' % (n, n) for n in range(1000))
        for _ in range(600):
            if len(await asyncio.to_thread(api.names)) == 1000:
                break
            await asyncio.sleep(0.1)
        msg = "the sender is gone"
        raise ConnectionError(msg)

    with pytest.raises(ConnectionError, match="the sender is gone"):
        await api.post("/v1/import/customers?source=erp", breaking(), NDJSON)
    assert len(api.names()) == 1000
    whole = b"".join(b'{"external_id": "c%d", "name": "N%04d"}\n' % (n, n) for n in range(1500))
    answer = await api.post("/v1/import/customers?source=erp", whole, NDJSON)
    assert (answer.json()["accepted"], answer.json()["unchanged"]) == (1500, 1000)
    assert len(api.names()) == 1500


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/v1/import/customers?source=erp", NDJSON | {"authorization": "Bearer nobody"}, 401, "unauthenticated"),
        ("/v1/import/customers?source=erp", NDJSON | {"authorization": "Bearer reader"}, 403, "forbidden"),
        ("/v1/import/invoices?source=erp", NDJSON, 404, "unknown_import_kind"),
        ("/v1/import/customers?source=shop", NDJSON, 404, "source_not_found"),
        ("/v1/import/customers", NDJSON, 400, "invalid_field"),
        ("/v1/import/customers?source=erp", NDJSON | {"content-type": "application/pdf"}, 415, "unsupported_format"),
        ("/v1/import/customers?source=erp", NDJSON | {"content-encoding": "gzip"}, 415, "unsupported_format"),
        ("/v1/import/customers?source=erp", CSV, 400, "invalid_field"),
    ],
)
async def test_a_request_that_cannot_be_served_is_told_why_and_nothing_is_stored(
    api: Api, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = await api.post(path, b'{"external_id": "a", "name": "Ann"}\n', headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]
    assert api.names() == []


async def test_without_a_database_the_sender_is_told_to_come_back(api: Api, database_url: str) -> None:
    gone = Api(
        app=Starlette(routes=import_routes(psycopg.conninfo.make_conninfo(database_url, dbname="gone"), authenticate)),
        database_url=database_url,
    )
    answer = await gone.post("/v1/import/customers?source=erp", b"{}\n", NDJSON)
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "5")


async def test_of_many_rejections_the_answer_names_the_first_thousand(api: Api) -> None:
    answer = await api.post("/v1/import/customers?source=erp", b"{}\n" * 1_500, NDJSON)
    assert (answer.json()["rejected_count"], len(answer.json()["rejected"])) == (1500, 1000)


async def test_imports_at_the_same_time_end_as_if_one_after_the_other(api: Api) -> None:
    bodies = [
        "".join(
            f'{{"external_id": "c{n}", "name": "N{n}", "email": "n{n}@x.test"}}\n' for n in range(start, start + 40)
        )
        for start in (0, 20, 10, 30)
    ]
    answers = await asyncio.gather(
        *(api.post("/v1/import/customers?source=erp", body.encode(), NDJSON) for body in bodies)
    )
    assert [(answer.status_code, answer.json()["rejected_count"]) for answer in answers] == [(200, 0)] * 4
    assert len(api.names()) == 70
