"""Every page, file and form of the extranet, as each role: what isn't one's own is answered as what isn't there.

The routes say which there are; links and forms of the pages say with which parameters. A page or form that is added joins by
itself: every route must be reached by somebody, and every id in an address or a form is tried with another account's.
"""

import asyncio
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2
import psycopg
import pytest
from pypdf import PdfReader
from starlette.routing import Route

from cdp.access.sealing import digest
from cdp.access.viewer import Role
from cdp.graph.compiler import Compiler
from cdp.schema import open_graph
from cdp.schema.execution import runner
from extranet.app import ROUTES
from extranet.portal import load_operations
from tests.databases import Databases
from tests.graph.business import id_of, uuid_of
from tests.graph.conftest import member
from tests.security.crawling import LEFT_ALONE, NOW, TYPED_ID, Form, route_of, secret_of, visiting, walk
from tests.security.test_changes import KINDS
from tests.security.worlds import ABSENT, OTHER, OWN, Worlds, both, contents, tells

MALFORMED: Final = ("x", "ord_", "%00", "%F0%9F%92%A9", "x" * 300)
# Reached by nobody who is signed in, or by one who left.
WITHOUT_SESSION: Final = {"/signed-out", "/healthz", "/readyz", "/auth/back-channel-logout"}
ANSWERED_ALIKE: Final = {"/{anything:path}", "/unsubscribe/{token}"}
"""Routes whose parameter is no id."""
CSRF_TOKEN: Final = re.compile(r'(?<=name="csrf_token" value=")[^"]*')
PARAMETER: Final = re.compile(r"\{(\w+)\}")
FOR_ALL: Final = frozenset({"audit_record", "audit_refusal", "allowance", "login_session"})


@pytest.fixture(scope="module")
def worlds(databases: Databases) -> Iterator[Worlds]:
    with both(databases, prepare=prepare) as made:
        yield made


def prepare(url: str) -> None:
    """Sign in a member of each role, invite and tell somebody something, and issue a statement as its page does."""
    with psycopg.connect(url) as connection:
        for number, role in enumerate(Role, start=1):
            connection.execute(
                "INSERT INTO login_session (session_hash, member_id, account_id, authenticated_at) VALUES (%s, %s, %s, now())",
                [digest(secret_of(role)), uuid_of("0008", number), uuid_of("0004", OWN)],
            )
        for number in (OWN, OTHER):
            connection.execute(
                """INSERT INTO invite (invite_hash, invite_id, email, account_id, role, invited_by)
                VALUES (%s, %s, 'x@example.com', %s, 'viewer', 'x')""",
                (bytes([number]), uuid_of("0030", number), uuid_of("0004", number)),
            )
            connection.execute(
                """INSERT INTO announcement (title, body, account_id, written_by, published_at)
                VALUES ('Closed', 'On Friday', %s, 'x', '2026-06-30')""",
                [uuid_of("0004", number)],
            )
        # So that there is a site that people can be limited to.
        connection.execute("UPDATE sales_order SET location = 'Porto' WHERE number LIKE '%-1'")
        own = [uuid_of("0004", OWN)]
        connection.execute("SET session_replication_role = replica")
        connection.execute("DELETE FROM issued_statement_file WHERE account_id = %s", own)
        connection.execute("DELETE FROM issued_statement WHERE account_id = %s", own)
    asyncio.run(_issue(url))
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "UPDATE issued_statement SET statement_id = %s WHERE account_id = %s", [uuid_of("000e", OWN), *own]
        )


async def _issue(url: str) -> None:
    given = {"kind": "OPEN_ITEM", "to": "2026-06-30"}
    async with open_graph(url, "cdp_portal", writes=url) as graph:
        result = await graph.execute(
            load_operations()["statement_issue"], given, member(2, OWN, Role.FINANCE), today=NOW.date()
        )
    assert result.data is not None
    assert result.data["statementIssue"]["userErrors"] == [], result


