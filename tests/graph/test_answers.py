"""What the graph answers, and refuses: one statement a field, scopes by name, limits before any database work, merged ids."""

from typing import Any

import pytest

from cdp.access.viewer import Scope, Tool
from tests.graph.business import id_of
from tests.graph.conftest import EVERYTHING, TODAY

READER = Tool(client_id="reader", scopes=frozenset({Scope.GRAPH_READ}))


def _nested(depth: int) -> str:
    inner = "number"
    for _ in range(depth):
        inner = f"number account {{ orders(first: 2) {{ nodes {{ {inner} }} }} }}"
    return f"{{ orders(first: 2) {{ nodes {{ {inner} }} }} }}"


@pytest.mark.parametrize("depth", [0, 1, 3, 5])
async def test_a_connection_costs_one_statement_at_any_depth(graph: Any, depth: int) -> None:
    result = await graph.execute(_nested(depth), {}, EVERYTHING, today=TODAY)
    assert not result.errors
    assert result.statements == 1


async def test_every_connection_of_the_schema_costs_one_statement(graph: Any) -> None:
    page = "{ totalCount nodes { __typename } edges { cursor } pageInfo { hasNextPage } }"
    document = f"""query($id: ID!) {{ customer(id: $id) {{ identifiers {page} profiles {page} accounts {page} orders {page}
        interactions {page} contacts {page} organisations {page} }} }}"""
    result = await graph.execute(document, {"id": id_of("cus", "0001", 10)}, EVERYTHING, today=TODAY)
    assert not result.errors
    assert result.statements == 1
    assert {name: each["totalCount"] for name, each in result.data["customer"].items()} == {
        "identifiers": 2, "profiles": 1, "accounts": 1, "orders": 4, "interactions": 5, "contacts": 2, "organisations": 0,
    }  # fmt: skip


async def test_a_merged_id_leads_to_the_customer_it_became_part_of(graph: Any) -> None:
    for field in ("customer", "node"):
        result = await graph.execute(
            f"query($id: ID!) {{ {field}(id: $id) {{ id }} }}", {"id": id_of("cus", "0009", 1)}, EVERYTHING
        )
        assert result.data == {field: {"id": id_of("cus", "0001", 1)}}


@pytest.mark.parametrize(
    ("identifiers", "number"),
    [
        ([("email", "  C7@Example.COM ")], 7),
        ([("user_id", "u8")], 8),
        ([("email", "c9@example.com"), ("user_id", "u8")], 8),
        ([("email", "nobody@example.com"), ("anonymous_id", "x"), ("email", "c9@example.com")], 9),
        ([("email", "nobody@example.com")], None),
        ([("email", "not an address")], None),
        ([], None),
    ],
)
async def test_somebody_is_recognised_by_the_strongest_identifier_in_any_spelling(
    graph: Any, identifiers: list[tuple[str, str]], number: int | None
) -> None:
    document = "query($who: [IdentifierInput!]!) { recognise(identifiers: $who) { id } }"
    given = [{"namespace": namespace, "value": value} for namespace, value in identifiers]
    result = await graph.execute(document, {"who": given}, EVERYTHING)
    assert not result.errors
    assert result.data == {"recognise": {"id": id_of("cus", "0001", number)} if number else None}


async def test_a_field_without_its_scope_is_null_and_the_error_names_the_scope(graph: Any) -> None:
    document = "query($id: ID!) { customer(id: $id) { id kind name } }"
    result = await graph.execute(document, {"id": id_of("cus", "0001", 1)}, READER)
    assert result.data == {"customer": {"id": id_of("cus", "0001", 1), "kind": "PERSON", "name": None}}
    assert result.errors == [
        {
            "message": "Customer.name needs the scope graph:pii.",
            "locations": [{"line": 1, "column": 47}],
            "path": ["customer", "name"],
            "extensions": {"code": "scope_missing", "field": "Customer.name", "scope": "graph:pii"},
        }
    ]


