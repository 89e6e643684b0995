"""Mutations and ids that aren't one's own: the same answer as for none, and nothing changed. Both walls, and each alone.

The inputs are made from the schema: every id in them, one after the other, is another account's, an absent one, and no id at
all. A mutation that is open to members must answer differently for their own ids, or nothing was tried: where an input made of
the types alone isn't enough for that, `GIVEN` has a line.
"""

import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import psycopg
import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLList, GraphQLNonNull, get_named_type
from graphql.pyutils import Undefined

from cdp.access.viewer import READ_SCOPES, Anonymous, Role, Scope, Tool, Viewer
from cdp.db.engine import Role as DatabaseRole
from cdp.db.ids import parse_id
from cdp.graph.compiler import Compiler
from cdp.schema import Graph, open_graph, schema
from cdp.schema.execution import runner
from cdp.schema.mutations import acting
from cdp.settings import Settings
from tests.databases import Databases
from tests.graph.business import NODES, id_of, uuid_of
from tests.graph.conftest import TODAY, member
from tests.security.worlds import ABSENT, OTHER, OWN, Worlds, both, contents, tells

ROLES = {role: member(number, OWN, role) for number, role in enumerate(Role, start=1)}
KINDS: Final = {**NODES, "Invite": ("inv", "0030", lambda n: n)}
GIVEN: Final[Mapping[str, Mapping[str, Any]]] = {
    "caseOpen": {"kind": "QUESTION", "subject": "x", "message": "x"},
    "memberInvite": {"email": "new@example.com"},
    "statementIssue": {"kind": "OPEN_ITEM", "to": "2026-06-30"},
    "statementFileKeep": {"content": "eA=="},
}
"""What an input made of its types alone lacks to be carried out."""
ALIKE: Final = {
    "announcementPutAway": "what isn't for the member is passed over, so any id is answered with nothing wrong"
}
"""Mutations that answer one's own as any other, and why."""
BESIDE: Final = {"accountId": "Account", "memberId": "AccountMember"}
"""What an id that is required beside another one names."""
USUAL: Final = {"String": "x", "Int": 1, "Boolean": True, "Date": "2026-06-30", "DateTime": "2026-06-30T00:00:00Z"}
REFUSED: Final = {"closed_to_members", "scope_missing", "members_only"}
FOR_ALL: Final = frozenset({"audit_record", "audit_refusal", "allowance"})
"""Tables that keep what was tried."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a mutation's input that takes an id, or a list of them."""

    mutation: str
    field: str
    is_list: bool


def _inputs() -> dict[str, GraphQLInputObjectType]:
    assert schema._schema.mutation_type is not None
    found = {}
    for name, field in schema._schema.mutation_type.fields.items():
        kind = get_named_type(field.args["input"].type)
        assert isinstance(kind, GraphQLInputObjectType), name
        found[name] = kind
    return found


INPUTS = _inputs()
PLACES = [
    Place(name, field, "[" in str(declared.type))
    for name, kind in INPUTS.items()
    for field, declared in kind.fields.items()
    if get_named_type(declared.type).name == "ID"
]


def own(kind: str, number: int = OWN) -> str:
    """The id of a kind of node that belongs to customer and account `number`."""
    prefix, group, of = KINDS[kind]
    return id_of(prefix, group, of(number))


def usual(name: str) -> dict[str, Any]:
    """An input with what is required."""
    made = {
        field: _value(declared.type, BESIDE.get(field, "Case"))
        for field, declared in INPUTS[name].fields.items()
        if isinstance(declared.type, GraphQLNonNull) and declared.default_value is Undefined
    }
    return {**made, **GIVEN.get(name, {})}


def _value(kind: Any, named: str) -> Any:
    if isinstance(kind, GraphQLNonNull):
        return _value(kind.of_type, named)
    if isinstance(kind, GraphQLList):
        return [_value(kind.of_type, named)]
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        return {
            name: _value(field.type, named)
            for name, field in kind.fields.items()
            if isinstance(field.type, GraphQLNonNull)
        }
    return own(named) if kind.name == "ID" else USUAL[kind.name]