@pytest.mark.parametrize("role", list(Role))
async def test_every_page_is_the_same_whether_there_are_others_or_not(
    worlds: Worlds, role: Role, tmp_path: Path
) -> None:
    async with (
        visiting(worlds.crowded, tmp_path / "a", role) as crowded,
        visiting(worlds.alone, tmp_path / "b", role) as alone,
    ):
        for address, answer in (await walk(crowded)).answers.items():
            assert answer.status_code < 500, address
            told = everything_in(answer)
            assert not tells(told), address
            assert timeless(told) == timeless(everything_in(await alone.get(address))), address


@pytest.mark.parametrize("role", list(Role))
async def test_an_id_of_another_account_in_an_address_is_as_good_as_none(
    worlds: Worlds, role: Role, tmp_path: Path
) -> None:
    async with visiting(worlds.crowded, tmp_path, role) as browser:
        linked = [address for address in (await walk(browser)).answers if TYPED_ID.search(address)]
        for address in [*linked, *from_routes("GET")]:
            for other, absent in pairs(address):
                told = await browser.get(other)
                assert told.status_code < 500, other
                assert shown(told) == shown(await browser.get(absent)), other
                assert not tells(everything_in(told)), other
            for text in MALFORMED:
                told = await browser.get(TYPED_ID.sub(text, address))
                assert told.status_code in {200, 303, 400, 404}, (address, text)
                assert not tells(everything_in(told)), (address, text)


@pytest.mark.parametrize("role", list(Role))
async def test_an_id_of_another_account_in_a_form_is_as_good_as_none_and_changes_nothing(
    worlds: Worlds, role: Role, tmp_path: Path
) -> None:
    async with visiting(worlds.crowded, tmp_path, role) as browser:
        found = await walk(browser)
        token = next(form.fields["csrf_token"] for form in found.forms.values())
        before = contents(worlds.crowded, but=FOR_ALL)
        forms = [*found.forms.values(), *(Form(path, {"csrf_token": token}) for path in from_routes("POST"))]
        for form in forms:
            for other, absent in form_pairs(form):
                told = [
                    await browser.post(each.action, data=each.fields, headers={"Origin": str(browser.base_url)})
                    for each in (other, absent)
                ]
                assert shown(told[0]) == shown(told[1]), (other, told)
                assert told[0].status_code in {303, 400, 403, 404, 405}, (other, told)
                assert not tells(everything_in(told[0])), other
        assert contents(worlds.crowded, but=FOR_ALL) == before


async def test_every_route_is_reached_by_somebody(worlds: Worlds, tmp_path: Path) -> None:
    """Or the tests above would try nothing of it."""
    reached: set[str] = set()
    for role in Role:
        async with visiting(worlds.crowded, tmp_path / role, role) as browser:
            found = await walk(browser)
            reached |= {
                route_of(urlsplit(address).path) for address, answer in found.answers.items() if answer.is_success
            }
            reached |= {route_of(urlsplit(form.action).path) for form in found.forms.values()}
            for address in from_routes("GET", own=True):
                answer = await browser.get(address)
                reached |= {route_of(address)} if answer.is_success else set()
    declared = {route.path for route in ROUTES if isinstance(route, Route)}
    assert declared - reached - LEFT_ALONE - WITHOUT_SESSION - ANSWERED_ALIKE == set()


def from_routes(method: str, *, own: bool = False) -> list[str]:
    """An address for each route that takes ids, with an own id of every kind."""
    return [
        PARAMETER.sub(id_of(prefix, group, of(OWN)), route.path)
        for route in ROUTES
        if isinstance(route, Route) and "{" in route.path and route.path not in ANSWERED_ALIKE
        if method in (route.methods or ())
        for prefix, group, of in KINDS.values()
    ]


def pairs(address: str) -> Iterator[tuple[str, str]]:
    """The address with another account's id and with an absent one, for each id in it."""
    for match in TYPED_ID.finditer(address):
        for text in others(match[0]):
            yield tuple(address[: match.start()] + each + address[match.end() :] for each in text)  # type: ignore[misc]


