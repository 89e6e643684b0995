"""A member who is limited to a site: whether the account has orders of others or not, all that they are told is the same.

As for other accounts (`test_unseen`, `test_pages`): one business twice, with canaries in what belongs to orders of other sites,
and without it. Every field, argument and page of the extranet joins by itself.
"""

import dataclasses
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import psycopg
import pytest
import pytest_asyncio
from psycopg import Connection

from cdp.access.sealing import digest
from cdp.access.viewer import Member, Role
from cdp.graph import compiler
from cdp.graph.compiler import Compiler
from cdp.schema import Graph, open_graph, schema
from cdp.schema.execution import runner
from cdp.settings import Settings
from tests.databases import Databases
from tests.graph.asking import questions
from tests.graph.business import id_of, uuid_of
from tests.graph.conftest import TODAY, member
from tests.security.arguments import operations
from tests.security.crawling import secret_of, visiting, walk
from tests.security.test_pages import everything_in, shown, timeless
from tests.security.test_unseen import Pair, ids, same
from tests.security.worlds import ABSENT, OWN, OWNED, Worlds, both, contents, empty, plant, tells

SITE: Final = "Porto"
NUMBERS: Final = {Role.BUYER: 9, Role.VIEWER: 10}
"""Members of the account, by role, who are limited to the site."""
LIMITED: Final = {
    role: dataclasses.replace(member(number, OWN, role), sites=(SITE,)) for role, number in NUMBERS.items()
}
ALL: Final = questions(schema._schema)
OWN_ORDER, OTHER_ORDER, ABSENT_ORDER = (
    id_of("ord", "0005", number) for number in (OWN * 100 + 1, OWN * 100 + 3, ABSENT)
)
OWN_CASE, OTHER_CASE, ABSENT_CASE = (id_of("cas", "0013", number) for number in (9001, 9003, ABSENT))
FOREIGN: Final = {
    "Order": (OTHER_ORDER, ABSENT_ORDER),
    "Shipment": (id_of("shp", "000a", 9003), id_of("shp", "000a", ABSENT)),
    "Case": (OTHER_CASE, ABSENT_CASE),
    "CaseFile": (id_of("cfi", "0015", 9003), id_of("cfi", "0015", ABSENT)),
}
"""Of each kind of node, the id of one that belongs to an order of another site, and one of nothing."""
KEPT: Final = frozenset({"audit_record", "audit_refusal", "allowance", "login_session"})

PREPARED: Final[Any] = Path(__file__).with_name("sites.sql").read_text(encoding="utf-8")


def prepare(url: str) -> None:
    """Orders of several sites with all that belongs to them, and members who are limited to one, signed in."""
    with psycopg.connect(url) as connection:
        connection.execute(PREPARED)
        for role, number in NUMBERS.items():
            connection.execute(
                "INSERT INTO login_session (session_hash, member_id, account_id, authenticated_at) VALUES (%s, %s, %s, now())",
                [digest(secret_of(role)), uuid_of("0008", number), uuid_of("0004", OWN)],
            )


def of_other_sites(table: str, columns: set[str]) -> str | None:
    """Rows of the account that belong to orders of other sites, or to cases that nobody limited to the site sees."""
    if "case_id" in columns and table != "notice":
        return f"""case_id IN ('{"', '".join(uuid_of("0013", 9000 + k) for k in (3, 4, 5))}')"""
    if "order_id" in columns and "account_id" in columns:
        return f"""order_id IN ('{"', '".join(uuid_of("0005", OWN * 100 + k) for k in (3, 4))}')"""
    return None


