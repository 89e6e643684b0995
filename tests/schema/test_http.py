"""GraphQL over HTTP against the served application: media types, methods, bodies, who may ask, and what comes of abuse."""

import time
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from graphql import build_client_schema, get_introspection_query

from cdp.access.people import create_client
from cdp.access.viewer import Scope
from cdp.db.engine import connect
from cdp.schema.negotiation import preferred
from tests.graph.business import id_of
from tests.schema.conftest import GRAPHQL_RESPONSE, Door

JSON = "application/json"
ASKING = "{ viewer { kind } }"
ANSWER = {"data": {"viewer": {"kind": "tool"}}}
INTERNAL = ("Traceback", "psycopg", 'File "', "SELECT", "sqlalchemy", "graphql.error", ".py", "internal")


def media_type(answer: httpx2.Response) -> str:
    found: str = answer.headers["content-type"]
    return found


def error_of(answer: httpx2.Response) -> dict[str, Any]:
    [error] = answer.json()["errors"]
    found: dict[str, Any] = error
    return found


def nothing_internal(answer: httpx2.Response) -> None:
    assert answer.status_code < 500, answer.text
    assert [word for word in INTERNAL if word in answer.text] == []


# -- media types (GraphQL over HTTP §5.2, §6) ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        ("", GRAPHQL_RESPONSE),
        ("*/*", GRAPHQL_RESPONSE),
        ("application/*", GRAPHQL_RESPONSE),
        (GRAPHQL_RESPONSE, GRAPHQL_RESPONSE),
        (f"{GRAPHQL_RESPONSE}; charset=utf-8, {JSON}; charset=utf-8", GRAPHQL_RESPONSE),
        (JSON, JSON),
        (f"{JSON}, {GRAPHQL_RESPONSE}", GRAPHQL_RESPONSE),
        (f"{GRAPHQL_RESPONSE};q=0.4, {JSON};q=0.9", JSON),
        (f"{GRAPHQL_RESPONSE};q=0, */*", JSON),
        (f"text/html, {JSON};q=0.1", JSON),
        ("APPLICATION/JSON", JSON),
    ],
)
def test_the_answer_is_what_the_caller_likes_best(door: Door, accept: str, answered: str) -> None:
    answer = door.post({"query": ASKING}, accept=accept)
    assert (answer.status_code, media_type(answer)) == (200, f"{answered}; charset=utf-8")
    assert answer.json() == ANSWER
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "accept", ["text/html", "image/png, text/*", f"{JSON};q=0", "*/*;q=0", "application/xml", "nonsense", ";;;"]
)
def test_what_cannot_be_answered_is_not_acceptable(door: Door, accept: str) -> None:
    answer = door.post({"query": ASKING}, accept=accept)
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert error_of(answer)["message"] == "This address answers application/graphql-response+json or application/json."


@pytest.mark.parametrize(
    ("accept", "offers", "chosen"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", ["a/b", "text/html"], "text/html"),
        ("*/*", ["a/b", "text/html"], "a/b"),
        ("a/*;q=0.5, a/b;q=0.1, */*;q=0.3", ["a/b", "a/c", "d/e"], "a/c"),
        ("a/b;q=banana", ["a/b"], None),
        ("a/b;q=2", ["a/b"], None),
        ("a/b;q=nan", ["a/b"], None),
        (" , ", ["a/b"], None),
    ],
)
def test_negotiation(accept: str, offers: list[str], chosen: str | None) -> None:
    assert preferred(accept, offers) == chosen


@pytest.mark.parametrize(("accept", "status"), [(GRAPHQL_RESPONSE, 400), (JSON, 200)])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"query": "{ viewer { kind "}, "graphql_syntax"),
        ({"query": "{ viewer { shoeSize } }"}, "graphql_invalid"),
        ({"query": "query($n: Int!) { orders(first: $n) { totalCount } }", "variables": {"n": "x"}}, "graphql_invalid"),
        ({"query": "query A { viewer { kind } } query B { viewer { kind } }"}, "graphql_invalid"),
        ({"query": "{ viewer { " + "kind " * 2000 + "} }"}, "limit_exceeded"),
    ],
)
def test_a_request_that_cannot_be_executed_is_400_under_graphqls_own_media_type(
    door: Door, body: Mapping[str, Any], code: str, accept: str, status: int
) -> None:
    answer = door.post(body, accept=accept)
    assert answer.status_code == status
    assert "data" not in answer.json()
    assert error_of(answer)["extensions"]["code"] == code