def form_pairs(form: Form) -> Iterator[tuple[Form, Form]]:
    """As `pairs`, of a form's address and of each of its fields."""
    for other, absent in pairs(form.action):
        yield Form(other, form.fields), Form(absent, form.fields)
    for name, value in form.fields.items():
        for other, absent in pairs(value):
            yield Form(form.action, {**form.fields, name: other}), Form(form.action, {**form.fields, name: absent})


def others(own: str) -> Iterator[tuple[str, str]]:
    """Another account's id and an absent one, of each kind with the same prefix."""
    for prefix, group, of in KINDS.values():
        if own.startswith(f"{prefix}_"):
            yield id_of(prefix, group, of(OTHER)), id_of(prefix, group, of(ABSENT))


def shown(answer: httpx2.Response) -> tuple[int, str, str]:
    """What is seen of an answer, but for the ids that were asked with."""
    where = TYPED_ID.sub("id", answer.headers.get("location", ""))
    return answer.status_code, where, TYPED_ID.sub("id", everything_in(answer))


def timeless(text: str) -> str:
    """Without times of day: the two worlds are asked one after the other."""
    return re.sub(r"\d{1,2}:\d{2}(:[\d.]+)?(\s[AP]M)?|seconds? ago|minutes? ago", "", text)


def everything_in(answer: httpx2.Response) -> str:
    """What an answer says, files unpacked; without the forms' tokens, which are written anew each time."""
    if answer.content.startswith(b"%PDF"):
        document = PdfReader(io.BytesIO(answer.content))
        return " ".join(page.extract_text() for page in document.pages)
    if answer.content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
            return " ".join(book.read(name).decode() for name in book.namelist() if not name.startswith("docProps"))
    return CSRF_TOKEN.sub("", answer.text)


@pytest.fixture
def policies_off(worlds: Worlds) -> Iterator[None]:
    """Row-level security is switched off in every table: only the application's checks stand."""
    with psycopg.connect(worlds.crowded, autocommit=True) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity"
        ).fetchall()
        for (table,) in tables:
            connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY".encode())
        yield
        for (table,) in tables:
            connection.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY".encode())


@pytest.fixture
def first_wall_down(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither scopes nor visibility are checked: only row-level security stands."""
    monkeypatch.setattr(Compiler, "authorise", lambda *_arguments: None)
    monkeypatch.setattr(Compiler, "_visible", lambda *_arguments: [])
    runner.plans.clear()
    yield
    runner.plans.clear()


async def foreign_pages(url: str, folder: Path, role: Role) -> dict[str, httpx2.Response]:
    """Every page, and those of another account's things."""
    async with visiting(url, folder, role) as browser:
        found = (await walk(browser)).answers
        foreign = [other for address in found for other, _absent in pairs(address)]
        assert foreign
        return {**found, **{address: await browser.get(address) for address in foreign}}


@pytest.mark.parametrize("wall_down", ["policies_off", "first_wall_down"])
async def test_no_page_shows_others_with_one_wall_down(
    worlds: Worlds, wall_down: str, tmp_path: Path, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nor does the log."""
    request.getfixturevalue(wall_down)
    for role in (Role.CLIENT_ADMIN, Role.BUYER):
        answers = await foreign_pages(worlds.crowded, tmp_path / role, role)
        assert [address for address, answer in answers.items() if tells(everything_in(answer))] == []
    logged = capfd.readouterr()
    assert '"route": "/orders"' in logged.out
    assert not tells(logged.out + logged.err)


@pytest.mark.usefixtures("policies_off", "first_wall_down")
async def test_with_both_walls_down_the_canaries_would_be_seen(worlds: Worlds, tmp_path: Path) -> None:
    answers = await foreign_pages(worlds.crowded, tmp_path, Role.CLIENT_ADMIN)
    assert [address for address, answer in answers.items() if tells(everything_in(answer))]