@pytest.fixture(scope="module")
def worlds(databases: Databases) -> Iterator[Worlds]:
    own = dataclasses.replace(
        OWNED, members=[*OWNED.members, *(uuid_of("0008", number) for number in NUMBERS.values())]
    )
    with both(databases, prepare=prepare, own=own) as made:
        with psycopg.connect(made.crowded) as connection:
            planted = plant(connection, own, foreign_to=of_other_sites)
        assert planted.keys() >= {
            "sales_order",
            "order_line",
            "order_event",
            "shipment",
            "customer_case",
            "case_message",
        }
        with psycopg.connect(made.alone) as connection:
            empty(connection, own, foreign_to=of_other_sites)
        yield made


@pytest_asyncio.fixture
async def pair(worlds: Worlds) -> AsyncIterator[Pair]:
    async with (
        open_graph(worlds.crowded, "cdp_portal", max_connections=2) as crowded,
        open_graph(worlds.alone, "cdp_portal", max_connections=2) as alone,
    ):
        yield Pair(crowded, alone)


@pytest.fixture
def first_wall_down(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither visibility nor sites are checked: only row-level security stands."""
    monkeypatch.setattr(Compiler, "_visible", lambda *_arguments: [])
    monkeypatch.setattr(compiler, "_sites", lambda _viewer: None)
    runner.plans.clear()
    yield
    runner.plans.clear()


async def every_answer(graph: Graph, viewer: Member) -> list[str]:
    """What is answered to every question, about what is one's own, of one's site and of others."""
    found = []
    for question in ALL:
        by_id = "$id" in question.document
        foreign = FOREIGN.get(question.start, ())[:1] if by_id else ()
        for node in (ids(OWN).get(question.start, ""), *foreign):
            variables = {"id": node} if by_id else {}
            result = await graph.execute(question.document, variables, viewer, today=TODAY)
            found.append(orjson.dumps([result.data, result.errors]).decode())
    return found


@pytest.mark.parametrize("role", list(NUMBERS))
async def test_no_field_tells_that_there_are_other_sites(pair: Pair, role: Role) -> None:
    for question in ALL:
        await same(pair, question.document, LIMITED[role], ids(OWN).get(question.start, ""))
        if "$id" in question.document and question.start in FOREIGN:
            told = [await same(pair, question.document, LIMITED[role], each) for each in FOREIGN[question.start]]
            assert told[0] == told[1], question


async def test_no_argument_of_any_field_finds_out_about_other_sites(pair: Pair) -> None:
    foreign = [other for other, _ in FOREIGN.values()]
    for start, document in operations(schema._schema, foreign, deepest=0):
        await same(pair, document, LIMITED[Role.BUYER], ids(OWN).get(start, ""))


async def test_what_is_of_the_site_is_seen_and_counted(pair: Pair) -> None:
    document = """{ viewer { sites account { locations openOrderCount orders { totalCount nodes { number } }
        ordersSummary { count } cases { totalCount nodes { subject } } } } }"""
    told = orjson.loads(await same(pair, document, LIMITED[Role.BUYER]))["data"]["viewer"]
    assert told["sites"] == told["account"]["locations"] == [SITE]
    assert {order["number"] for order in told["account"]["orders"]["nodes"]} == {"SO-10-1", "SO-10-2"}
    assert told["account"]["orders"]["totalCount"] == told["account"]["ordersSummary"]["count"] == 2
    assert told["account"]["openOrderCount"] == 1
    assert [case["subject"] for case in told["account"]["cases"]["nodes"]] == ["About 2", "About 1", "About 0"]


async def test_the_first_wall_holds_alone(worlds: Worlds) -> None:
    """As the API's role, whose policies let everything through."""
    async with open_graph(worlds.crowded, "cdp_app", max_connections=2) as company:
        assert not any(map(tells, await every_answer(company, LIMITED[Role.BUYER])))


@pytest.mark.usefixtures("first_wall_down")
async def test_row_level_security_holds_alone(pair: Pair) -> None:
    assert not any(map(tells, await every_answer(pair.crowded, LIMITED[Role.BUYER])))


@pytest.mark.usefixtures("first_wall_down")
async def test_the_canaries_are_there_to_be_seen(worlds: Worlds) -> None:
    """With both walls down."""
    async with open_graph(worlds.crowded, "cdp_app", max_connections=2) as company:
        assert sum(map(tells, await every_answer(company, LIMITED[Role.BUYER]))) > 10


CHANGES: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "caseOpen": ({"kind": "QUESTION", "subject": "x", "message": "x"}, "orderId"),
    "caseReply": ({"message": "x"}, "id"),
    "caseClose": ({}, "id"),
}
"""Mutations that name an order or a case, what else they need, and where they name it."""


