"""No way to another account's data: every field of the schema, every role, own, other, absent and malformed ids; both walls.

The questions are made from the schema (`asking.py`), so a new field joins by itself. Canaries stand in every free text of every
row that is not the member's.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson
import psycopg
import pytest
import pytest_asyncio

from cdp.access.viewer import Anonymous, Member, Role
from cdp.graph.compiler import Compiler
from cdp.schema import Graph, open_graph, schema
from cdp.schema.execution import runner
from tests.graph.asking import Question, questions
from tests.graph.business import id_of, node_id, uuid_of
from tests.graph.conftest import EVERYTHING, TODAY, member

CANARY = "CANARY"
OWN, OTHER, ABSENT = 10, 20, 998
# Words of the trade with a check constraint or a meaning to SQL: they identify nobody.
_NOT_FREE = {
    "author",
    "event",
    "kind",
    "format",
    "language",
    "status",
    "tier",
    "currency",
    "direction",
    "channel",
    "role",
    "namespace",
    "key_namespace",
    "record_key",
    "outcome",
}
ROLES = {role: member(number, OWN, role) for number, role in enumerate(Role, start=1)}
ALL = questions(schema._schema)


def _plant_canaries(url: str) -> None:
    """Every free text that is not the own account's, its holder's or the holder's contacts' begins with the canary."""
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")  # append-only tables too
        columns = connection.execute("""
            SELECT c.table_name, c.column_name, bool_or(d.column_name = 'account_id'), bool_or(d.column_name = 'customer_id')
            FROM information_schema.columns AS c JOIN information_schema.columns AS d USING (table_schema, table_name)
            WHERE c.table_schema = 'public' AND c.data_type = 'text' GROUP BY 1, 2
        """).fetchall()
        own, holder = uuid_of("0004", OWN), uuid_of("0001", OWN)
        contacts = [uuid_of("0001", OWN + number) for number in (1, 2)]
        for table, column, of_account, of_customer in columns:
            if column in _NOT_FREE or not (of_account or of_customer):
                continue
            where = (
                "account_id <> %(own)s"
                if of_account
                else "customer_id <> %(holder)s AND customer_id <> ALL (%(contacts)s::uuid[])"
            )
            if table in {"account_key", "identifier", "customer_identifier"} and column in {"number", "value"}:
                continue  # keys that look-ups need as they are; their mirrors below carry the canary
            statement: Any = f"UPDATE {table} SET {column} = '{CANARY}-' || {column} WHERE {where}"
            connection.execute(statement, {"own": own, "holder": holder, "contacts": contacts})
        connection.execute(
            'UPDATE customer SET traits = \'{"secret": "CANARY"}\' WHERE customer_id <> %s AND customer_id <> ALL (%s::uuid[])',
            (holder, contacts),
        )


@pytest.fixture(scope="module")
def guarded_url(business_url: str) -> str:
    _plant_canaries(business_url)
    return business_url


@pytest_asyncio.fixture
async def portal(guarded_url: str) -> AsyncIterator[Graph]:
    async with open_graph(guarded_url, "cdp_portal", max_connections=2) as opened:
        yield opened


@pytest_asyncio.fixture
async def company(guarded_url: str) -> AsyncIterator[Graph]:
    """The API's role, whose policies let everything through: only the first wall stands."""
    async with open_graph(guarded_url, "cdp_app", max_connections=2) as opened:
        yield opened


