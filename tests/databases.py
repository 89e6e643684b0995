"""Fresh databases for tests: copies of a template on a server of the tests' own, with its files in memory if there is room."""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from cdp.db.embedded import EmbeddedServer

MEMORY: Final = Path("/dev/shm")
ROOM_BYTES: Final = 4 * 2**30
"""Free memory below which the files go to disk: a server's are about 0.3 GiB, and there are a few side by side."""


class Databases:
    """Copies of databases of one server."""

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self._numbers = itertools.count(1)
        self._left: list[str] = []

    @contextmanager
    def copy(self, of: str | None = None) -> Iterator[str]:
        """URL (as superuser) of a new database, at the head of the migrations or a copy `of` another, given its URL.

        Nobody may be connected to what is copied. The new one is dropped when the next is made, not when it is left:
        connections to it are closing then, and PostgreSQL would rest a tenth of a second before it looks again.
        """
        template = "cdp" if of is None else str(conninfo_to_dict(of)["dbname"])
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as admin:
            while self._left:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self._left.pop())))
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
            admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield self.server.url(name)
        finally:
            self._left.append(name)


def folder_for_servers() -> str | None:
    """Where a test server's files are made: in memory, or None for the usual folder when memory is short or not there."""
    try:
        free = shutil.disk_usage(MEMORY).free
    except OSError:
        return None
    return str(MEMORY) if free >= ROOM_BYTES else None