async def change(graph: Graph, name: str, named: str) -> bytes:
    """What is answered to the buyer's mutation that names this order or case."""
    given, field = CHANGES[name]
    kind = f"{name[0].upper()}{name[1:]}Input"
    document = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ userErrors {{ code message field }} }} }}"
    asked = {"input": {**given, field: named}}
    result = await graph.execute(document, asked, LIMITED[Role.BUYER], today=TODAY)
    return orjson.dumps([result.data, result.errors])


@pytest.mark.parametrize("wall", ["both", "first", "second"])
@pytest.mark.parametrize("name", CHANGES)
async def test_nothing_is_changed_about_other_sites(
    worlds: Worlds, wall: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With both walls, and each alone: the room's own conditions, and policies."""
    if wall == "second":
        monkeypatch.setattr("cdp.interact.cases._sites", lambda _by: None)
    before = contents(worlds.crowded, but=KEPT)
    settings = Settings(data_dir=tmp_path, secret_key="s" * 48)
    async with open_graph(
        worlds.crowded, "cdp_app" if wall == "first" else "cdp_portal", writes=worlds.crowded, settings=settings
    ) as graph:
        pairs = {"caseOpen": (OTHER_ORDER, ABSENT_ORDER)}.get(name, (OTHER_CASE, ABSENT_CASE))
        other, absent = [await change(graph, name, each) for each in pairs]
    assert other == absent
    assert b'_not_found"' in other
    assert contents(worlds.crowded, but=KEPT) == before


@pytest.mark.parametrize("role", list(NUMBERS))
async def test_every_page_is_the_same_whether_there_are_other_sites_or_not(
    worlds: Worlds, role: Role, tmp_path: Path
) -> None:
    async with (
        visiting(worlds.crowded, tmp_path / "a", role) as crowded,
        visiting(worlds.alone, tmp_path / "b", role) as alone,
    ):
        found = (await walk(crowded)).answers
        assert any("/delivery-notes/" in address for address in found)
        for address, answer in found.items():
            told = everything_in(answer)
            assert not tells(told), address
            assert timeless(told) == timeless(everything_in(await alone.get(address))), address
        for path in (
            "/orders/{}",
            "/cases/{}",
            "/cases/files/{}",
            "/cases/new?about={}",
            "/orders/{}/delivery-notes/x.pdf",
        ):
            for other, absent in FOREIGN.values():
                answers = [await crowded.get(path.format(each)) for each in (other, absent)]
                assert shown(answers[0]) == shown(answers[1]), (path, other)


async def test_a_site_taken_away_closes_at_once(worlds: Worlds, tmp_path: Path) -> None:
    me, address = uuid_of("0008", NUMBERS[Role.VIEWER]), f"/orders/{OWN_ORDER}"
    with psycopg.connect(worlds.alone, autocommit=True) as connection:
        async with visiting(worlds.alone, tmp_path, Role.VIEWER) as browser:
            assert (await browser.get(address)).status_code == 200
            limit(connection, me, ["Faro"])
            assert (await browser.get(address)).status_code == 404
            assert "SO-10-1" not in (await browser.get("/orders")).text
            limit(connection, me, [SITE])
            assert (await browser.get(address)).status_code == 200


def limit(connection: Connection[Any], member_id: str, sites: list[str]) -> None:
    connection.execute("UPDATE membership SET sites = %s WHERE member_id = %s", [sites, member_id])