async def ask(graph: Graph, name: str, given: Mapping[str, Any], viewer: Viewer) -> bytes:
    """Everything a caller would see of a mutation."""
    document = (
        f"mutation($input: {INPUTS[name].name}!) {{ {name}(input: $input) {{ userErrors {{ code field message }} }} }}"
    )
    result = await graph.execute(document, {"input": given}, viewer, today=TODAY)
    return orjson.dumps({"data": result.data, "errors": result.errors})


def refusals(told: bytes) -> set[str]:
    """Codes of the refusals in an answer, empty when the mutation is open to whoever asked."""
    return {error["extensions"]["code"] for error in orjson.loads(told)["errors"]} & REFUSED


@pytest.fixture(scope="module")
def worlds(databases: Databases) -> Iterator[Worlds]:
    with both(databases) as made:
        with psycopg.connect(made.crowded) as connection:
            for number in (OWN, OTHER):
                connection.execute(
                    """INSERT INTO invite (invite_hash, invite_id, email, account_id, role, invited_by)
                    VALUES (%s, %s, 'x@example.com', %s, 'viewer', 'x')""",
                    (bytes([number]), uuid_of("0030", number), uuid_of("0004", number)),
                )
        yield made


@asynccontextmanager
async def graph_of(url: str, role: DatabaseRole, folder: Path) -> AsyncIterator[Graph]:
    settings = Settings(data_dir=folder, secret_key="s" * 48)
    async with open_graph(url, role, writes=url, settings=settings, max_connections=2) as opened:
        yield opened


@pytest.mark.parametrize("role", list(Role))
async def test_an_id_of_another_account_is_as_good_as_none_in_every_mutation(
    worlds: Worlds, role: Role, tmp_path: Path
) -> None:
    before, tried = contents(worlds.crowded, but=FOR_ALL), 0
    async with graph_of(worlds.crowded, "cdp_portal", tmp_path) as graph:
        for place in PLACES:
            base = usual(place.mutation)
            if refusals(await ask(graph, place.mutation, {**base, **_put(place, own("Account", ABSENT))}, ROLES[role])):
                continue
            tried += 1
            for kind in KINDS:
                other, absent = [
                    await ask(graph, place.mutation, {**base, **_put(place, own(kind, number))}, ROLES[role])
                    for number in (OTHER, ABSENT)
                ]
                assert other == absent, (place, kind)
                assert not tells(other + absent), (place, kind)
                assert b'"internal"' not in other + absent, (place, kind)
            malformed = await ask(graph, place.mutation, {**base, **_put(place, "no id")}, ROLES[role])
            assert b'"userErrors":[{' in malformed or b'"value_invalid"' in malformed, (place, malformed)
        assert contents(worlds.crowded, but=FOR_ALL) == before, "a refused change has changed something"
    assert tried or role is Role.VIEWER


@pytest.mark.parametrize(
    "place",
    [place for place in PLACES if place.mutation not in ALIKE],
    ids=lambda place: f"{place.mutation}-{place.field}",
)
async def test_what_is_ones_own_is_told_from_none(worlds: Worlds, place: Place, tmp_path: Path) -> None:
    """So the test above tries something: each place that is open to members finds what is theirs."""
    usually = usual(place.mutation)
    async with graph_of(worlds.crowded, "cdp_portal", tmp_path) as graph:
        for viewer in ROLES.values():
            absent = await answers(graph, place, viewer, [own(kind, ABSENT) for kind in KINDS])
            if any(refusals(told) for told in absent):
                continue
            found = await answers(graph, place, viewer, [own(kind) for kind in KINDS])
            if found - absent:
                return
        told = await ask(graph, place.mutation, {**usually, **_put(place, "no id")}, ROLES[Role.CLIENT_ADMIN])
        assert refusals(told), (
            f"{place}: one's own is answered as none; what more must GIVEN have for {place.mutation}?"
        )


