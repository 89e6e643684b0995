"""The stored operations on the real graph: each fits the schema, answers what its page reads, and costs one statement."""

import asyncio
import dataclasses
from typing import Any

import msgspec
import pytest

from cdp.access.viewer import Member, Role
from cdp.db.engine import connect
from cdp.db.ids import format_id
from cdp.schema import open_graph
from extranet.activity import Activity
from extranet.answers import (
    FurtherStatement,
    HomeAccount,
    InvoicedAccount,
    Invoices,
    IssuedStatement,
    IssuedStatements,
    ListedOrders,
    StatementAccount,
)
from extranet.cases import About, CaseDetail, CaseFile, CaseList
from extranet.order_answers import FiledAccount, FurtherLines, Order
from extranet.orders_filter import LATE, OPEN
from extranet.pages.details import Details
from extranet.people import FoundPerson, People, Places
from extranet.portal import load_operations
from extranet.preferences import Preferences
from tests.extranet.business import TODAY, record_business

ACCOUNT = ("viewer", "account")
PERIOD = {"from": "2026-01-01", "to": "2026-11-21"}
ORDERS = {"filter": {}, "first": 25}
READ: dict[str, tuple[type[Any], tuple[str, ...], dict[str, Any]]] = {
    "home": (HomeAccount, ACCOUNT, {"ledger": True, "open": OPEN, "late": LATE, "first": 8}),
    "orders": (ListedOrders, ACCOUNT, ORDERS),
    "orders_file": (FiledAccount, ACCOUNT, {"filter": {}, "first": 50}),
    "order": (Order, ("order",), {"first": 100, "ledger": True}),
    "order_lines": (FurtherLines, ("order", "lines"), {"first": 1}),
    "invoices": (Invoices, (*ACCOUNT, "invoices"), ORDERS),
    "invoice": (InvoicedAccount, ACCOUNT, {"filter": {"documentNumber": {"eq": "INV-1"}}, "first": 2}),
    "statement_balance_forward": (StatementAccount, ACCOUNT, {**PERIOD, "first": 100, "whole": False}),
    "statement_lines": (FurtherStatement, (*ACCOUNT, "statement"), {**PERIOD, "first": 2}),
    "cases": (CaseList, (*ACCOUNT, "cases"), ORDERS),
    "case": (CaseDetail, ("node",), {"ledger": True, "first": 100}),
    "case_about": (About, ("node",), {"ledger": True}),
    "case_file": (CaseFile, ("node",), {}),
    "issued_statements": (IssuedStatements, (*ACCOUNT, "issuedStatements"), {"first": 25}),
    "issued_statement": (IssuedStatement, ("node",), {"whole": True}),
    "preferences": (Preferences, ("viewer", "preferences"), {}),
    "details": (Details, ACCOUNT, {"ledger": True}),
    "activity": (Activity, (), {"filter": {}, "first": 50}),
    "people": (People, ACCOUNT, {"first": 50}),
    "person": (FoundPerson, ACCOUNT, {"id": "mem_" + "0" * 32}),
    "sites": (Places, ACCOUNT, {}),
    "statement_open_items": (StatementAccount, ACCOUNT, {"to": "2026-11-21", "whole": True}),
}  # fmt: skip
CHANGED = {
    *("statement_issue", "statement_file_keep"),
    *("announcement_put_away", "preferences_save", "consent_record"),
    *("case_open", "case_reply", "case_close"),
    *("member_invite", "member_invite_withdraw", "member_set_role", "member_set_sites", "member_remove"),
}  # what they change, tests of their pages tell
OF_ADMINISTRATORS = {"activity", "people", "person"}  # others are answered with nothing; tests of their pages tell
WITHOUT_LEDGER = {
    "details": {"ledger": False},
    "preferences": {},
    "sites": {},
    "home": {"ledger": False},
    "orders": {},
    "order": {"ledger": False},
    "orders_file": {},
    "order_lines": {},
    "cases": {},
    "case_about": {"ledger": False},
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A database with the tests' business, and the viewer each role is."""

    url: str
    ids: dict[str, str]
    viewers: dict[Role, Member]


@pytest.fixture(scope="module")
def world(shared_database_url: str) -> World:
    with connect(shared_database_url, "cdp_app") as connection:
        business = record_business(connection, issuer="http://localhost:8000/idp")
        rows = connection.execute(
            "SELECT role, member_id FROM membership WHERE account_id = %s", [business.accounts["K-1001"]]
        ).fetchall()
        file_ids = connection.execute("SELECT file_id FROM case_file").fetchall()
    viewers = {
        Role(role): Member(member_id=member_id, account_id=business.accounts["K-1001"], role=Role(role))
        for role, member_id in rows
    }
    (file_id,) = file_ids[0]
    issued = await_issued(shared_database_url, viewers[Role.FINANCE])
    ids = {
        "order": format_id("ord", business.orders["SO-1002"]),
        "order_lines": format_id("ord", business.orders["SO-1002"]),
        "issued_statement": issued,
        "case": format_id("cas", business.cases["K-1001"]),
        "case_about": format_id("ord", business.orders["SO-1002"]),
        "case_file": format_id("cfi", file_id),
    }
    return World(url=shared_database_url, ids=ids, viewers=viewers)


def await_issued(url: str, viewer: Member) -> str:
    """The id of a statement just issued."""

    async def issue() -> str:
        async with open_graph(url, "cdp_portal", writes=url) as graph:
            asked = {"kind": "OPEN_ITEM", "to": "2026-11-21"}
            result = await graph.execute(load_operations()["statement_issue"], asked, viewer, today=TODAY)
        assert result.data is not None, result.errors
        made: str = result.data["statementIssue"]["statement"]["id"]
        return made

    return asyncio.run(issue())


def test_every_stored_operation_is_read_here() -> None:
    assert set(load_operations()) == set(READ) | CHANGED


@pytest.mark.parametrize("name", READ)
async def test_an_operation_answers_what_its_page_reads_in_one_statement(world: World, name: str) -> None:
    await answer(world, name, Role.FINANCE, {})


@pytest.mark.parametrize("role", [Role.BUYER, Role.VIEWER])
@pytest.mark.parametrize("name", WITHOUT_LEDGER)
async def test_roles_without_the_ledger_ask_the_same_operations(world: World, name: str, role: Role) -> None:
    found = await answer(world, name, role, WITHOUT_LEDGER[name])
    if isinstance(found, HomeAccount):
        assert (found.balance, found.overdue, found.credit_limit, found.currencies) == (None, None, None, None)


@pytest.mark.parametrize("role", [Role.BUYER, Role.VIEWER])
@pytest.mark.parametrize("name", sorted(READ.keys() - WITHOUT_LEDGER.keys() - OF_ADMINISTRATORS - {"case_file"}))
async def test_the_graph_refuses_the_ledger_to_them_whatever_the_page_does(world: World, name: str, role: Role) -> None:
    variables = {**READ[name][2], **({"id": world.ids[name]} if name in world.ids else {})}
    async with open_graph(world.url, "cdp_portal") as graph:
        result = await graph.execute(load_operations()[name], variables, world.viewers[role], today=TODAY)
    assert {error["extensions"]["code"] for error in result.errors} == {"scope_missing"}
    assert "2800" not in str(result.data)


async def answer(world: World, name: str, role: Role, changes: dict[str, Any]) -> Any:
    kind, path, variables = READ[name]
    asked = {**variables, **changes, **({"id": world.ids[name]} if name in world.ids else {})}
    async with open_graph(world.url, "cdp_portal") as graph:
        result = await graph.execute(load_operations()[name], asked, world.viewers[role], today=TODAY)
    assert result.errors == []
    assert result.statements == (2 if name == "activity" else 1)  # the record, and names to read it by
    value: Any = result.data
    for part in path:
        value = value[part]
    return msgspec.convert(value, kind)
