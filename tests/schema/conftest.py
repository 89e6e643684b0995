"""The API application on the made-up business, served for real, with a client's tokens from its own issuer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cdp.access.people import NewClient, create_client
from cdp.access.viewer import READ_SCOPES, Scope
from cdp.app import create_app
from cdp.db.engine import connect
from cdp.settings import Settings
from tests.graph.business import found
from tests.live import client, serve

GRAPHQL_RESPONSE = "application/graphql-response+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The served application, and two clients: one that may read everything, one that may read little."""

    url: str
    http: httpx2.Client
    tool: NewClient
    narrow: NewClient
    token: str

    def token_of(self, asking: NewClient) -> str:
        """A fresh access token by client credentials."""
        assert asking.client_secret is not None
        answer = self.http.post(
            "/idp/token", auth=(asking.client_id, asking.client_secret), data={"grant_type": "client_credentials"}
        )
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def ask(self, query: str, *, token: str | None = None, **body: Any) -> httpx2.Response:
        """POST an operation with everything as it should be."""
        return self.post({"query": query, **body}, token=token)

    def post(self, body: object, *, token: str | None = None, **headers: str) -> httpx2.Response:
        """POST any JSON body, or bytes as they are; header names with `_` for `-`, over the usual ones."""
        given = {"authorization": f"Bearer {token or self.token}", "content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes):
            return self.http.post("/graphql", content=body, headers=given)
        return self.http.post("/graphql", json=body, headers=given)

    def get(self, *, accept: str = "*/*", **parameters: str) -> httpx2.Response:
        """GET with parameters."""
        headers = {"authorization": f"Bearer {self.token}", "accept": accept}
        return self.http.get("/graphql", params=parameters, headers=headers)


@pytest.fixture(scope="module")
def settings_for(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Settings]:
    folder: Path = tmp_path_factory.mktemp("data")

    def make(**given: Any) -> Settings:
        usual: dict[str, Any] = {"database_url": shared_database_url, "data_dir": folder, "secret_key": "s" * 48}
        return Settings(**{**usual, **given})

    return make


@pytest.fixture(scope="module")
def door(shared_database_url: str, settings_for: Callable[..., Settings]) -> Iterator[Door]:
    found(shared_database_url)
    with connect(shared_database_url, "cdp_app") as connection:
        tool = create_client(connection, name="Console", scopes=READ_SCOPES)
        narrow = create_client(connection, name="Shelf", scopes=[Scope.GRAPH_READ])
    with serve(create_app(settings_for())) as url, client(url) as http:
        made = Door(url=url, http=http, tool=tool, narrow=narrow, token="")
        yield Door(url=url, http=http, tool=tool, narrow=narrow, token=made.token_of(tool))