async def test_a_non_null_field_without_its_scope_takes_the_nearest_nullable_parent(graph: Any) -> None:
    document = "query($id: ID!) { account(id: $id) { number balance { amount } } }"
    result = await graph.execute(document, {"id": id_of("acc", "0004", 10)}, READER)
    assert result.data == {"account": None}
    assert [error["path"] for error in result.errors] == [["account", "balance"]]
    assert result.statements == 0


async def test_a_plan_of_one_viewers_scopes_is_never_used_for_another(graph: Any) -> None:
    document = "query Same($id: ID!) { customer(id: $id) { name } }"
    variables = {"id": id_of("cus", "0001", 1)}
    for _ in range(2):
        everything = await graph.execute(document, variables, EVERYTHING)
        reader = await graph.execute(document, variables, READER)
        assert everything.data == {"customer": {"name": "Customer B"}}
        assert reader.data == {"customer": {"name": None}}


async def test_a_plan_serves_all_values_of_its_variables(graph: Any) -> None:
    document = """query Plan($id: ID!, $n: Int, $filter: OrderFilter) {
        customer(id: $id) { orders(first: $n, filter: $filter) { nodes { number } } } }"""
    asked: list[dict[str, Any]] = [
        {"id": id_of("cus", "0001", 2), "n": 2, "filter": {"status": {"in": ["PLACED"]}}},
        {"id": id_of("cus", "0001", 4), "n": 2, "filter": {"status": {"in": ["DELIVERED", "CANCELLED"]}}},
        {"id": id_of("cus", "0001", 4), "n": 1, "filter": None},
        {"id": id_of("cus", "0001", 4)},
        {"id": id_of("cus", "0001", 4), "filter": {"number": {"eq": "SO-4-1"}, "not": {"status": {"eq": "PLACED"}}}},
    ]
    answers = [
        (await graph.execute(document, variables, EVERYTHING, today=TODAY)).data["customer"]["orders"]["nodes"]
        for variables in asked
    ]
    numbers = [[node["number"] for node in nodes] for nodes in answers]
    assert numbers == [
        ["SO-2-4"],
        ["SO-4-3", "SO-4-2"],
        ["SO-4-4"],
        ["SO-4-4", "SO-4-3", "SO-4-2", "SO-4-1"],
        ["SO-4-1"],
    ]


async def test_a_statement_adds_up(graph: Any) -> None:
    document = """query($id: ID!) { account(id: $id) { balance { amount currency }
        statement(kind: BALANCE_FORWARD, from: "2026-04-01", to: "2026-06-30") {
            opening { amount } closing { amount } totalDebit { amount } totalCredit { amount }
            lines { nodes { documentNumber kind debit { amount } credit { amount } balance { amount } } }
            ageing { bucket amount { amount } } unappliedCredits { openAmount { amount } } } } }"""
    result = await graph.execute(document, {"id": id_of("acc", "0004", 12)}, EVERYTHING, today=TODAY)
    assert not result.errors
    statement = result.data["account"]["statement"]
    assert result.data["account"]["balance"] == {"amount": "850", "currency": "JPY"}
    assert (statement["opening"]["amount"], statement["closing"]["amount"]) == ("100", "850")
    assert (statement["totalDebit"]["amount"], statement["totalCredit"]["amount"]) == ("900", "150")
    assert [line["balance"]["amount"] for line in statement["lines"]["nodes"]] == ["300", "600", "450", "850"]
    assert [bucket["bucket"] for bucket in statement["ageing"]] == [
        "CURRENT",
        "DAYS_1_30",
        "DAYS_31_60",
        "DAYS_61_90",
        "OVER_90",
    ]