@pytest.mark.parametrize("accept", [GRAPHQL_RESPONSE, JSON])
def test_what_was_executed_is_200_even_with_errors(door: Door, accept: str) -> None:
    answer = door.post({"query": '{ customer(id: "nobody") { id } }'}, accept=accept)
    assert answer.status_code == 200
    assert answer.json()["data"] == {"customer": None}
    assert error_of(answer)["path"] == ["customer"]


# -- methods and bodies --------------------------------------------------------------------------------------------------------


def test_get_asks_with_variables_and_a_name(door: Door) -> None:
    answer = door.get(
        query="query A($n: Int) { orders(first: $n) { nodes { __typename } } } query B { viewer { kind } }",
        variables='{"n": 1}',
        operationName="A",
    )
    assert (answer.status_code, answer.json()) == (200, {"data": {"orders": {"nodes": [{"__typename": "Order"}]}}})


def test_a_query_by_get_is_answered_with_json_to_a_browser_too(door: Door) -> None:
    answer = door.get(query=ASKING, accept="text/html, */*;q=0.1")
    assert media_type(answer).startswith(GRAPHQL_RESPONSE)


@pytest.mark.parametrize(
    "document", ["mutation { customerMerge { id } }", "query A { viewer { kind } } mutation B { x }"]
)
def test_get_is_for_queries_only(door: Door, document: str) -> None:
    answer = door.get(query=document, operationName="B" if "B" in document else "")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["code"] == "only_queries"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(door: Door, method: str) -> None:
    answer = door.http.request(method, "/graphql")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= {name.strip() for name in answer.headers["allow"].split(",")}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "The body is not JSON: "),
        (b"", "The body is not JSON: "),
        (b'{"query": "\xff"}', "The body is not JSON: "),
        (b'{"query": "{viewer{kind}}", "variables": ' + b"[" * 5000 + b"]" * 5000 + b"}", "The body is not JSON: "),
        (b"[]", "The body must be one JSON object; batches are not served."),
        (b'[{"query": "{viewer{kind}}"}, {"query": "{viewer{kind}}"}]', "The body must be one JSON object; batches "),
        (b'"{viewer{kind}}"', "The body must be one JSON object"),
        (b"{}", "query must be a GraphQL document."),
        (b'{"query": 7}', "query must be a GraphQL document."),
        (b'{"query": "  "}', "query must be a GraphQL document."),
        (b'{"query": "{viewer{kind}}", "variables": []}', "variables must be an object."),
        (b'{"query": "{viewer{kind}}", "variables": "{}"}', "variables must be an object."),
        (b'{"query": "{viewer{kind}}", "operationName": 1}', "operationName must be a text."),
        (b'{"query": "{viewer{kind}}", "extensions": 1}', "extensions must be an object."),
        (b'{"query": "query A {viewer{kind}}", "operationName": "B"}', "operationName must name one of the document's"),
        (b'{"query": "fragment F on Query {viewer{kind}}"}', "operationName must name one of the document's"),
        (b'{"query": "subscription {x}"}', "Subscriptions are not served here."),
    ],
)
def test_a_malformed_request_is_told_what_is_wrong(door: Door, body: bytes, message: str) -> None:
    answer = door.post(body)
    assert (answer.status_code, answer.json()["code"]) == (400, "request_malformed")
    assert error_of(answer)["message"].startswith(message)
    nothing_internal(answer)


@pytest.mark.parametrize(("name", "value"), [("variables", "{"), ("variables", "[]"), ("extensions", "7")])
def test_a_malformed_parameter_is_named(door: Door, name: str, value: str) -> None:
    answer = door.get(query=ASKING, **{name: value})
    assert answer.status_code == 400
    assert name in error_of(answer)["message"]


