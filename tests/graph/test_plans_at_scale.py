"""What `docs/graphql.md` calls fast is: at a hundred thousand customers, whatever the value, from an index and few rows.

Each field and operator of the table is asked with values that are there once, often and not at all. The statement is the one
that the runner would send; PostgreSQL executes it in the runner's role, with a plan made for the values and with a plan made for
any values, and says how many rows of each table it looked at. An index walked to its end is no better than a table read to its
end, so the rows count.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from graphql import GraphQLInputObjectType, get_named_type
from psycopg import sql

from cdp.graph.plan import Execution, Plan
from cdp.schema import Graph, open_graph, schema
from cdp.schema.execution import runner
from tests.graph.business import id_of
from tests.graph.conftest import EVERYTHING, TODAY

SEED: Any = Path(__file__).with_name("crowd.sql").read_text(encoding="utf-8")
DOCUMENT = Path(__file__).parents[2] / "docs" / "graphql.md"
MOST_ROWS = 3_000  # looked at for a page of twenty, where the table has a hundred thousand or more
BIG = {"customer", "customer_identifier", "sales_order", "interaction", "ledger_entry", "account"}
ROOTS = {"customers": "Customer", "accounts": "Account", "orders": "Order"}

MANY = {"identifiers", "orders", "accounts"}
IDS = {"customers": ("cus", "0001"), "accounts": ("acc", "0004"), "orders": ("ord", "0005")}
VALUES: dict[str, list[str]] = {
    "customers.name": [
        '"Iiakdp Mlhibdk"',
        '"Iiakdp Mlh"',
        '"hibdk"',
        '"kdp"',
        '"ann"',
        '"AKDP MLHI"',
        '"no such name at all"',
        '"100%_of"',
    ],
    "customers.email": ['"c77@example.com"', '"nobody@example.com"'],
    "customers.phone": ['"+48600000300"', '"+1"'],
    "customers.identifiers.value": ['"c77@example.com"', '"u77777"', '"u77"', '"nobody"'],
    "customers.accounts.number": ['"K-77"', '"K-0"'],
    "customers.orders.number": ['"SO-777"', '"SO-0"'],
    "customers.firstSeenAt": ['"2024-01-01T12:00:00Z"', '"2025-06-01T00:00:00Z"', '"2030-01-01T00:00:00Z"'],
    "customers.lastSeenAt": ['"2026-01-01T12:00:00Z"', '"2026-03-01T00:00:00Z"', '"2030-01-01T00:00:00Z"'],
    "accounts.number": ['"K-777"', '"nothing"'],
    "accounts.name": ['"nothing"', '"kdp"', '"Gjeeipl"', '"Gjeeipll Ltd"'],
    "accounts.tier": ["KEY", "STANDARD"],
    "accounts.holder.id": [f'"{id_of("cus", "0001", 77 * 2)}"'],
    "orders.number": ['"SO-777"', '"nothing"'],
    "orders.purchaseOrder": ['"PO-800"', '"nothing"'],
    "orders.status": ["PLACED", "DELIVERED", "RETURNED", "CANCELLED"],
    "orders.placedAt": ['"2025-01-02T00:00:00Z"', '"2025-09-01T00:00:00Z"', '"2030-01-01T00:00:00Z"'],
    "orders.promisedOn": ['"2025-01-06"', '"2025-09-01"', '"2030-01-01"'],
    "orders.account.id": [f'"{id_of("acc", "0004", 77)}"'],
    "orders.account.number": ['"K-77"', '"nothing"'],
    "orders.customer.id": [f'"{id_of("cus", "0001", 77 * 2)}"'],
}


DIRECTIONS = {"ASC", "DESC"}


@dataclass(frozen=True, slots=True)
class Told:
    """What the document says of a field."""

    fast: list[str]
    in_own_order: list[str]
    slow: list[str]


def table() -> dict[str, Told]:
    """By the field's path."""
    head = re.escape("| field | fast | fast in the field's own order | reads all rows |\n|---|---|---|---|\n")
    found = re.search(rf"^{head}((?:\|.*\n)+)", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert found is not None
    rows = [[re.findall(r"`([^`]+)`", cell) for cell in row.split("|")[1:-1]] for row in found[1].splitlines()]
    assert len({path for [path], *_ in rows}) == len(rows)
    return {path: Told(*rest) for [path], *rest in rows}


def possible() -> dict[str, set[str]]:
    """Each field that rows of a root can be filtered or ordered by, by path → what can be done with it."""
    found: dict[str, set[str]] = {}
    for root, name in ROOTS.items():
        filters = schema._schema.type_map[f"{name}Filter"]
        assert isinstance(filters, GraphQLInputObjectType)
        for field, declared in filters.fields.items():
            kind = get_named_type(declared.type)
            if isinstance(kind, GraphQLInputObjectType) and "isNull" in kind.fields:
                found[f"{root}.{field}"] = set(kind.fields) - {"isNull"}
        for each in runner.registry.types[name].fields.values():
            if each.orders:
                found.setdefault(f"{root}.{each.name}", set()).update({"ASC", "DESC"})
    return found


def asked(path: str, operator: str, *, ordered: bool) -> Iterator[str]:
    """Arguments of a root field that filter by the field with this operator; by several values, one after another."""
    root, *steps = path.split(".")
    order = f", {_order(path, 'ASC')}" if ordered else ""
    if operator == "withinLast":
        values = ['"P1D"', '"P10Y"']
    else:
        values = VALUES.get(path) or [f'"{id_of(*IDS[root], 777)}"', f'"{id_of(*IDS[root], 99_999_999)}"']
    for value in values:
        condition = f"{{{operator}: {f'[{value}]' if operator == 'in' else value}}}"
        for step in reversed(steps):
            inner = f"{{some: {condition}}}" if step in MANY else condition
            condition = f"{{{step}: {inner}}}"
        yield f"filter: {condition}{order}"


def _order(path: str, direction: str) -> str:
    constant = re.sub(r"(?=[A-Z])", "_", path.rpartition(".")[2]).upper()
    return f"orderBy: [{{field: {constant}, direction: {direction}}}]"


def _page(root: str, arguments: str) -> str:
    return f"{{ {root}({arguments}) {{ nodes {{ id }} pageInfo {{ hasNextPage endCursor }} }} }}"


@pytest.fixture(scope="module")
def crowd_url(shared_database_url: str) -> str:
    with psycopg.connect(shared_database_url, autocommit=True) as connection:
        connection.execute(SEED)
        connection.execute("VACUUM ANALYZE")  # as autovacuum does some time after so many rows were written
    return shared_database_url


@pytest_asyncio.fixture
async def crowd(crowd_url: str) -> Any:
    async with open_graph(crowd_url, "cdp_app", max_connections=1) as opened:
        yield opened


@pytest.fixture(scope="module")
def explaining(crowd_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(crowd_url, autocommit=True) as connection:
        connection.execute("SET ROLE cdp_app; SET jit = off; SET max_parallel_workers_per_gather = 2")
        yield connection


async def plan_of(crowd: Graph, document: str) -> tuple[Plan, list[Any]]:
    """The plan that the runner made for a document of one root field, and its parameters."""
    runner.plans.clear()
    result = await crowd.execute(document, {}, EVERYTHING, today=TODAY)
    assert not result.errors, (document, result.errors)
    [plan] = runner.plans._plans.values()
    return plan, plan.parameters(Execution({}, EVERYTHING, TODAY))


def rows_read(explaining: psycopg.Connection[Any], plan: Plan, parameters: list[Any], mode: str) -> dict[str, float]:
    """Rows that executing looks at, by table; a sequential scan counts the table's whole size."""
    assert plan.sql is not None
    explaining.execute(sql.SQL("SET plan_cache_mode = {}").format(sql.Literal(mode)))
    explaining.execute(sql.SQL("PREPARE asked AS ") + sql.SQL(plan.sql))
    try:
        values = sql.SQL(", ").join(sql.Literal(value) for value in parameters)
        given = sql.SQL("({})").format(values) if parameters else sql.SQL("")
        found = explaining.execute(sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked") + given).fetchone()
    finally:
        explaining.execute("DEALLOCATE asked")
    assert found is not None
    read: dict[str, float] = {}

    def walk(node: dict[str, Any]) -> None:
        name = node.get("Relation Name")
        if name is not None:
            removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            rows = (node["Actual Rows"] + removed) * node["Actual Loops"]
            read[name] = read.get(name, 0) + (float("inf") if node["Node Type"] == "Seq Scan" else rows)
        elif node["Node Type"] == "Bitmap Index Scan":
            index = node["Index Name"]
            read[index] = node["Actual Rows"] * node["Actual Loops"]
        for child in node.get("Plans", ()):
            walk(child)

    walk(found[0][0]["Plan"])
    return read


async def looked_at(crowd: Graph, explaining: psycopg.Connection[Any], document: str) -> dict[tuple[str, str], float]:
    """Rows that executing the document looks at, by way of planning, of those that can come, and table or index."""
    plan, parameters = await plan_of(crowd, document)
    modes = ["force_custom_plan"] if plan.by_value else ["force_custom_plan", "force_generic_plan"]
    return {
        (mode, name): rows for mode in modes for name, rows in rows_read(explaining, plan, parameters, mode).items()
    }


def test_the_table_names_every_field_and_operator_of_the_roots_once() -> None:
    told = table()
    for path, operators in possible().items():
        row = told[path]
        named = [*row.fast, *row.in_own_order, *row.slow]
        assert len(named) == len(set(named)), path
        assert set(named) == operators, path
    below = {path for path in told if path.count(".") > 1}
    assert told.keys() - below == possible().keys()


@pytest.mark.parametrize("path", [path for path, told in table().items() if told.fast or told.in_own_order])
async def test_what_is_called_fast_looks_at_few_rows(
    crowd: Graph, explaining: psycopg.Connection[Any], path: str
) -> None:
    told, root = table()[path], path.partition(".")[0]
    arguments = [
        *(
            given
            for operator in told.fast
            if operator not in DIRECTIONS
            for given in asked(path, operator, ordered=False)
        ),
        *(given for operator in told.in_own_order for given in asked(path, operator, ordered=True)),
    ]
    for direction in DIRECTIONS & set(told.fast):
        order = _order(path, direction)
        arguments += [order, f"{order}, last: 20"]
        if not runner.registry.types[ROOTS[root]].fields[path.partition(".")[2]].nullable:
            middle = _page(root, f'{order}, filter: {{id: {{eq: "{id_of(*IDS[root], 9_999)}"}}}}')
            found = await crowd.execute(middle, {}, EVERYTHING, today=TODAY)
            assert found.data is not None
            cursor = found.data[root]["pageInfo"]["endCursor"]
            arguments += [f'{order}, after: "{cursor}"', f'{order}, before: "{cursor}", last: 20']
    assert arguments
    for given in arguments:
        found_rows = await looked_at(crowd, explaining, _page(root, given))
        assert found_rows, given
        assert {name: rows for name, rows in found_rows.items() if rows > MOST_ROWS} == {}, given


@pytest.mark.parametrize(
    "text",
    [
        "Iiakdp Mlhibdk",
        "hibdk",
        "kdp",
        "c77@example.com",
        "K-777",
        "SO-777",
        "PO-800",
        "no such name",
        "Ii",
        "zz",
        "100%_of",
    ],
)
async def test_searching_looks_at_few_rows(crowd: Graph, explaining: psycopg.Connection[Any], text: str) -> None:
    found = await looked_at(crowd, explaining, f'{{ search(text: "{text}") {{ __typename }} }}')
    assert found.keys()
    assert {name: rows for name, rows in found.items() if rows > MOST_ROWS} == {}


@pytest.mark.parametrize("text", ["K-", "SO-", "u1", "example"])
async def test_searching_for_what_very_many_have_ranks_some_of_them(
    crowd: Graph, explaining: psycopg.Connection[Any], text: str
) -> None:
    found = await looked_at(crowd, explaining, f'{{ search(text: "{text}") {{ __typename }} }}')
    assert {name: rows for (_, name), rows in found.items() if name in BIG and rows > MOST_ROWS} == {}


@pytest.mark.parametrize(
    "given",
    ['customers(filter: {email: {contains: "nobody"}})', 'orders(filter: {number: {startsWith: "nothing"}})',
     'accounts(filter: {legalName: {eq: "nothing"}})', "customers(orderBy: [{field: NAME, direction: DESC}])"],
)  # fmt: skip
async def test_what_is_called_slow_reads_all_rows(
    crowd: Graph, explaining: psycopg.Connection[Any], given: str
) -> None:
    found = await looked_at(crowd, explaining, f"{{ {given} {{ nodes {{ id }} }} }}")
    assert max(found.values()) > MOST_ROWS
