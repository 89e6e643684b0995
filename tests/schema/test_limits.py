"""Limits by kind of viewer, what production tells, and what an answer cost."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

import pytest
from graphql import GraphQLError, GraphQLSyntaxError, get_introspection_query, parse

from cdp.access.limits import ViewerLimits, limits_of
from cdp.access.people import NewClient, create_client
from cdp.access.viewer import Member, Role, Scope, Tool, Viewer
from cdp.app import create_app
from cdp.db.engine import connect
from cdp.limits import ADMIN, MEMBER, NAMES, TOOL, Limits, read_limits, written
from cdp.schema import execution, open_graph
from cdp.schema.limits import count_tokens, too_long
from cdp.settings import Settings, SettingsError, load_settings
from tests.live import client, serve
from tests.schema.conftest import Door
from tests.schema.test_http import ABUSE

EVERYBODY: dict[str, Viewer] = {
    "tool": Tool(client_id="x", scopes=frozenset({Scope.GRAPH_READ, Scope.GRAPH_PII})),
    "admin": Tool(client_id="x", scopes=frozenset({Scope.GRAPH_READ, Scope.GRAPH_PII, Scope.ADMIN})),
    "member": Member(member_id=UUID(int=1), account_id=UUID(int=2), role=Role.FINANCE),
}
SMALL = Limits(bytes=200, tokens=45, aliases=2, depth=4, nodes=20, seconds=1)


@pytest.fixture(scope="module")
def business_url(shared_database_url: str, door: Door) -> str:
    return shared_database_url


@pytest.fixture(scope="module")
def admin(shared_database_url: str, door: Door) -> NewClient:
    with connect(shared_database_url, "cdp_app") as connection:
        return create_client(connection, name="Root", scopes=[*Scope])


# -- whose limits, and which ---------------------------------------------------------------------------------------------------


def test_every_kind_of_viewer_has_limits_of_its_own() -> None:
    limits = ViewerLimits()
    assert {kind: limits.of(viewer) for kind, viewer in EVERYBODY.items()} == {
        "tool": TOOL,
        "admin": ADMIN,
        "member": MEMBER,
    }


def test_a_setting_changes_what_it_names_and_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_LIMITS_TOOL", "nodes=7 seconds=3")
    limits = limits_of(load_settings())
    assert (limits.admin, limits.member) == (ADMIN, MEMBER)
    assert written(limits.tool) == written(TOOL).replace("nodes=100000", "nodes=7").replace("seconds=15", "seconds=3")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nodez=1", "knows bytes, tokens, aliases, depth, nodes, seconds; not nodez."),
        ("statement_bytes=1", "knows bytes, tokens, aliases, depth, nodes, seconds; not statement_bytes."),
        ("nodes", "needs a whole number above 0 for nodes, as in nodes=100000."),
        ("nodes=0", "needs a whole number above 0 for nodes, as in nodes=100000."),
        ("depth=-3", "needs a whole number above 0 for depth, as in depth=20."),
        ("seconds=" + "9" * 5000, "needs a whole number above 0 for seconds, as in seconds=15."),
    ],
)
def test_a_limit_that_is_none_stops_the_start(monkeypatch: pytest.MonkeyPatch, text: str, problem: str) -> None:
    monkeypatch.setenv("CDP_LIMITS_MEMBER", text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.message == f"CDP_LIMITS_MEMBER: {problem}"


def test_what_is_written_is_read_again() -> None:
    assert read_limits(written(MEMBER), Limits(nodes=1)) == MEMBER
    assert set(NAMES) | {"statement_bytes"} == set(Limits.__dataclass_fields__)


# -- refusals ------------------------------------------------------------------------------------------------------------------

PAGES = "customers(first: 3) { nodes { id } }"
REFUSED = [
    ("{ viewer { kind } }" + "#" * 200, "bytes in its document", 219, 200),
    ("{ viewer { kind } } # é" + "é" * 100, "bytes in its document", 224, 200),
    ("{ " + "viewer { kind } " * 11 + "}", "tokens", 46, 45),
    ("{ viewer { a: kind b: kind c: kind } }", "aliases", 3, 2),
    (
        '{ order(number: "x") { account { holder { orders(first: 1) { nodes { account { id } } } } } } }',
        "levels of nesting",
        5,
        4,
    ),
    ("{ customers(first: 21) { nodes { id } } }", "nodes", 21, 20),
    ("{ " + f"a: {PAGES} b: {PAGES.replace('3', '18')}" + " }", "nodes", 21, 20),
    (
        "{ viewer { kind } ...f } fragment f on Query { a: " + PAGES + " b: orders(first: 18) { nodes { id } } }",
        "nodes",
        21,
        20,
    ),
]


@pytest.mark.parametrize(("document", "told"), [(document, tuple(told)) for document, *told in REFUSED])
@pytest.mark.parametrize("kind", EVERYBODY)
async def test_a_refusal_says_limit_asked_and_most_and_nothing_reaches_the_database(
    business_url: str, kind: str, document: str, told: tuple[str, int, int]
) -> None:
    if kind == "member" and "customers" in document:
        document = document.replace("customers", "accounts")
    async with open_graph(business_url, "cdp_app", limits=ViewerLimits(**{kind: SMALL}), max_connections=1) as graph:
        result = await graph.execute(document, {}, EVERYBODY[kind])
        assert result.statements == 0
        assert {error["extensions"]["code"] for error in result.errors} == {"limit_exceeded"}
        assert tuple(result.errors[0]["extensions"][name] for name in ("limit", "asked", "most")) == told
        for other in (viewer for name, viewer in EVERYBODY.items() if name != kind):
            result = await graph.execute(document, {}, other)
            assert "limit_exceeded" not in {error["extensions"]["code"] for error in result.errors}


async def test_a_statement_has_the_viewers_time_whatever_the_connection_did_before(business_url: str) -> None:
    # One connection for all. The lock keeps a statement waiting for as long as it may.
    limits = ViewerLimits(tool=Limits(seconds=1))
    async with open_graph(business_url, "cdp_app", limits=limits, max_connections=1) as graph:
        for viewer, is_bounded in ((EVERYBODY["admin"], False), (EVERYBODY["tool"], True), (EVERYBODY["admin"], False)):
            began = time.monotonic()
            with connect(business_url) as blocking:
                blocking.execute("LOCK TABLE customer")
                asking = asyncio.create_task(graph.execute("{ customers { nodes { id } } }", {}, viewer))
                done, _ = await asyncio.wait({asking}, timeout=2.5)
            result = await asking
            assert bool(done) == is_bounded
            if is_bounded:
                assert 0.9 < time.monotonic() - began < 2.4
                assert result.errors[0]["extensions"] == {
                    "code": "too_slow",
                    "most_seconds": 1,
                    "retry_after_seconds": 5,
                }
            else:
                assert result.errors == []


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        (" ,\ufeff\r\n\t", 0),
        ("{a(b:$c,d:-1.5e+3)...on E@f{g}}#{h}\n{i}", 23),
        ('"""a \\""" "b" \n #c""" "" "\\"#" #"', 3),
        ('"a\n"', 2),
        ('"""never closed', 1),
    ],
)
def test_tokens_are_counted_as_the_language_defines_them(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens


def test_tokens_are_counted_as_the_parser_counts_them() -> None:
    text = get_introspection_query()
    counted = count_tokens(text)
    parse(text, max_tokens=counted)
    with pytest.raises(GraphQLSyntaxError, match="more than"):
        parse(text, max_tokens=counted - 1)


@pytest.mark.parametrize(
    "text",
    ['"""\\"""' * 4_000, '"""\\' * 6_000, '"\\' * 12_000, '""" ' * 8_000, "-0" * 12_000, "." * 32_000, "{a " * 9_000],
)
def test_counting_is_linear_whatever_the_text(text: str) -> None:
    began = time.process_time()
    count_tokens(text)
    assert time.process_time() - began < 0.05


def test_abuse_costs_little_time_before_it_is_refused() -> None:
    spent: dict[str, float] = {}
    for name, (document, *_) in ABUSE.items():
        for again in range(3):
            began = time.thread_time()
            if too_long(document, TOOL) is None:
                with suppress(GraphQLError):
                    execution._faults(document + " " * again, named=False, limits=TOOL, reveals_schema=True)
            spent[name] = min(spent.get(name, 1), time.thread_time() - began)
    assert {name: seconds for name, seconds in spent.items() if seconds > 0.05} == {}


# -- production ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def production(door: Door, admin: NewClient, settings_for: Callable[..., Settings]) -> Iterator[tuple[Door, str]]:
    """The application in production, and the token of a client with the scope admin."""
    settings = settings_for(env="production", public_url="https://api.example", extranet_url="https://clients.example")
    with serve(create_app(settings)) as url, client(url) as http:
        made = Door(url=url, http=http, tool=door.tool, narrow=door.narrow, token="")
        yield replace(made, token=made.token_of(door.tool)), made.token_of(admin)


MISSPELT = [
    ("{ viewer { kindd } }", "Cannot query field 'kindd' on type 'Viewer'."),
    ("{ custommers { totalCount } }", "Cannot query field 'custommers' on type 'Query'."),
    ("{ customers(frist: 1) { totalCount } }", "Unknown argument 'frist' on field 'Query.customers'."),
    ("{ customers { nodes { ... on Custome { id } } } }", "Unknown type 'Custome'."),
    (
        "{ customers(filter: {kind: {eq: PERSN}}) { totalCount } }",
        "Value 'PERSN' does not exist in 'CustomerKind' enum.",
    ),
]


@pytest.mark.parametrize(("document", "message"), MISSPELT)
def test_production_suggests_nothing_but_to_an_admin_whoever_asked_first(
    production: tuple[Door, str], document: str, message: str
) -> None:
    door, admin_token = production
    for token in (admin_token, None, admin_token, None):
        told = door.ask(document, token=token).json()["errors"][0]["message"]
        assert told.startswith(message)
        assert ("Did you mean" in told) is (token is not None)
        assert token is not None or told == message


def test_production_suggests_nothing_of_variables_either(production: tuple[Door, str]) -> None:
    asked = "query($f: CustomerFilter) { customers(filter: $f) { totalCount } }"
    for value in ({"kindd": {"eq": "PERSON"}}, {"kind": {"eq": "PERSN"}}):
        told = production[0].ask(asked, variables={"f": value})
        assert "Did you mean" not in told.text
        assert "Did you mean" in production[0].ask(asked, token=production[1], variables={"f": value}).text


@pytest.mark.parametrize(
    "document",
    [
        "{ __schema { types { name } } }",
        '{ a: __type(name: "Customer") { name } }',
        "{ viewer { kind } ...f } fragment f on Query { ... { __schema { description } } }",
        get_introspection_query(),
    ],
)
def test_production_answers_introspection_to_an_admin_only(production: tuple[Door, str], document: str) -> None:
    door, admin_token = production
    for _ in range(2):
        assert "errors" not in door.ask(document, token=admin_token).json()
        answer = door.ask(document)
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["extensions"]["code"], error["extensions"]["scope"]) == (
            400,
            "scope_missing",
            "admin",
        )
        assert "data" not in answer.json()