async def answers(graph: Graph, place: Place, viewer: Viewer, texts: list[str]) -> set[bytes]:
    given = usual(place.mutation)
    return {await ask(graph, place.mutation, {**given, **_put(place, text)}, viewer) for text in texts}


def _put(place: Place, text: str) -> dict[str, Any]:
    return {place.field: [text] if place.is_list else text}


@pytest.mark.parametrize("role", list(Role))
async def test_the_first_wall_alone_keeps_every_mutation_off_others(worlds: Worlds, role: Role, tmp_path: Path) -> None:
    """As the API's role, whose policies let everything through."""
    await _try_everything(worlds.crowded, "cdp_app", role, tmp_path)


@pytest.mark.usefixtures("first_wall_down")
@pytest.mark.parametrize("role", list(Role))
async def test_row_level_security_alone_keeps_every_mutation_off_others(
    worlds: Worlds, role: Role, tmp_path: Path
) -> None:
    """Neither roles nor scopes nor whose account it is are checked by the application."""
    await _try_everything(worlds.crowded, "cdp_portal", role, tmp_path)


async def _try_everything(url: str, database_role: DatabaseRole, role: Role, folder: Path) -> None:
    before, answered = contents(url, foreign_only=True, but=FOR_ALL), 0
    async with graph_of(url, database_role, folder) as graph:
        for place in PLACES:
            for kind in KINDS:
                told = await ask(
                    graph, place.mutation, {**usual(place.mutation), **_put(place, own(kind, OTHER))}, ROLES[role]
                )
                assert not tells(told), (place, kind, told)
                answered += not refusals(told)
    assert answered or role is Role.VIEWER
    after = contents(url, foreign_only=True, but=FOR_ALL)
    assert after == before


@pytest.fixture
def first_wall_down(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Compiler, "authorise", lambda *_arguments: None)
    monkeypatch.setattr(Compiler, "_visible", lambda *_arguments: [])

    def anybody(info: Any, **_rules: Any) -> Viewer:
        viewer: Viewer = info.context.viewer
        return viewer

    def any_account(viewer: Any, given: str | None) -> Any:
        return parse_id(given, "acc") if given else viewer.account_id

    account_of: Any = sys.modules["cdp.schema.mutations.statement_issue"].account_of
    for name, module in list(sys.modules.items()):
        if name.startswith("cdp.schema.mutations."):
            for word, checked, unchecked in (
                ("authorise", acting.authorise, anybody),
                ("account_of", account_of, any_account),
            ):
                if getattr(module, word, None) is checked:
                    monkeypatch.setattr(module, word, unchecked)
    runner.plans.clear()
    yield
    runner.plans.clear()


async def test_who_has_no_scope_changes_nothing(worlds: Worlds, tmp_path: Path) -> None:
    """Nobody, an OAuth client without scopes, and one that may read everything: every mutation is refused."""
    before = contents(worlds.crowded, but=FOR_ALL)
    reading = READ_SCOPES - {Scope.LEDGER_READ}  # a tool that reads the ledger may issue a statement
    async with graph_of(worlds.crowded, "cdp_app", tmp_path) as graph:
        for viewer in (Anonymous(), Tool(client_id="none", scopes=frozenset()), Tool(client_id="r", scopes=reading)):
            for name in INPUTS:
                assert refusals(await ask(graph, name, usual(name), viewer)), (name, viewer)
    assert contents(worlds.crowded, but=FOR_ALL) == before


@pytest.mark.parametrize("field", ["accountId", "customerId", "memberId", "role", "scopes", "isAdmin", "__proto__"])
async def test_no_mutation_takes_a_field_that_it_does_not_name(worlds: Worlds, field: str, tmp_path: Path) -> None:
    """Mass assignment."""
    async with graph_of(worlds.alone, "cdp_portal", tmp_path) as graph:
        for name, kind in INPUTS.items():
            if field not in kind.fields:
                told = orjson.loads(await ask(graph, name, {**usual(name), field: "x"}, ROLES[Role.CLIENT_ADMIN]))
                assert told["data"] is None, name
                assert [error["extensions"]["code"] for error in told["errors"]] == ["graphql_invalid"], name
