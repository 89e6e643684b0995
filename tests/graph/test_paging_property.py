"""Any connection of the schema, in any order, with any page size, either way: each row once, in order, whatever is inserted
meanwhile. The connections are the declarations', found and not listed.
"""

from base64 import urlsafe_b64decode
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import orjson
import psycopg
from graphql import GraphQLEnumType
from hypothesis import strategies as st
from psycopg import sql

from cdp.graph.declaration import GraphField, strawberry_fields
from cdp.schema import Graph, schema
from cdp.schema.execution import runner
from cdp.schema.query import Query
from tests.graph.business import NODES, found, id_of, node_id
from tests.graph.conftest import EVERYTHING, TODAY
from tests.graph.generating import for_each

PARENTS = {
    "Customer": [id_of("cus", "0001", number) for number in (1, 5, 10)],
    "Account": [id_of("acc", "0004", number) for number in (2, 10)],
    "Order": [id_of("ord", "0005", number) for number in (201, 1001)],
    "LedgerEntry": [id_of("ent", "0006", 1), id_of("ent", "0007", 1)],
    "Statement": [id_of("acc", "0004", number) for number in (2, 10)],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A connection (below `parent`, an id, or at the root), its order as written, and how it is walked."""

    owner: str
    field: str
    parent: str | None
    order: str
    size: int
    backward: bool


def connections() -> list[tuple[str, GraphField]]:
    """Every connection: its type and its declaration."""
    roots = [("Query", declared) for _, declared in strawberry_fields(Query) if declared.kind == "page"]
    return roots + [
        (name, declared)
        for name, kind in runner.registry.types.items()
        for declared in kind.fields.values()
        if declared.kind == "page"
    ]


def parents(owner: str) -> list[str]:
    """Ids of rows that have the connections of a type."""
    return PARENTS.get(owner) or [node_id(owner, number) for number in (10, 20)]


def node_type(owner: str, field: str) -> str:
    """Name of the type that the connection is of."""
    kind: Any = schema._schema.type_map[owner]
    return str(kind.fields[field].type.of_type.name).removesuffix("Connection")


@st.composite
def walks(draw: Any, among: list[tuple[str, GraphField]]) -> Walk:
    owner, declared = draw(st.sampled_from(among))
    order: Any = schema._schema.type_map.get(f"{node_type(owner, declared.name)}OrderField")
    terms: list[str] = []
    if isinstance(order, GraphQLEnumType):
        fields = draw(st.lists(st.sampled_from(list(order.values)), max_size=2, unique=True))
        terms = [f"{{field: {name}, direction: {draw(st.sampled_from(['ASC', 'DESC']))}}}" for name in fields]
    return Walk(
        owner=owner,
        field=declared.name,
        parent=None if owner == "Query" else draw(st.sampled_from(parents(owner))),
        order=f"orderBy: [{', '.join(terms)}]" if terms else "",
        size=draw(st.integers(1, 30)),
        backward=draw(st.booleans()),
    )


async def page(graph: Graph, walk: Walk, size: int, cursor: str | None = None) -> dict[str, Any]:
    """The page of so many rows beyond the cursor."""
    how_many, where = ("last", "before") if walk.backward else ("first", "after")
    asked = f"""page: {walk.field}({how_many}: {size}, {where}: $cursor, {walk.order}) {{
        edges {{ cursor }} totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }}"""
    owner = walk.owner
    if owner == "Statement":
        owner, asked = (
            "Account",
            f'page: statement(kind: BALANCE_FORWARD, from: "2026-01-01", to: "2026-12-31") {{ {asked} }}',
        )
    inner = asked if walk.parent is None else f'page: node(id: "{walk.parent}") {{ ... on {owner} {{ {asked} }} }}'
    result = await graph.execute(f"query($cursor: String) {{ {inner} }}", {"cursor": cursor}, EVERYTHING, today=TODAY)
    assert not result.errors, (walk, result.errors)
    answer: Any = result.data
    while "page" in answer:
        answer = answer["page"]
    return answer  # type: ignore[no-any-return]


async def pages(graph: Graph, walk: Walk, between: Any = None) -> list[str]:
    """Cursors of all rows met, first to last; `between` runs after each page."""
    met: list[str] = []
    cursor = None
    ahead, behind = ("hasPreviousPage", "hasNextPage") if walk.backward else ("hasNextPage", "hasPreviousPage")
    while True:
        answer = await page(graph, walk, walk.size, cursor)
        cursors = [edge["cursor"] for edge in answer["edges"]]
        assert answer["pageInfo"]["startCursor"] == (cursors[0] if cursors else None)
        assert answer["pageInfo"]["endCursor"] == (cursors[-1] if cursors else None)
        assert answer["pageInfo"][behind] is (cursor is not None), walk
        met = cursors + met if walk.backward else met + cursors
        if not answer["pageInfo"][ahead]:
            assert between is not None or len(met) == answer["totalCount"], walk
            return met
        assert len(cursors) == walk.size
        cursor = cursors[0 if walk.backward else -1]
        if between is not None:
            between()


def in_order(one: str, other: str) -> bool:
    """Whether a row stands before another by what their cursors say; nulls last, ties told apart."""
    (name, *ones), (same, *others) = (orjson.loads(urlsafe_b64decode(cursor)) for cursor in (one, other))
    assert name == same
    for term, a, b in zip(name.split(","), ones, others, strict=True):
        if a == b:
            continue
        if a is None or b is None:
            return b is None
        if isinstance(a, str) and term.endswith("_at"):
            a, b = datetime.fromisoformat(a), datetime.fromisoformat(b)  # noqa: PLW2901
        return bool(a > b if term.startswith("-") else a < b)
    return False


def test_every_connection_can_be_reached() -> None:
    assert {owner for owner, _ in connections()} <= {"Query", *PARENTS, *NODES}
    assert len(connections()) > 12


def test_every_row_of_any_connection_is_met_once_in_order(business_url: str) -> None:
    walked: set[tuple[str, str]] = set()
    rows = 0

    async def check(graph: Graph, walk: Walk) -> None:
        nonlocal rows
        met = await pages(graph, walk)
        assert all(in_order(one, other) for one, other in pairwise(met)), walk
        answer = await page(graph, walk, 100)
        assert met == [edge["cursor"] for edge in answer["edges"]], walk
        walked.add((walk.owner, walk.field))
        rows += len(met)

    for one in connections():
        for_each(business_url, walks([one]), check, examples=8)
    assert walked == {(owner, declared.name) for owner, declared in connections()}
    assert rows > 1_000


def test_rows_inserted_on_the_way_skip_and_double_none_that_were_there(database_url: str) -> None:
    found(database_url)
    nodes = [
        (owner, declared)
        for owner, declared in connections()
        if runner.registry.types[node_type(owner, declared.name)].prefix
        is not None  # a table of its own, a key to renew
    ]
    assert len(nodes) > 6
    inserted = 0

    async def check(graph: Graph, walk: Walk) -> None:
        target = runner.registry.types[node_type(walk.owner, walk.field)]
        table, key = sql.Identifier(str(target.table)), sql.Identifier(target.key[-1])
        # A third of the rows again, under keys of their own: before, between and behind, and equal in all but the key.
        again = sql.SQL(
            "INSERT INTO {table} SELECT (jsonb_populate_record(row, jsonb_build_object({name}, gen_random_uuid()))).*"
            " FROM {table} AS row WHERE random() < 0.3 AND NOT {key} = ANY (%(new)s) ON CONFLICT DO NOTHING RETURNING {key}"
        ).format(table=table, key=key, name=sql.Literal(target.key[-1]))
        new: list[Any] = []

        def insert() -> None:
            if len(new) < 60:
                new.extend(row[0] for row in connection.execute(again, {"new": new}))

        before = [edge["cursor"] for edge in (await page(graph, walk, 100))["edges"]]
        try:
            met = await pages(graph, walk, insert)
        finally:
            connection.execute(sql.SQL("DELETE FROM {} WHERE {} = ANY (%s)").format(table, key), (new,))
        assert len(met) == len(set(met)), walk
        assert [cursor for cursor in met if cursor in set(before)] == before, walk
        nonlocal inserted
        inserted += len(set(met) - set(before))

    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # append-only tables too
        for_each(database_url, walks(nodes), check, examples=60, number=1)
    assert inserted > 60
