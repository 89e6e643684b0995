"""Whoever sees one account only gets byte for byte the same answers whether anybody else exists or not.

That is more than "no foreign row in an answer": neither a filter, an order, a count, a cursor nor an id can be used to find out
about others. The operations come from the schema: every field, every argument, and selections drawn at random.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import orjson
import pytest
import pytest_asyncio
from hypothesis import Phase, given, seed, settings

from cdp.access.viewer import Role, Scope, Tool, Viewer
from cdp.graph.declaration import INHERIT
from cdp.schema import Graph, open_graph, schema
from cdp.schema.execution import runner
from tests.databases import Databases
from tests.graph.asking import questions
from tests.graph.business import NODES, id_of
from tests.graph.conftest import TODAY, member
from tests.graph.operations import CursorOf, Operation
from tests.graph.operations import operations as any_operations
from tests.security.arguments import operations
from tests.security.worlds import ABSENT, OTHER, OWN, Worlds, both, tells

ALL = questions(schema._schema)
UNREAD = {Scope.GRAPH_WRITE, Scope.IDENTITY_WRITE, Scope.IMPORT_WRITE, Scope.FEED_READ}
"""Scopes that open no field that is read."""
ROLES = {role: member(number, OWN, role) for number, role in enumerate(Role, start=1)}
MALFORMED = (
    "",
    "cus_",
    "acc_zz",
    "ord_" + "0" * 31,
    "\N{PILE OF POO}",
    "00000000-0004-7000-8000-000000000014",
    "x" * 300,
)


@dataclass(frozen=True, slots=True)
class Pair:
    """The graph on both worlds, as the extranet opens it."""

    crowded: Graph
    alone: Graph


@pytest.fixture(scope="module")
def worlds(databases: Databases) -> Iterator[Worlds]:
    with both(databases) as made:
        yield made


@pytest_asyncio.fixture
async def pair(worlds: Worlds) -> AsyncIterator[Pair]:
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(open_graph(url, "cdp_portal", max_connections=2))
            for url in (worlds.crowded, worlds.alone)
        ]
        yield Pair(*opened)


@pytest_asyncio.fixture
async def company(worlds: Worlds) -> AsyncIterator[Graph]:
    async with open_graph(worlds.crowded, "cdp_app", max_connections=2) as opened:
        yield opened


def ids(number: int) -> dict[str, str]:
    """The id of each kind of node that belongs to customer and account `number`."""
    return {kind: id_of(prefix, group, of(number)) for kind, (prefix, group, of) in NODES.items()}


async def answer(graph: Graph, document: str, viewer: Viewer, node: str = "") -> bytes:
    """Everything a caller would see."""
    variables = {"id": node} if "$id" in document else {}
    result = await graph.execute(document, variables, viewer, today=TODAY)
    return orjson.dumps({"data": result.data, "errors": result.errors})


async def same(pair: Pair, document: str, viewer: Viewer, node: str = "") -> bytes:
    """The answer where others are, which must be the one where they aren't."""
    told = await answer(pair.crowded, document, viewer, node)
    assert told == await answer(pair.alone, document, viewer, node), (document, node)
    assert not tells(told), (document, node)
    assert b'"internal"' not in told, (document, node)
    return told


@pytest.mark.parametrize(("role", "deepest"), [(Role.CLIENT_ADMIN, 1), (Role.BUYER, 0)])
async def test_no_argument_of_any_field_finds_out_about_others(pair: Pair, role: Role, deepest: int) -> None:
    found, own = 0, ids(OWN)
    for start, document in operations(schema._schema, [*ids(OTHER).values()], deepest=deepest):
        told = await same(pair, document, ROLES[role], own.get(start, ""))
        found += told.count(b'"totalCount"')
    assert found > 300, "the operations find nothing even at home"


@pytest.mark.parametrize("role", [Role.CLIENT_ADMIN])  # who sees most; test_isolation asks as every role
async def test_no_field_tells_that_there_are_others(pair: Pair, role: Role) -> None:
    for question in ALL:
        await same(pair, question.document, ROLES[role], ids(OWN).get(question.start, ""))


@pytest.mark.parametrize("role", [Role.CLIENT_ADMIN, Role.BUYER])
async def test_no_selection_whatever_it_is_tells_that_there_are_others(pair: Pair, role: Role) -> None:
    """Drawn at random: aliases, fragments, filters in filters, orders, pages, variables."""
    for operation in drawn(100):
        variables = {key: value for key, value in operation.variables[0].items() if not isinstance(value, CursorOf)}
        told = [
            await graph.execute(operation.document, variables, ROLES[role], today=TODAY)
            for graph in (pair.crowded, pair.alone)
        ]
        assert told[0] == told[1], operation
        assert not tells(orjson.dumps([told[0].data, told[0].errors])), operation


def drawn(number: int) -> list[Operation]:
    """So many operations, always the same ones."""
    found: list[Operation] = []

    @seed(1)
    @settings(max_examples=number, deadline=None, database=None, phases=[Phase.generate])
    @given(any_operations(schema._schema))
    def each(operation: Operation) -> None:
        found.append(operation)

    each()
    return found


async def test_an_id_that_is_none_is_refused_alike_everywhere(pair: Pair) -> None:
    by_id = {question.root: question.document for question in ALL if "$id" in question.document}
    for document in by_id.values():
        for role in Role:
            for text in MALFORMED:
                told = orjson.loads(await same(pair, document, ROLES[role], text))
                codes = {error["extensions"]["code"] for error in told["errors"] or ()}
                assert codes <= {"value_invalid", "closed_to_members", "scope_missing"}, (document, text, codes)
                assert not any((told["data"] or {}).values()), (document, text)


@pytest.mark.parametrize("scope", list(Scope))
async def test_a_tool_without_the_scope_of_a_field_is_refused_whatever_it_asks(company: Graph, scope: Scope) -> None:
    """Every OAuth client is that tool: one with all scopes but one is refused what needs that one, whether it exists or not."""
    tool, asked = Tool(client_id="all-but-one", scopes=frozenset(Scope) - {scope}), 0
    for question in ALL:
        kind = runner.registry.types.get(question.type)
        field = kind.fields.get(question.field) if kind else None
        if kind is None or field is None or (kind.scope if field.scope is INHERIT else field.scope) != scope:
            continue
        asked += 1
        other, absent = [
            await answer(company, question.document, tool, ids(number).get(question.start, ""))
            for number in (OTHER, ABSENT)
        ]
        codes = {error["extensions"]["code"] for error in orjson.loads(other)["errors"]}
        assert codes == {"scope_missing"} or (not codes and other == absent), (question, other)
    assert asked or scope in UNREAD
