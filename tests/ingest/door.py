"""The tracking door alone, as an application, with a source to knock with."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from starlette.applications import Starlette

from cdp.db.engine import connect, open_pool
from cdp.ingest.sources import create_source
from cdp.ingest.tracking import tracking_routes


def door(database_url: str, **options: Any) -> Starlette:
    """An application with nothing but the tracking routes."""

    @asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:
        async with open_pool(database_url) as pool:
            application.state.pool = pool
            yield

    return Starlette(routes=tracking_routes(lambda request: request.app.state.pool, **options), lifespan=lifespan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A source and its write key."""

    source_id: UUID
    write_key: str

    @property
    def auth(self) -> tuple[str, str]:
        return self.write_key, ""


def make_sender(database_url: str, name: str = "web-shop", *, origins: Sequence[str] = (), **told: Any) -> Sender:
    """A source with a write key."""
    with connect(database_url) as connection:
        made = create_source(connection, name, allowed_origins=tuple(origins), **told)
    return Sender(source_id=made.source_id, write_key=made.write_key)
