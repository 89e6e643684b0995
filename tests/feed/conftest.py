"""The whole product served for real: API and worker on a fresh database, a source to tell with, tools to listen with."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import orjson
import psycopg
import pytest
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_socket

from cdp.access.people import NewClient, create_client
from cdp.access.viewer import READ_SCOPES, Scope
from cdp.app import create_app
from cdp.db.engine import connect
from cdp.settings import Settings
from tests.ingest.door import Sender, make_sender
from tests.live import client, serve, wait_until_stitched, working

AT = "2026-03-01T10:00:00Z"
PATIENCE_SECONDS = 20


class Socket:
    """A client's end of a connection that speaks graphql-transport-ws."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: Any) -> None:
        await self.connection.send(orjson.dumps(message).decode())

    async def next(self, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """The next message. Raises TimeoutError."""
        message: dict[str, Any] = orjson.loads(await asyncio.wait_for(self.connection.recv(), seconds))
        return message

    async def subscribe(self, query: str, number: str = "1", **variables: Any) -> None:
        await self.send(type="subscribe", id=number, payload={"query": query, "variables": variables})

    async def event(self, seconds: float = PATIENCE_SECONDS) -> Any:
        """The root field's value of the next event, which must have come without errors."""
        message = await self.next(seconds)
        assert message["type"] == "next", message
        assert "errors" not in message["payload"], message
        (value,) = message["payload"]["data"].values()
        return value

    async def is_silent(self, seconds: float = 0.5) -> bool:
        try:
            await self.next(seconds)
        except TimeoutError:
            return True
        return False

    async def settled(self) -> None:
        """Until the server has taken up every subscription: a ping is answered after it, and the feed joined shortly."""
        await self.send(type="ping")
        assert await self.next() == {"type": "pong"}
        await asyncio.sleep(0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything at work on one database."""

    url: str
    database_url: str
    http: httpx2.Client
    application: Starlette
    sender: Sender
    tool: NewClient
    narrow: NewClient

    def token(self, asking: NewClient | None = None) -> str:
        """A fresh access token."""
        chosen = asking or self.tool
        answer = self.http.post(
            "/idp/token", auth=(chosen.client_id, chosen.client_secret or ""), data={"grant_type": "client_credentials"}
        )
        assert answer.status_code == 200, answer.text
        token: str = answer.json()["access_token"]
        return token

    def tell(self, *messages: dict[str, Any]) -> None:
        """Send messages through the tracking API, and wait until they are stitched."""
        batch = [{"timestamp": AT, **message} for message in messages]
        answer = self.http.post("/v1/batch", json={"batch": batch}, auth=self.sender.auth)
        assert answer.status_code == 200, answer.text
        with connect(self.database_url, autocommit=True) as connection:
            wait_until_stitched(connection)
            assert connection.execute("SELECT code, error FROM failed_message").fetchall() == []

    def ask(self, query: str, **variables: Any) -> Any:
        """Data of a GraphQL query."""
        headers = {"authorization": f"Bearer {self.token()}"}
        answer = self.http.post("/graphql", json={"query": query, "variables": variables}, headers=headers).json()
        assert "errors" not in answer, answer
        return answer["data"]

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(statement.encode()).fetchall()

    @asynccontextmanager
    async def socket(self, token: str | None = None, **options: Any) -> AsyncIterator[Socket]:
        """A connection past `connection_init`, with a good token unless told otherwise."""
        async with self.bare_socket(**options) as socket:
            bearer = await asyncio.to_thread(self.token) if token is None else token
            await socket.send(type="connection_init", payload={"authorization": f"Bearer {bearer}"})
            assert await socket.next() == {"type": "connection_ack"}
            yield socket

    @asynccontextmanager
    async def bare_socket(self, **options: Any) -> AsyncIterator[Socket]:
        """A connection on which nothing has been said."""
        options = {"subprotocols": ["graphql-transport-ws"], "proxy": None, "max_size": 2**26, **options}
        async with connect_socket(f"{self.url.replace('http', 'ws')}/graphql", **options) as connection:
            yield Socket(connection)


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    settings = Settings(database_url=database_url, data_dir=tmp_path, secret_key="s" * 48)
    application = create_app(settings)
    sender = make_sender(database_url)
    with connect(database_url, "cdp_app") as connection:
        tool = create_client(connection, name="Console", scopes=READ_SCOPES)
        narrow = create_client(connection, name="Shelf", scopes=[Scope.GRAPH_READ])
    with serve(application) as url, working(database_url), client(url) as http:
        yield World(
            url=url,
            database_url=database_url,
            http=http,
            application=application,
            sender=sender,
            tool=tool,
            narrow=narrow,
        )


def person(user: str, **traits: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": user, "traits": traits}


def order(number: str, user: str, event: str = "Order Completed", **properties: Any) -> dict[str, Any]:
    usual = {"order_id": number, "currency": "EUR", "total": 5, "products": [{"name": "Pen", "price": 5}]}
    return {"type": "track", "event": event, "userId": user, "properties": {**usual, **properties}}
