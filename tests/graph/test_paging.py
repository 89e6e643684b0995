"""Walking any connection, in any order, with any page size, either way, meets each row once, in the same order."""

from typing import Any

import psycopg
import pytest

from tests.graph.business import id_of
from tests.graph.conftest import EVERYTHING, TODAY

WALKS = {
    "customers": ("customers", "", "{ id }"),
    "customers by a name that may be missing": ("customers", "orderBy: [{field: NAME}]", "{ id }"),
    "customers by name backwards, then by first seen": (
        "customers",
        "orderBy: [{field: NAME, direction: DESC}, {field: FIRST_SEEN_AT}]",
        "{ id }",
    ),
    "filtered orders by a date that may be missing": (
        "orders",
        'orderBy: [{field: PROMISED_ON, direction: DESC}], filter: {number: {contains: "SO-1"}}',
        "{ id }",
    ),
    "orders with equal times": ("orders", "", "{ id }"),
    "accounts": ("accounts", "orderBy: [{field: NUMBER, direction: DESC}]", "{ id }"),
}


async def _walk(graph: Any, root: str, arguments: str, fields: str, size: int, *, backward: bool) -> list[str]:
    names = (
        ("last", "before", "hasPreviousPage", "startCursor")
        if backward
        else ("first", "after", "hasNextPage", "endCursor")
    )
    how_many, where, more, cursor = names
    document = f"""query($cursor: String) {{ {root}({how_many}: {size}, {where}: $cursor, {arguments}) {{
        nodes {fields} edges {{ cursor node {fields} }} pageInfo {{ {more} {cursor} }} totalCount }} }}"""
    met: list[str] = []
    at = None
    while True:
        result = await graph.execute(document, {"cursor": at} if at else {}, EVERYTHING, today=TODAY)
        assert not result.errors, result.errors
        page = result.data[root]
        ids = [node["id"] for node in page["nodes"]]
        assert ids == [edge["node"]["id"] for edge in page["edges"]]
        assert len(ids) == min(size, page["totalCount"] - len(met))
        met = ids + met if backward else met + ids
        assert page["pageInfo"][more] is (len(met) < page["totalCount"])
        if not page["pageInfo"][more]:
            return met
        at = page["pageInfo"][cursor]
        assert at == page["edges"][0 if backward else -1]["cursor"]


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS.keys())
async def test_every_row_is_met_once_in_order_whatever_the_page_size_and_direction(
    graph: Any, walk: tuple[str, str, str]
) -> None:
    whole = await _walk(graph, *walk, 100, backward=False)
    assert len(whole) == len(set(whole)) > 10
    for size in (1, 7):
        assert await _walk(graph, *walk, size, backward=False) == whole
    assert await _walk(graph, *walk, 7, backward=True) == whole


async def test_a_row_inserted_before_the_cursor_moves_nothing_on_the_next_page(graph: Any, business_url: str) -> None:
    document = """query($after: String) {
        customers(first: 5, after: $after) { nodes { id } pageInfo { endCursor hasPreviousPage } } }"""
    first = await graph.execute(document, {}, EVERYTHING, today=TODAY)
    after = {"after": first.data["customers"]["pageInfo"]["endCursor"]}
    before = await graph.execute(document, after, EVERYTHING, today=TODAY)
    with psycopg.connect(business_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO customer (first_seen_at, last_seen_at) VALUES (now(), now() + interval '9 days')"
        )
        again = await graph.execute(document, after, EVERYTHING, today=TODAY)
        connection.execute("DELETE FROM customer WHERE last_seen_at > now()")
    assert again == before
    assert before.data["customers"]["pageInfo"]["hasPreviousPage"] is True
    assert first.data["customers"]["pageInfo"]["hasPreviousPage"] is False


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "abc",
        "%%%",
        "WyJuYW1lIiwgMV0",
        "W10",
        "eyJ9",
        "WyItbGFzdF9zZWVuX2F0LC1jdXN0b21lcl9pZCIsIDEsIDJd",
        "ł",
        "A" * 100_000,
    ],
)
async def test_a_forged_cursor_is_refused_by_name(graph: Any, cursor: str) -> None:
    document = "query($after: String) { customers(first: 5, after: $after) { nodes { id } } }"
    result = await graph.execute(document, {"after": cursor}, EVERYTHING, today=TODAY)
    assert result.errors[0]["extensions"]["code"] == "cursor_invalid"
    assert "Query.customers(after:)" in result.errors[0]["message"]
    assert result.statements == 0


async def test_a_cursor_of_another_order_is_refused(graph: Any) -> None:
    named = await graph.execute(
        "{ customers(first: 1, orderBy: [{field: NAME}]) { pageInfo { endCursor } } }", {}, EVERYTHING
    )
    cursor = named.data["customers"]["pageInfo"]["endCursor"]
    result = await graph.execute(f'{{ customers(after: "{cursor}") {{ nodes {{ id }} }} }}', {}, EVERYTHING)
    assert result.errors[0]["extensions"]["code"] == "cursor_invalid"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [("first: 101", "first"), ("first: -1", "first"), ("last: 101", "last"), ("first: 1, last: 1", "first")],
)
async def test_a_page_size_out_of_bounds_is_refused_by_name(graph: Any, arguments: str, named: str) -> None:
    result = await graph.execute(f"{{ customers({arguments}) {{ nodes {{ id }} }} }}", {}, EVERYTHING)
    assert result.errors[0]["extensions"]["code"] == "page_invalid"
    assert named in result.errors[0]["message"]
    assert result.statements == 0


async def test_an_empty_page_has_no_cursors_and_no_more(graph: Any) -> None:
    document = """query($id: ID!) { customer(id: $id) { orders {
        nodes { id } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }"""
    result = await graph.execute(document, {"id": id_of("cus", "0001", 1)}, EVERYTHING)
    assert result.data["customer"]["orders"] == {
        "nodes": [],
        "totalCount": 0,
        "pageInfo": {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None},
    }
