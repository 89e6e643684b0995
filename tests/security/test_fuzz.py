"""Whatever is sent, nothing breaks: schemathesis on the HTTP routes (docs/openapi.yaml) and on GraphQL's schema, over a real
server.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from starlette.routing import BaseRoute, Mount, Route

from cdp.access.people import create_client
from cdp.access.viewer import Scope
from cdp.app import create_app
from cdp.db.engine import connect
from cdp.ingest.sources import create_source
from cdp.settings import Settings
from tests.graph.business import found
from tests.live import client, serve

DOCUMENT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "docs/openapi.yaml").read_text(encoding="utf-8"))
# Pages for people; their forms are tried one by one in tests/access.
OF_PEOPLE = (
    *("/idp/sign-in", "/idp/second-step", "/idp/reset", "/idp/security", "/idp/invite"),
    *("/idp/issuer.css", "/idp/passkeys.js"),
)
Door = tuple[str, dict[str, dict[str, Any]]]
OPERATIONS = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item]
INTERNAL = ("Traceback", "psycopg", "cdp.", 'File "', "SELECT ")


@schemathesis.serializer("application/x-ndjson")
def lines(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    """A text as it is."""
    return str(value).encode("utf-8", "replace")


@pytest.fixture(scope="module")
def door(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The served application, and what proves who asks, by the document's names for it."""
    found(shared_database_url)
    with connect(shared_database_url, "cdp_app") as connection:
        tool = create_client(connection, name="Fuzz", scopes=list(Scope))
        key = create_source(connection, name="fuzz", channel="web").write_key
    assert tool.client_secret is not None
    made = Settings(
        database_url=shared_database_url,
        data_dir=tmp_path_factory.mktemp("data"),
        secret_key="s" * 48,
        rate_token="100000/minute",
    )
    with serve(create_app(made)) as url, client(url) as http:
        pair = (tool.client_id, tool.client_secret)
        answer = http.post("/idp/token", auth=pair, data={"grant_type": "client_credentials"})
        proofs: dict[str, dict[str, Any]] = {
            "token": {"headers": {"Authorization": f"Bearer {answer.json()['access_token']}"}},
            "writeKey": {"auth": (key, "")},
            "client": {"auth": pair},
        }
        yield url, proofs


def test_every_route_is_described() -> None:
    def paths(routes: list[BaseRoute], before: str = "") -> Iterator[str]:
        for route in routes:
            if isinstance(route, Mount):
                yield from paths(route.routes, before + route.path)
            elif isinstance(route, Route):
                yield before + route.path

    app = create_app(Settings(database_url="postgresql://nowhere/x", secret_key="s" * 48))
    served = {path for path in paths(list(app.routes)) if not path.startswith(OF_PEOPLE)}
    assert served == set(DOCUMENT["paths"])


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=lambda part: part)
def test_no_request_breaks_a_route(door: Door, path: str, method: str) -> None:
    url, proofs = door
    described = DOCUMENT["paths"][path][method]
    proof = next((proofs[name] for each in described.get("security", ()) for name in each), {})
    operation = schemathesis.openapi.from_dict(DOCUMENT)[path][method.upper()]

    @seed(1)
    @settings(
        max_examples=8, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(operation.as_strategy())
    def each(case: Any) -> None:
        answer = case.call(base_url=url, **proof)
        fine(answer.status_code, answer.text)

    each()


def test_no_operation_breaks_graphql(door: Door) -> None:
    url, proofs = door
    contract = schemathesis.graphql.from_path(Path(__file__).parents[2] / "schema.graphql")
    with httpx2.Client(base_url=url, trust_env=False, timeout=30, headers=proofs["token"]["headers"]) as http:
        tried = 0
        for operation in contract.get_all_operations():
            called, tried = operation.ok(), tried + 1  # type: ignore[union-attr]

            @seed(1)
            @settings(
                max_examples=2, deadline=None, database=None, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            @given(called.as_strategy())
            def each(case: Any) -> None:
                answer = http.post("/graphql", json={"query": case.body})
                fine(answer.status_code, answer.text)
                errors = answer.json().get("errors", [])
                assert "internal" not in {error["extensions"]["code"] for error in errors}, (case.body, errors)

            each()
    assert tried > 50


def fine(status: int, text: str) -> None:
    """No failure of ours, and nothing of the inside."""
    assert status < 500, (status, text)
    assert not [word for word in INTERNAL if word in text], text
