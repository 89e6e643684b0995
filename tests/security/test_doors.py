"""Every route of the API from outside: what a request says of itself in its address or headers opens nothing, appears nowhere."""

from collections.abc import Iterator

import httpx2
import pytest

from cdp.access.people import create_client
from cdp.access.viewer import Scope
from cdp.app import create_app
from cdp.db.engine import connect
from cdp.settings import Settings
from tests.live import client, serve
from tests.security.test_fuzz import DOCUMENT, OPERATIONS

CLOSED = [
    (path, method) for path, method in OPERATIONS if DOCUMENT["paths"][path][method].get("security") == [{"token": []}]
]
SPOOFED = {
    "Host": "evil.example",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "127.0.0.1",
    "X-Original-URL": "/metrics",
    "Forwarded": "host=evil.example;proto=https",
}


@pytest.fixture(scope="module")
def door(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx2.Client, str]]:
    """The served application and a token with every scope."""
    with connect(shared_database_url, "cdp_app") as connection:
        tool = create_client(connection, name="Door", scopes=list(Scope))
    assert tool.client_secret is not None
    settings = Settings(database_url=shared_database_url, data_dir=tmp_path_factory.mktemp("data"), secret_key="s" * 48)
    with serve(create_app(settings)) as url, client(url) as http:
        answer = http.post(
            "/idp/token", auth=(tool.client_id, tool.client_secret), data={"grant_type": "client_credentials"}
        )
        yield http, answer.json()["access_token"]


@pytest.mark.parametrize(("path", "method"), CLOSED, ids=lambda part: part)
def test_a_token_in_the_address_opens_nothing(door: tuple[httpx2.Client, str], path: str, method: str) -> None:
    """Addresses are logged and kept by others (RFC 6750 §5.3)."""
    http, token = door
    address = path.replace("{kind}", "customers")
    for name in ("access_token", "token", "authorization", "bearer_token"):
        answer = http.request(method, address, params={name: token, "query": "{ viewer { kind } }"})
        assert answer.status_code == 401, (name, answer.text)
        assert token not in answer.text
    answer = http.request(method, address, headers={"Cookie": f"access_token={token}; sid={token}"})
    assert answer.status_code == 401, answer.text


@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=lambda part: part)
def test_a_spoofed_host_appears_in_no_answer(door: tuple[httpx2.Client, str], path: str, method: str) -> None:
    http, token = door
    address = path.replace("{kind}", "customers")
    for more in ({}, {"Authorization": f"Bearer {token}"}):
        answer = http.request(method, address, headers={**SPOOFED, **more})
        assert answer.status_code < 500, answer.text
        assert "evil.example" not in answer.text + str(answer.headers), answer.text