def test_a_get_without_query_is_malformed(door: Door) -> None:
    answer = door.get()
    assert (answer.status_code, error_of(answer)["message"]) == (400, "query must be a GraphQL document.")


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/graphql",
        "",
        "application/json; charset=latin-1",
    ],
)
def test_another_content_type_is_unsupported(door: Door, content_type: str) -> None:
    answer = door.post(b'{"query": "{viewer{kind}}"}', content_type=content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json; charset=UTF-8", "APPLICATION/JSON"])
def test_a_content_type_is_read_as_its_standard_says(door: Door, content_type: str) -> None:
    assert door.post(b'{"query": "{viewer{kind}}"}', content_type=content_type).json() == ANSWER


def test_an_oversized_body_is_refused(door: Door) -> None:
    answer = door.ask(ASKING, variables={"x": "x" * 300_000})
    assert (answer.status_code, answer.json()["code"], answer.json()["limit_bytes"]) == (413, "too_large", 262_144)


# -- who asks ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        (None, "Bearer"),
        ("Basic abc", "Bearer"),
        ("Bearer not-a-token", 'Bearer error="invalid_token"'),
        ("Bearer {token}x", 'Bearer error="invalid_token"'),
    ],
)
def test_without_a_good_token_nobody_is_answered(door: Door, authorization: str | None, challenge: str) -> None:
    headers = {} if authorization is None else {"authorization": authorization.format(token=door.token)}
    answer = door.http.post("/graphql", json={"query": ASKING}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith(challenge)
    assert answer.json()["code"] in {"token_missing", "token_invalid"}
    nothing_internal(answer)


def test_a_token_in_the_address_is_not_read(door: Door) -> None:
    answer = door.http.get("/graphql", params={"query": ASKING, "access_token": door.token})
    assert answer.status_code == 401


def test_a_field_beyond_the_tokens_scopes_is_named_and_the_rest_answered(door: Door) -> None:
    answer = door.ask(
        '{ account(number: "K-1010") { number creditLimit { amount } } }', token=door.token_of(door.narrow)
    )
    assert answer.status_code == 200
    assert answer.json()["data"] == {"account": {"number": "K-1010", "creditLimit": None}}
    error = error_of(answer)
    assert error["message"] == "Account.creditLimit needs the scope ledger:read."
    assert error["path"] == ["account", "creditLimit"]
    assert error["extensions"] == {"code": "scope_missing", "field": "Account.creditLimit", "scope": "ledger:read"}


def test_a_disabled_client_is_turned_away(door: Door, shared_database_url: str) -> None:
    with connect(shared_database_url, "cdp_app") as connection:
        made = create_client(connection, name="Leaver", scopes=[Scope.GRAPH_READ])
    token = door.token_of(made)
    assert door.ask(ASKING, token=token).status_code == 200
    with connect(shared_database_url) as connection:
        connection.execute("UPDATE oauth_client SET disabled_at = now() WHERE client_id = %s", (made.client_id,))
    time.sleep(2.2)  # refusals are read every two seconds
    assert door.ask(ASKING, token=token).status_code == 401


# -- bad input -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "variables", "code", "message"),
    [
        (
            "{ customers { nodes { shoeSize } } }",
            {},
            "graphql_invalid",
            "Cannot query field 'shoeSize' on type 'Customer'",
        ),
        ('{ customers(after: "abc") { totalCount nodes { id } } }', {}, "cursor_invalid", "Query.customers(after:)"),
        (
            '{ customer(id: "cus_zz") { id } }',
            {},
            "value_invalid",
            "Query.customer(id:) is not valid: an id of this type",
        ),
        ('{ customer(id: "") { id } }', {}, "value_invalid", "Query.customer(id:)"),
        (f'{{ customer(id: "{id_of("acc", "0004", 2)}") {{ id }} }}', {}, "value_invalid", "looks like cus_"),
        ('{ node(id: "xyz_00000000000170008000000000000027") { id } }', {}, "value_invalid", "Query.node(id:)"),
        ("{ customers(first: 101) { totalCount } }", {}, "page_invalid", "must be between 0 and 100"),
        ("{ customers(first: -1) { totalCount } }", {}, "page_invalid", "must be between 0 and 100"),
        ("{ customers(first: 1, last: 1) { totalCount } }", {}, "page_invalid", "first and last exclude each other"),
        ("query($n: Int) { customers(first: $n) { totalCount } }", {"n": 1.5}, "graphql_invalid", "'$n'"),
        ("query($n: Int) { customers(first: $n) { totalCount } }", {"n": 2**31}, "graphql_invalid", "'$n'"),
        ("query($n: Int!) { customers(first: $n) { totalCount } }", {}, "graphql_invalid", "'$n'"),
        (
            'query($to: Date!) { account(number: "K-1010") { statement(kind: OPEN_ITEM, to: $to) { currency } } }',
            {"to": "2026-02-31"},
            "graphql_invalid",
            "'$to' has invalid value: Value cannot represent a Date: \"2026-02-31\"",
        ),
        (
            '{ account(number: "K-1010") { statement(kind: SIDEWAYS, to: "2026-01-31") { currency } } }',
            {},
            "graphql_invalid",
            "Value 'SIDEWAYS' does not exist in 'StatementKind' enum",
        ),
        (
            '{ account(number: "K-1010") { balance(currency: "ZZZ") { amount } } }',
            {},
            "value_invalid",
            "'ZZZ' is not an",
        ),
        (
            "query($f: CustomerFilter) { customers(filter: $f) { totalCount } }",
            {"f": {"shoeSize": {"eq": 43}}},
            "graphql_invalid",
            "'$f' has invalid value",
        ),
        (
            "query($t: String) { customers(filter: {name: {eq: $t}}) { totalCount } }",
            {"t": "a\0b"},
            "value_invalid",
            "U+0000",
        ),
        (
            "query($k: [IdentifierInput!]!) { recognise(identifiers: $k) { id } }",
            {"k": [{"namespace": "e\0mail", "value": "b"}]},
            "value_invalid",
            "is not valid",
        ),
        (
            "query($k: [IdentifierInput!]!) { recognise(identifiers: $k) { id } }",
            {"k": [{"namespace": "email", "value": "x"}] * 1001},
            "limit_exceeded",
            "1001 values",
        ),
    ],
)
def test_bad_input_is_named_and_never_a_failure_of_ours(
    door: Door, document: str, variables: dict[str, Any], code: str, message: str
) -> None:
    answer = door.ask(document, variables=variables)
    nothing_internal(answer)
    error = answer.json()["errors"][0]
    assert error["extensions"]["code"] == code
    assert message in error["message"]


