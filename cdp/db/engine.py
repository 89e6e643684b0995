"""Connections: which role a connection plays, and pools of them.

Every connection of the product plays one of three roles, set at connect time and never by a statement of ours:
`cdp_owner` (migrations), `cdp_app` (API and worker), `cdp_portal` (extranet; row-level security confines it to one account).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

import psycopg
from psycopg import AsyncConnection, Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

Role = Literal["cdp_owner", "cdp_app", "cdp_portal"]
type_of_row = tuple[Any, ...]


def conninfo(url: str, role: Role | None, *, settings: Mapping[str, str] | None = None) -> str:
    """What libpq connects with: `url` in `role` (None: as the URL's user is), in UTC; `settings` are server settings."""
    given = conninfo_to_dict(url)
    wanted = {"timezone": "UTC", "datestyle": "ISO", **({} if role is None else {"role": role}), **(settings or {})}
    options = [str(given.get("options") or ""), *(f"-c {name}={value}" for name, value in wanted.items())]
    return make_conninfo(
        url,
        options=" ".join(option for option in options if option),
        application_name=given.get("application_name") or role or "cdp",
        connect_timeout=given.get("connect_timeout") or 10,
    )


@contextmanager
def connect(url: str, role: Role | None = "cdp_app", *, autocommit: bool = False) -> Iterator[Connection[type_of_row]]:
    """One synchronous connection; commits when the block ends well, rolls back when it raises, closes in both cases."""
    with psycopg.connect(conninfo(url, role), autocommit=autocommit) as connection:
        yield connection


@asynccontextmanager
async def open_pool(
    url: str,
    role: Role = "cdp_app",
    *,
    min_size: int = 1,
    max_size: int = 10,
    autocommit: bool = False,
    configure: Callable[[AsyncConnection[Any]], Awaitable[None]] | None = None,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[AsyncConnectionPool[AsyncConnection[Any]]]:
    """A pool of asynchronous connections. The pool opens without waiting for the database, so a start survives its absence."""
    pool = AsyncConnectionPool(
        conninfo(url, role, settings=settings),
        kwargs={"autocommit": autocommit, "prepare_threshold": 2},
        min_size=min_size,
        max_size=max_size,
        open=False,
        configure=configure,
        timeout=10,
    )
    await pool.open(wait=False)
    try:
        yield pool
    finally:
        await pool.close()
