"""The contract: everything described, the names that were promised, ids and pages in one shape, and the committed SDL."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
    is_non_null_type,
    is_specified_scalar_type,
)

from cdp.schema import print_contract
from cdp.schema.execution import schema as served

ROOT = Path(__file__).parents[2]
CONTRACT = build_schema(print_contract())
TYPES = {name: kind for name, kind in CONTRACT.type_map.items() if not name.startswith("__")}

# The core that programs outside were promised; it grows, and nothing in it is renamed without a decision record.
PAGED = "first: Int, after: String, last: Int, before: String"
PROMISED: dict[str, dict[str, str]] = {
    "Query": {
        "node(id: ID!)": "Node",
        "viewer": "Viewer!",
        "customer(id: ID!)": "Customer",
        f"customers(filter: CustomerFilter, orderBy: [CustomerOrder!], {PAGED})": "CustomerConnection!",
        "recognise(identifiers: [IdentifierInput!]!)": "Customer",
        "account(id: ID, number: String)": "Account",
        f"accounts(filter: AccountFilter, orderBy: [AccountOrder!], {PAGED})": "AccountConnection!",
        "order(id: ID, number: String)": "Order",
        f"orders(filter: OrderFilter, orderBy: [OrderOrder!], {PAGED})": "OrderConnection!",
    },
    "Customer": {
        "id": "ID!",
        "kind": "CustomerKind!",
        "name": "String",
        "email": "String",
        "phone": "String",
        "traits": "JSON!",
        "firstSeenAt": "DateTime!",
        "lastSeenAt": "DateTime!",
        f"identifiers(namespace: String, filter: IdentifierFilter, {PAGED})": "IdentifierConnection!",
        "profiles": "ProfileConnection!",
        "accounts": "AccountConnection!",
        f"orders(filter: OrderFilter, orderBy: [OrderOrder!], {PAGED})": "OrderConnection!",
        "interactions": "InteractionConnection!",
        "contacts": "AffiliationConnection!",
        "organisations": "AffiliationConnection!",
    },
    "Identifier": {
        "namespace": "String!",
        "value": "String!",
        "verified": "Boolean!",
        "source": "Source!",
        "firstSeenAt": "DateTime!",
        "lastSeenAt": "DateTime!",
    },
    "Profile": {"source": "Source!", "externalId": "String!", "traits": "JSON!"},
    "Account": {
        "id": "ID!",
        "number": "String!",
        "name": "String!",
        "tier": "AccountTier!",
        "currency": "Currency!",
        "holder": "Customer!",
        "balance": "Money!",
        "creditLimit": "Money",
        "paymentTermsDays": "Int",
        "manager": "Staff",
        "orders": "OrderConnection!",
        "ledger": "LedgerEntryConnection!",
        "statement(kind: StatementKind!, from: Date, to: Date!, currency: Currency, ageingEdges: [Int!])": "Statement!",
    },
    "Order": {
        "id": "ID!",
        "number": "String!",
        "status": "OrderStatus!",
        "placedAt": "DateTime!",
        "total": "Money!",
        "account": "Account!",
        "customer": "Customer!",
        "contact": "Customer",
        "lines": "OrderLineConnection!",
        "shipments": "[Shipment!]!",
        "timeline": "[OrderEvent!]!",
    },
    "Money": {"amount": "Decimal!", "currency": "Currency!"},
    "Mutation": {
        "customerMerge(input: CustomerMergeInput!)": "CustomerMergePayload",
        "customerUnmerge(input: CustomerUnmergeInput!)": "CustomerUnmergePayload",
    },
    "CustomerMergePayload": {
        "customer": "Customer",
        "merge": "Merge",
        "preview": "MergePreview",
        "userErrors": "[UserError!]!",
    },
    "CustomerUnmergePayload": {"customers": "[Customer!]!", "userErrors": "[UserError!]!"},
}


def described(contract: GraphQLSchema) -> Iterator[tuple[str, str | None]]:
    for name, kind in contract.type_map.items():
        if name.startswith("__"):
            continue
        if not is_specified_scalar_type(kind):
            yield name, kind.description
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field, declared in kind.fields.items():
                yield f"{name}.{field}", declared.description
                yield from ((f"{name}.{field}({given}:)", each.description) for given, each in declared.args.items())
        elif isinstance(kind, GraphQLInputObjectType):
            yield from ((f"{name}.{field}", each.description) for field, each in kind.fields.items())
        elif isinstance(kind, GraphQLEnumType):
            yield from ((f"{name}.{value}", each.description) for value, each in kind.values.items())


def objects() -> dict[str, GraphQLObjectType]:
    return {name: kind for name, kind in TYPES.items() if isinstance(kind, GraphQLObjectType)}


def test_everything_is_described_in_a_sentence() -> None:
    told = dict(described(CONTRACT))
    assert len(told) > 600
    assert [name for name, text in told.items() if not text or len(text) < 4] == []
    ours = {name: text for name, text in told.items() if not isinstance(TYPES.get(name), GraphQLScalarType)}
    assert [name for name, text in ours.items() if not str(text).endswith((".", "?", "…"))] == []


def test_a_description_that_is_missing_is_found() -> None:
    bare = build_schema(
        "type Query { a(b: C, d: E): Int } enum C { X } input E { f: Int } scalar S interface I { g: Int }"
    )
    missing = {name for name, text in described(bare) if text is None}
    assert missing == {"Query", "Query.a", "Query.a(b:)", "Query.a(d:)", "C", "C.X", "E", "E.f", "S", "I", "I.g"}


def test_the_committed_contract_is_what_is_served() -> None:
    committed = (ROOT / "schema.graphql").read_text(encoding="utf-8")
    assert committed == print_contract().rstrip("\n") + "\n", "`make schema` writes schema.graphql; commit it"


@pytest.mark.parametrize("owner", PROMISED)
def test_the_promised_names_exist(owner: str) -> None:
    fields = objects()[owner].fields
    for asked, kind in PROMISED[owner].items():
        name, _, arguments = asked.partition("(")
        assert str(fields[name].type) == kind, f"{owner}.{name}"
        if arguments:
            given = ", ".join(f"{argument}: {each.type}" for argument, each in fields[name].args.items())
            assert given == arguments.removesuffix(")"), f"{owner}.{name}"


def test_every_node_has_a_typed_id_and_every_typed_id_a_node() -> None:
    nodes = {name for name, kind in objects().items() if "Node" in {each.name for each in kind.interfaces}}
    assert {"Customer", "Account", "Order", "Profile", "Interaction", "Shipment", "LedgerEntry"} <= nodes
    prefixes = {}
    for name in nodes:
        field = objects()[name].fields["id"]
        assert str(field.type) == "ID!"
        prefixes[name] = str(field.description).rpartition(" ")[2]
        assert prefixes[name].endswith("_."), name
    assert len(set(prefixes.values())) == len(prefixes)


@pytest.mark.parametrize("name", sorted(name for name in TYPES if name.endswith("Connection")))
def test_a_connection_has_the_relay_shape(name: str) -> None:
    node = name.removesuffix("Connection")
    connection, edge = objects()[name].fields, objects()[f"{node}Edge"].fields
    assert {field: str(each.type) for field, each in connection.items()} == {
        "edges": f"[{node}Edge!]!",
        "nodes": f"[{node}!]!",
        "pageInfo": "PageInfo!",
        "totalCount": "Int!",
    }
    assert {field: str(each.type) for field, each in edge.items()} == {"cursor": "String!", "node": f"{node}!"}


def test_every_page_takes_keyset_arguments_and_says_its_bounds() -> None:
    pages = [
        (f"{name}.{field}", each)
        for name, kind in objects().items()
        for field, each in kind.fields.items()
        if str(each.type).endswith("Connection!")
    ]
    assert len(pages) >= 13
    for name, each in pages:
        taken = {argument: str(declared.type) for argument, declared in each.args.items()}
        assert taken.items() >= {"first": "Int", "after": "String", "last": "Int", "before": "String"}.items(), name
        assert "100" in str(each.args["first"].description), name


def test_page_info_is_relays() -> None:
    assert {field: str(each.type) for field, each in objects()["PageInfo"].fields.items()} == {
        "hasNextPage": "Boolean!",
        "hasPreviousPage": "Boolean!",
        "startCursor": "String",
        "endCursor": "String",
    }


def test_nothing_that_is_asked_for_must_be_given_but_what_cannot_be_guessed() -> None:
    required = {
        f"{name}.{field}({argument}:)"
        for name, kind in objects().items()
        for field, each in kind.fields.items()
        for argument, declared in each.args.items()
        if is_non_null_type(declared.type) and (name, argument) != ("Mutation", "input")
    }
    assert required == {
        "Query.node(id:)",
        "Query.oauthClient(clientId:)",
        "Query.nodes(ids:)",
        "Query.search(text:)",
        "OrderSummary.groups(by:)",
        "InteractionSummary.groups(by:)",
        "Query.customer(id:)",
        "Query.recognise(identifiers:)",
        "Query.webhookDelivery(id:)",
        "Query.webhookEndpoint(id:)",
        "Query.whyLinked(a:)",
        "Query.whyLinked(b:)",
        "Account.statement(kind:)",
        "Account.statement(to:)",
    }
    for field, each in objects()["Mutation"].fields.items():
        assert list(each.args) == ["input"], field


def test_an_enums_name_is_its_stored_text_in_capitals() -> None:
    buckets_and_fields = ("AgeingBucketName", "OrderField")
    for name, kind in served._schema.type_map.items():
        if isinstance(kind, GraphQLEnumType) and not name.startswith("__") and not name.endswith(buckets_and_fields):
            stored: dict[str, Any] = {value: each.value for value, each in kind.values.items()}
            assert {value: value.lower() for value in stored} == stored, name