# -- abuse ---------------------------------------------------------------------------------------------------------------------


def doubling(depth: int) -> str:
    """Fragments each of which spreads the next twice: 2^depth fields when written out."""
    links = (
        f"fragment f{n} on Customer {{ a: accounts {{ nodes {{ holder {{ ...f{n + 1} }} }} }}"
        f" b: accounts {{ nodes {{ holder {{ ...f{n + 1} }} }} }} }}"
        for n in range(depth)
    )
    return f"{{ customers {{ nodes {{ ...f0 }} }} }} {' '.join(links)} fragment f{depth} on Customer {{ id }}"


def chain(links: int) -> str:
    """Fragments each of which spreads the next a level further down."""
    told = (f"fragment f{n} on Account {{ holder {{ accounts {{ nodes {{ ...f{n + 1} }} }} }} }}" for n in range(links))
    return f"{{ accounts {{ nodes {{ ...f0 }} }} }} {' '.join(told)} fragment f{links} on Account {{ id }}"


def nested_filter(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(depth):
        found = {"not": found}
    return found


def nested_relations(depth: int) -> dict[str, Any]:
    """Without a bound, twenty of these keep PostgreSQL's planner busy until it's stopped."""
    found: dict[str, Any] = {}
    for _ in range(depth):
        found = {"orders": {"none": {"account": found, "lines": {"count": {"gt": 0}}}}}
    return found


FILTERED = "query($f: CustomerFilter) { customers(filter: $f) { totalCount } }"
ABUSE: Mapping[str, tuple[str, dict[str, Any], str, str]] = {
    "deep fields": ("{" + "a{" * 600 + "a" + "}" * 600 + "}", {}, "graphql_syntax", "nested too deeply"),
    "deep values": (
        "{customers(filter:" + "{not:" * 480 + "{}" + "}" * 480 + "){totalCount}}",
        {},
        "graphql_syntax",
        "deep",
    ),
    "deep lists": (
        "{customers(filter:{and:" + "[" * 980 + "]" * 980 + "}){totalCount}}",
        {},
        "graphql_syntax",
        "deep",
    ),
    "deep variables": (FILTERED, {"f": nested_filter(900)}, "graphql_invalid", "Variable values are nested too deeply"),
    "filters in filters": (
        FILTERED,
        {"f": nested_filter(150)},
        "limit_exceeded",
        "filters within one another; at most 12",
    ),
    "relations of relations": (
        "query($f: AccountFilter) { accounts(filter: $f) { totalCount } }",
        {"f": nested_relations(20)},
        "limit_exceeded",
        "13 filters within one another; at most 12",
    ),
    "many conditions": (
        FILTERED,
        {"f": {"or": [{"kind": {"eq": "PERSON"}}] * 300}},
        "limit_exceeded",
        "201 conditions; at most 200",
    ),
    "many empty filters": (FILTERED, {"f": {"and": [{}] * 5000}}, "limit_exceeded", "1001 filters; at most 1000"),
    "deep edges": (
        "{orders{nodes" + "{account{orders(first:1){nodes" * 12 + "{id}" + "}}}" * 12 + "}}",
        {},
        "limit_exceeded",
        "levels of nesting; at most 20",
    ),
    "many fields": ("{viewer{" + "kind " * 900 + "}}", {}, "limit_exceeded", "901 fields; at most 400"),
    "one field with fields, repeated": ("{" + "viewer{kind}" * 400 + "}", {}, "limit_exceeded", "800 fields"),
    "many aliases": (
        "{viewer{" + " ".join(f"a{n}:kind" for n in range(201)) + "}}",
        {},
        "limit_exceeded",
        "201 aliases; at most 200",
    ),
    "aliases in fragments": (
        "{" + "...f " * 4 + "} fragment f on Query{viewer{" + " ".join(f"a{n}:kind" for n in range(60)) + "}}",
        {},
        "limit_exceeded",
        "240 aliases; at most 200",
    ),
    "many root fields": (
        "{" + " ".join(f"a{n}:customers{{totalCount}}" for n in range(101)) + "}",
        {},
        "limit_exceeded",
        "101 fields at its root; at most 100",
    ),
    "too many tokens": ("{" + "viewer{kind}" * 2600 + "}", {}, "limit_exceeded", "10402 tokens; at most 2000"),
    "a long document": ("#" * 70_000 + ASKING, {}, "limit_exceeded", "70019 bytes in its document; at most 32768"),
    "doubling fragments": (doubling(30), {}, "limit_exceeded", "1000000000 fields"),
    "a chain of fragments": (chain(60), {}, "limit_exceeded", "levels of fields; at most 100"),
    "a fragment within itself": (
        "{...a} fragment a on Query{viewer{kind} ...b} fragment b on Query{...a}",
        {},
        "graphql_invalid",
        "Cannot spread fragment 'a' within itself",
    ),
    "many fragments": (
        "{viewer{kind}}" + " ".join(f"fragment f{n} on Query{{viewer}}" for n in range(205)),
        {},
        "limit_exceeded",
        "205 fragments; at most 200",
    ),
    "many nodes": (
        "{customers(first:100){nodes{orders(first:100){nodes{lines(first:100){nodes{name}}}}}}}",
        {},
        "limit_exceeded",
        "nodes; at most 100000",
    ),
    "many nodes over several roots": (
        "{"
        + " ".join(f"a{n}:customers(first:100){{nodes{{orders(first:100){{nodes{{id}}}}}}}}" for n in range(10))
        + "}",
        {},
        "limit_exceeded",
        "101000 nodes; at most 100000",
    ),
    "many directives": ("{viewer{kind " + "@skip(if:false)" * 280 + "}}", {}, "graphql_invalid", "directive"),
    "many variables": (
        "query(" + " ".join(f"$v{n}:Int" for n in range(490)) + "){viewer{kind}}",
        {},
        "graphql_invalid",
        "never used",
    ),
    "many values": (
        "query($f:[String!]){customers(filter:{name:{in:$f}}){totalCount}}",
        {"f": ["x"] * 20_000},
        "limit_exceeded",
        "20000 values",
    ),
    "unknown fields": (
        "{" + " ".join(f"nothing{n}" for n in range(99)) + "}",
        {},
        "graphql_invalid",
        "Cannot query field 'nothing0'",
    ),
}


@pytest.mark.parametrize(("document", "variables", "code", "message"), ABUSE.values(), ids=ABUSE.keys())
def test_abuse_is_refused_at_once(
    door: Door, document: str, variables: dict[str, Any], code: str, message: str
) -> None:
    began = time.monotonic()
    answer = door.ask(document, variables=variables)
    took = time.monotonic() - began
    nothing_internal(answer)
    errors = answer.json()["errors"]
    assert errors[0]["extensions"]["code"] == code
    assert any(message in error["message"] for error in errors), errors[0]
    assert len(errors) <= 101
    assert took < 2, f"{took:.1f} s"
    assert door.ask(ASKING).json() == ANSWER


@pytest.mark.parametrize(
    "document",
    [
        "{" + " ".join(f"a{n}: customers(first: 5) {{ nodes {{ id }} }}" for n in range(100)) + "}",
        "{ viewer { " + " ".join(f"a{n}: kind" for n in range(200)) + " kind " * 199 + " } }",
        doubling(2),
        "{ customers(filter: " + "{ not: " * 11 + "{}" + "}" * 11 + ") { totalCount } }",
    ],
    ids=["a hundred root fields", "four hundred fields", "fragments", "a deep filter"],
)
def test_what_is_just_within_the_limits_is_answered_soon(door: Door, document: str) -> None:
    began = time.monotonic()
    answer = door.ask(document)
    assert "errors" not in answer.json(), answer.text[:500]
    assert time.monotonic() - began < 5


def test_introspection_of_the_usual_clients_is_within_the_limits(door: Door) -> None:
    answer = door.ask(get_introspection_query(input_value_deprecation=True, schema_description=True))
    assert "Customer" in build_client_schema(answer.json()["data"]).type_map
