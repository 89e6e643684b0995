"""What a page asks of the database: at most three statements beyond the session, counted where psycopg sends them."""

from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final

import psycopg
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from cdp.access.viewer import ENTER
from cdp.db.statements import load_statements
from tests.extranet.addresses import BUYER, FINANCE, LUSITANIA, VIEWER, pages
from tests.extranet.conftest import Site, running_site

MOST: Final = 3
SESSION: Final = frozenset(load_statements("cdp.access")[name] for name in ("session_by_cookie", "view_by_cookie"))
FRAME: Final = ("BEGIN", "COMMIT", "SELECT set_config(", ENTER)
"""What begins and ends a transaction, and tells the connection whom it reads for and for how long."""

_asked: ContextVar[list[str] | None] = ContextVar("asked", default=None)


class Counting:
    """An ASGI application's statements by address, whatever else goes on in the process."""

    def __init__(self) -> None:
        self.asked: dict[str, list[str]] = {}
        self._app: ASGIApp | None = None

    def around(self, app: ASGIApp) -> ASGIApp:
        self._app = app
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app
        if scope["type"] == "http":
            query = scope["query_string"].decode()
            asked = self.asked[scope["path"] + (f"?{query}" if query else "")] = list[str]()
            _asked.set(asked)  # a request is a task, with a context of its own
        await self._app(scope, receive, send)


@pytest.fixture(scope="module")
def counting() -> Iterator[Counting]:
    with pytest.MonkeyPatch.context() as patch:
        for cursor in (psycopg.Cursor, psycopg.AsyncCursor):
            for name in ("execute", "executemany"):
                patch.setattr(cursor, name, noting(getattr(cursor, name)))
        yield Counting()


def noting(send: Any) -> Any:
    """A cursor's method that notes what it sends for a request."""

    def noted(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        asked = _asked.get()
        if asked is not None:
            asked.append(str(query))
        return send(cursor, query, *args, **kwargs)

    return noted


@pytest.fixture(scope="module")
def site(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory, counting: Counting) -> Iterator[Site]:
    with running_site(shared_database_url, tmp_path_factory.mktemp("data"), around=counting.around) as site:
        yield site


def beyond_the_session(asked: list[str]) -> list[str]:
    return [query for query in asked if query not in SESSION and not query.startswith(FRAME)]


@pytest.mark.parametrize("email", [LUSITANIA, FINANCE, BUYER, VIEWER])
def test_a_page_costs_at_most_three_statements(site: Site, counting: Counting, email: str) -> None:
    every = pages(site, filtered=True)
    counting.asked.clear()
    with site.as_member(email) as member:
        for path in every:
            member.get(path)
    asked = {path: beyond_the_session(counting.asked[path]) for path in every}
    assert {path: queries for path, queries in asked.items() if len(queries) > MOST} == {}
    assert len(asked["/"]) == 1
    assert any("sales_order" in query for query in asked["/orders"])


def test_what_is_counted_is_what_is_sent(site: Site, counting: Counting) -> None:
    with site.as_member(FINANCE) as member:
        member.get("/statement?from=2026-01-01")
    asked = counting.asked["/statement?from=2026-01-01"]
    assert [query for query in asked if query in SESSION] == [load_statements("cdp.access")["session_by_cookie"]]
    [query] = beyond_the_session(asked)
    assert "ledger_entry" in query
    assert ENTER in asked