@pytest.mark.parametrize(
    ("document", "code", "part"),
    [
        ('{ customer(id: "nonsense") { id } }', "value_invalid", "Query.customer(id:)"),
        ('{ customer(id: "ord_00000000000570008000000000000001") { id } }', "value_invalid", "cus_"),
        ('{ node(id: "nonsense") { id } }', "value_invalid", "Query.node(id:)"),
        ("{ nothing }", "graphql_invalid", "nothing"),
        ("{ customers(first: 2) { nodes { nam } } }", "graphql_invalid", "Did you mean 'name'"),
        (
            '{ account(number: "K-1010") { statement(kind: OPEN_ITEM, to: "2026-02-31") { kind } } }',
            "graphql_invalid",
            "2026-02-31",
        ),
        ('{ account(number: "K-1010") { balance(currency: "XXX") { amount } } }', "value_invalid", "XXX"),
        (
            '{ account(number: "K-1010") { statement(kind: BALANCE_FORWARD, from: "2026-03-02", to: "2026-03-01") { kind } } }',
            "value_invalid",
            "Account.statement(from:) is not valid: 2026-03-02 comes after the last day, 2026-03-01.",
        ),
        ("{ customers(first: 2", "graphql_syntax", "Syntax Error"),
        ('{ customers(filter: {name: {eq: "\\u0000"}}) { totalCount } }', "value_invalid", "U+0000"),
    ],
)
async def test_what_was_asked_wrongly_is_named(graph: Any, document: str, code: str, part: str) -> None:
    result = await graph.execute(document, {}, EVERYTHING, today=TODAY)
    assert result.errors[0]["extensions"]["code"] == code
    assert part in result.errors[0]["message"]
    assert result.statements == 0


@pytest.mark.parametrize(
    ("document", "limit", "asked"),
    [
        (
            "{ customers(first: 100) { nodes { orders(first: 100) { nodes { lines(first: 100) { totalCount } } } } } }",
            "nodes",
            1_010_100,
        ),
        (_nested(11), "levels of nesting", 21),
        ("{ " + "a" * 64 + ": customers(first: 1) { nodes { " + "b" * 64 + ": id } } }", "characters in an alias", 64),
    ],
)
async def test_an_operation_past_a_limit_is_refused_with_the_limit_its_value_and_what_was_asked(
    graph: Any, document: str, limit: str, asked: int
) -> None:
    result = await graph.execute(document, {}, EVERYTHING)
    [error] = result.errors[:1]
    assert error["extensions"]["code"] == "limit_exceeded"
    assert (error["extensions"]["limit"], error["extensions"]["asked"]) == (limit, asked)
    assert str(error["extensions"]["most"]) in error["message"]
    assert result.statements == 0


async def test_tokens_and_root_fields_are_bounded_before_validation(graph: Any) -> None:
    many = "{ " + " ".join(f"a{number}: viewer {{ kind }}" for number in range(150)) + " }"
    assert "150 fields at its root" in (await graph.execute(many, {}, EVERYTHING)).errors[0]["message"]
    long = "{ " + " viewer { kind }" * 4000 + " }"
    assert "tokens" in (await graph.execute(long, {}, EVERYTHING)).errors[0]["message"]


async def test_nodes_of_types_that_are_closed_to_the_viewer_are_not_there(graph: Any) -> None:
    """Selecting `id` of whatever it is needs no scope of types that weren't asked for, and tells nothing of those that were."""
    customer, somebody = id_of("cus", "0001", 3), id_of("mem", "0008", 1)
    document = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
    reader = Tool(client_id="reader", scopes=frozenset({Scope.GRAPH_READ, Scope.GRAPH_PII}))
    found = await graph.execute(document, {"ids": [somebody, customer]}, reader, today=TODAY)
    assert found.errors == []
    assert found.data == {"nodes": [None, {"__typename": "Customer", "id": customer}]}
    nobody = Tool(client_id="pii", scopes=frozenset({Scope.GRAPH_PII}))
    narrow = await graph.execute(document, {"ids": [customer]}, nobody, today=TODAY)
    assert (narrow.data, narrow.errors) == ({"nodes": [None]}, [])
