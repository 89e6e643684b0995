"""Staff see the extranet as a client sees it: by a link good once, to read alone, for half an hour, and the client reads it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import psycopg
import pytest

from cdp.access.viewer import ENTER, Anonymous, Member, Role, Scope, Tool, entry
from cdp.db.engine import connect
from cdp.db.ids import format_id
from cdp.schema import open_graph
from cdp.settings import load_settings
from tests.extranet.conftest import Site, running_site
from tests.extranet.reading import read, rows

START = """mutation($account: ID!, $role: MemberRole! = CLIENT_ADMIN, $reason: String!) {
  viewAsStart(input: { accountId: $account, role: $role, reason: $reason }) { link userErrors { code } }
}"""
MARTA = Tool(client_id="crm", scopes=frozenset({Scope.ADMIN}), acting_for="marta-subject")
REASON = "you asked about INV-3"


@pytest.fixture(scope="module")
def site(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(shared_database_url, tmp_path_factory.mktemp("data")) as site:
        execute(site, "UPDATE staff SET subject = 'marta-subject' WHERE email = 'marta@meridian.example'")
        yield site


def execute(site: Site, statement: str) -> None:
    with connect(site.database_url, "cdp_app") as connection:
        connection.execute(statement.encode())


def ask(site: Site, viewer: Any = MARTA, number: str = "K-1001", **variables: str) -> dict[str, Any]:
    """What the mutation answers to a tool."""

    async def run() -> Any:
        url = site.database_url
        settings = load_settings(extranet_url=site.url, public_url=site.issuer)
        async with open_graph(url, "cdp_app", writes=url, settings=settings) as graph:
            asked = {"account": format_id("acc", site.business.accounts[number]), "reason": REASON, **variables}
            return await graph.execute(START, asked, viewer)

    result = asyncio.run(run())
    return {"errors": result.errors, **((result.data or {}).get("viewAsStart") or {})}


@contextmanager
def looking(site: Site, **variables: str) -> Iterator[httpx2.Client]:
    """The browser of somebody who looks."""
    path = ask(site, **variables)["link"].removeprefix(site.url)
    with site.client() as browser:
        assert browser.post(path).headers["location"] == "/"
        yield browser


def counts(site: Site) -> list[tuple[int, ...] | None]:
    """How many rows there are of what members add."""
    with connect(site.database_url, "cdp_app") as connection:
        return [
            connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
            for table in ("issued_statement", "invite", "customer_case", "membership")
        ]


def test_a_link_opens_a_view_once_and_opening_the_page_is_not_enough(site: Site) -> None:
    path = ask(site)["link"].removeprefix(site.url)
    with site.client() as browser:
        assert browser.get(path).status_code == 200
        assert browser.get("/").headers["location"].startswith("/sign-in")
        assert browser.post(path, headers={"Origin": "https://evil.example"}).status_code == 403
        assert browser.post(path).headers["location"] == "/"
        shown = read(browser.get("/").text)
        assert shown.one("h1").text == "Lusitânia Gráfica"
        assert shown.one("div", class_="looking").one("p").text == (
            "You see Lusitânia Gráfica as they see it. To read alone, as: Administrator. Reason: you asked about INV-3"
        )
        for page in ("/statement", "/invoices", "/orders", "/people", "/activity", "/details"):
            answer = browser.get(page)
            assert answer.status_code == 200, page
            assert len(read(answer.text).all("div", class_="looking")) == 1
            assert "canary" not in answer.text
    with site.client() as other:
        assert other.post(path).status_code == 404


def test_a_view_sees_what_the_role_sees(site: Site) -> None:
    with looking(site, role="BUYER") as browser:
        assert browser.get("/orders").status_code == 200
        assert [browser.get(path).status_code for path in ("/statement", "/people", "/activity")] == [404] * 3
        assert "2,800.00" not in browser.get("/").text


def test_nothing_is_changed_and_no_file_taken_away(site: Site) -> None:
    before = counts(site)
    with looking(site) as browser:
        token = read(browser.get("/people").text).all("input", name="csrf_token")[0].attributes["value"]
        member = read(browser.get("/people").text).all("table")[0].all("a")[0].attributes["href"]
        issue = {"kind": "balance-forward", "from": "2026-08-01", "to": "2026-10-31", "currency": "EUR"}
        for path, fields in (
            ("/statement/issued", issue),
            ("/people/invite", {"email": "x@lusitania.example", "role": "viewer"}),
            (f"{member}/remove", {}),
            ("/cases/new", {"kind": "question", "subject": "Hello", "text": "Hello"}),
        ):
            answer = browser.post(path, data={"csrf_token": token, **fields})
            assert (answer.status_code, path) == (403, path)
        assert browser.get("/statement.csv").status_code == 403
    assert counts(site) == before


def test_the_client_reads_who_looked_and_why(site: Site) -> None:
    with looking(site, reason="the quarterly talk") as browser:
        token = read(browser.get("/").text).all("input", name="csrf_token")[0].attributes["value"]
        assert browser.post("/end-view", data={"csrf_token": token}).headers["location"] == "/signed-out"
        assert browser.get("/").headers["location"].startswith("/sign-in")
    with site.as_member("admin@lusitania.example") as admin:
        told = [row[1:] for row in rows(read(admin.get("/activity?show=staff").text).one("table"))]
    assert told[:2] == [
        ["Marta Kowalska Meridian Supply", "Stopped seeing these pages as you see them."],
        [
            "Marta Kowalska Meridian Supply",
            "Saw these pages as you see them, for up to 30 minutes. Reason: the quarterly talk",
        ],
    ]


@pytest.mark.parametrize(
    "over",
    [
        "UPDATE view_as SET opened_at = now() - interval '31 minutes'",
        "UPDATE staff SET disabled_at = now() WHERE subject = 'marta-subject'",
    ],
)
def test_a_view_ends_with_its_time_and_with_its_person(site: Site, over: str) -> None:
    with looking(site) as browser:
        assert browser.get("/orders").status_code == 200
        execute(site, over)
        try:
            assert browser.get("/orders").headers["location"].startswith("/sign-in")
        finally:
            execute(site, "UPDATE staff SET disabled_at = NULL")


def test_a_link_is_good_for_five_minutes(site: Site) -> None:
    path = ask(site)["link"].removeprefix(site.url)
    execute(site, "UPDATE view_as SET created_at = now() - interval '6 minutes' WHERE opened_at IS NULL")
    with site.client() as browser:
        assert browser.post(path).status_code == 404


@pytest.mark.parametrize(
    ("viewer", "code"),
    [
        (Tool(client_id="crm", scopes=frozenset(Scope) - {Scope.ADMIN}, acting_for="marta-subject"), "scope_missing"),
        (Anonymous(), "scope_missing"),
    ],
)
def test_only_administrators_tools_start_one(site: Site, viewer: Any, code: str) -> None:
    assert [error["extensions"]["code"] for error in ask(site, viewer)["errors"]] == [code]


def test_a_tool_by_itself_an_unknown_person_and_no_reason_are_refused(site: Site) -> None:
    alone = Tool(client_id="crm", scopes=frozenset({Scope.ADMIN}))
    nobody = Tool(client_id="crm", scopes=frozenset({Scope.ADMIN}), acting_for="somebody")
    codes = [ask(site, viewer)["userErrors"][0]["code"] for viewer in (alone, nobody)]
    codes.append(ask(site, reason=" ")["userErrors"][0]["code"])
    codes.append(ask(site, account=format_id("acc", site.business.orders["SO-1001"]))["userErrors"][0]["code"])
    assert codes == ["staff_not_found", "staff_not_found", "reason_required", "account_not_found"]


def test_the_database_lets_a_view_write_nothing(site: Site) -> None:
    """The second wall alone: in a transaction that could write, with settings of a live view."""
    with looking(site):
        pass
    with connect(site.database_url, "cdp_app") as connection:
        row = connection.execute(
            "SELECT view_id, account_id FROM view_as ORDER BY opened_at DESC NULLS LAST"
        ).fetchone()
        writable = {
            table
            for (table,) in connection.execute(
                """SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
                AND (has_any_column_privilege('cdp_portal', oid, 'INSERT')
                    OR has_any_column_privilege('cdp_portal', oid, 'UPDATE')
                    OR has_table_privilege('cdp_portal', oid, 'DELETE'))"""
            )
        }
        guarded = {
            table
            for (table,) in connection.execute(
                "SELECT tablename FROM pg_policies WHERE policyname = 'nobody_writes_while_looking'"
            )
        }
    assert row
    assert writable
    assert writable == guarded, "a table that members add to needs the policy nobody_writes_while_looking"
    with connect(site.database_url, "cdp_portal") as connection:
        viewer = Member(member_id=row[0], account_id=row[1], role=Role.CLIENT_ADMIN, is_looking=True)
        connection.execute(ENTER, entry(viewer))
        assert connection.execute("SELECT number FROM account").fetchall() == [("K-1001",)]
        assert connection.execute("SELECT code FROM portal_invite('x', 'y@z.example', 'viewer', 0, 0)").fetchone() == (
            "not_client_admin",
        )
        assert connection.execute("SELECT portal_save_preferences('{}', '{}', '{}', NULL, 'en', 'UTC')").fetchone() == (
            False,
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            connection.execute(
                """INSERT INTO issued_statement_file (customer_id, statement_id, format, account_id, content, sha256)
                SELECT customer_id, new_id(), 'pdf', account_id, 'x', 'x' FROM account"""
            )