@pytest.fixture
def first_wall_down(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither scopes nor visibility are checked: only row-level security stands."""
    monkeypatch.setattr(Compiler, "authorise", lambda *_arguments: None)
    monkeypatch.setattr(Compiler, "_visible", lambda *_arguments: [])
    runner.plans.clear()
    yield
    runner.plans.clear()


async def _answer(graph: Graph, question: Question, viewer: Any, number: int) -> bytes:
    """Everything a caller would see."""
    variables = {}
    if "$id" in question.document:
        variables["id"] = node_id(question.start, number)
    result = await graph.execute(question.document, variables, viewer, today=TODAY)
    return orjson.dumps({"data": result.data, "errors": result.errors})


def test_the_questions_reach_every_field_of_every_readable_type() -> None:
    reached = {(question.type, question.field) for question in ALL}
    declared = {(kind.name, name) for kind in runner.registry.types.values() for name in kind.fields}
    assert declared <= reached


@pytest.mark.parametrize("role", list(Role))
async def test_a_member_sees_nothing_of_another_account_and_cannot_tell_it_from_none(portal: Graph, role: Role) -> None:
    answered = 0
    for question in ALL:
        own = await _answer(portal, question, ROLES[role], OWN)
        other = await _answer(portal, question, ROLES[role], OTHER)
        absent = await _answer(portal, question, ROLES[role], ABSENT)
        assert CANARY.encode() not in own + other + absent, question
        assert other == absent, question
        assert b'"internal"' not in own + other + absent, question
        answered += own != other
    assert answered > 50, "the questions find nothing even at home"


@pytest.mark.parametrize("role", [Role.CLIENT_ADMIN, Role.BUYER])
async def test_the_first_wall_holds_alone(company: Graph, role: Role) -> None:
    for question in ALL:
        for number in (OWN, OTHER):
            assert CANARY.encode() not in await _answer(company, question, ROLES[role], number), question


@pytest.mark.usefixtures("first_wall_down")
@pytest.mark.parametrize("role", [Role.CLIENT_ADMIN, Role.BUYER])
async def test_row_level_security_holds_alone(portal: Graph, role: Role) -> None:
    for question in ALL:
        for number in (OWN, OTHER):
            assert CANARY.encode() not in await _answer(portal, question, ROLES[role], number), question


async def test_the_canaries_are_there_to_be_seen(company: Graph) -> None:
    seen = sum([CANARY.encode() in await _answer(company, question, EVERYTHING, OTHER) for question in ALL])
    assert seen > 10


@pytest.mark.parametrize("role", [Role.BUYER, Role.VIEWER])
async def test_a_buyer_or_viewer_reads_no_ledger(portal: Graph, role: Role) -> None:
    document = "query($id: ID) { account(id: $id) { number %s } }"
    for field in ("balance { amount }", "overdue { amount }", 'statement(kind: OPEN_ITEM, to: "2030-01-01") { kind }',
                  "ledger { totalCount }", "invoices { totalCount }", "creditLimit { amount }", "currencies"):  # fmt: skip
        result = await portal.execute(document % field, {"id": id_of("acc", "0004", OWN)}, ROLES[role], today=TODAY)
        assert [error["extensions"]["code"] for error in result.errors] == ["scope_missing"], field
        assert "ledger:read" in result.errors[0]["message"]


async def test_a_membership_taken_away_closes_everything_at_once(portal: Graph, guarded_url: str) -> None:
    gone = Member(member_id=ROLES[Role.FINANCE].member_id, account_id=ROLES[Role.FINANCE].account_id, role=Role.FINANCE)
    document = "query($id: ID) { account(id: $id) { number balance { amount } orders { totalCount } } }"
    variables = {"id": id_of("acc", "0004", OWN)}
    before = await portal.execute(document, variables, gone, today=TODAY)
    assert before.data is not None
    assert before.data["account"]["orders"]["totalCount"] == 4
    with psycopg.connect(guarded_url, autocommit=True) as connection:
        connection.execute(
            "DELETE FROM membership WHERE member_id = %s AND account_id = %s", (gone.member_id, gone.account_id)
        )
        after = await portal.execute(document, variables, gone, today=TODAY)
        connection.execute(
            "INSERT INTO membership (member_id, account_id, role) VALUES (%s, %s, 'finance')",
            (gone.member_id, gone.account_id),
        )
    assert after.data == {"account": None}


async def test_nobody_reads_nothing(company: Graph) -> None:
    for question in ALL:
        if question.root != "viewer":
            answer = orjson.loads(await _answer(company, question, Anonymous(), OWN))
            assert not any((answer["data"] or {}).values()), question
            assert answer["errors"][0]["extensions"]["code"] == "scope_missing", question
