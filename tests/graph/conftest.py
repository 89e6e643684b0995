"""A graph on the made-up business, as a tool with all scopes and as members."""

from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from cdp.access.viewer import READ_SCOPES, Member, Role, Scope, Tool, Viewer
from cdp.schema import Graph, GraphResult, open_graph
from tests.graph.business import found, uuid_of

TODAY = date(2026, 7, 1)
EVERYTHING = Tool(client_id="test", scopes=frozenset({*READ_SCOPES, Scope.ADMIN}))


def member(number: int, account: int, role: Role) -> Member:
    """Member n of the business, signed in to an account."""
    return Member(member_id=UUID(uuid_of("0008", number)), account_id=UUID(uuid_of("0004", account)), role=role)


@pytest.fixture(scope="module")
def business_url(shared_database_url: str) -> str:
    """A database with the business in it."""
    found(shared_database_url)
    return shared_database_url


@pytest_asyncio.fixture
async def graph(business_url: str) -> AsyncIterator[Graph]:
    """Graph over the API's role."""
    async with open_graph(business_url, "cdp_app") as opened:
        yield opened


@pytest_asyncio.fixture
async def portal(business_url: str) -> AsyncIterator[Graph]:
    """Graph over the extranet's role."""
    async with open_graph(business_url, "cdp_portal") as opened:
        yield opened


@pytest.fixture
def ask(graph: Graph) -> Callable[..., Any]:
    """Run an operation as a tool with every read scope."""

    async def run(
        document: str, viewer: Viewer = EVERYTHING, *, checked: bool = False, **variables: Any
    ) -> GraphResult:
        return await graph.execute(document, variables, viewer, today=TODAY, checked=checked)

    return run