def test_production_answers_typename(production: tuple[Door, str]) -> None:
    answer = production[0].ask("{ __typename viewer { __typename } }")
    assert answer.json() == {"data": {"__typename": "Query", "viewer": {"__typename": "Viewer"}}}


def test_development_answers_introspection_and_suggests(door: Door) -> None:
    assert "errors" not in door.ask("{ __schema { types { name } } }").json()
    assert "Did you mean 'kind'?" in door.ask("{ viewer { kindd } }").text


# -- cost ----------------------------------------------------------------------------------------------------------------------


def test_the_cost_of_an_answer_is_told_to_who_asks(door: Door) -> None:
    text = (
        "query Cost { customers(first: 7) { nodes { orders(first: 3) { nodes { account { id } } } } } viewer { kind } }"
    )
    costs = [door.ask(text, extensions={"cost": True}).json()["extensions"]["cost"] for _ in range(2)]
    assert all(cost.pop("remaining") > 0 for cost in costs)
    assert costs == [
        {"nodes": 7 + 21 + 21, "depth": 3, "statements": 1, "planCached": cached} for cached in (False, True)
    ]
    assert "extensions" not in door.ask(text).json()
    assert "extensions" not in door.ask(text, extensions={"cost": False}).json()


def test_the_cost_is_told_by_get_and_of_what_was_refused(door: Door) -> None:
    got = door.get(query="{ viewer { kind } }", extensions='{"cost": true}').json()
    assert got["extensions"]["cost"].pop("remaining") > 0
    assert got["extensions"] == {"cost": {"nodes": 0, "depth": 0, "statements": 0, "planCached": True}}
    refused = door.ask("{ viewer { shoeSize } }", extensions={"cost": True})
    assert refused.status_code == 400
    assert refused.json()["extensions"]["cost"]["statements"] == 0
