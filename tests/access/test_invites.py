"""Invites, from the command line to the first sign-in."""

import json
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from cdp.access.people import EmailTaken, NoAccountWithNumber, create_member, invite_member
from cdp.access.viewer import Role
from cdp.cli.access import commands
from cdp.db.engine import connect
from cdp.errors import InvalidField
from tests.access.issuers import OURS
from tests.access.test_signing_in import session, signed_in
from tests.access.world import API, ISSUER, NORD, PASSWORD, SUED, Stage, World, hidden_fields


@pytest.fixture
def cli(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name, value in {"DATABASE_URL": world.url, "DATA_DIR": str(tmp_path), "SECRET_KEY": "s" * 48}.items():
        monkeypatch.setenv(f"CDP_{name}", value)
    return CliRunner()


def invite(world: World, email: str, number: str = NORD, role: Role = Role.BUYER) -> str:
    with connect(world.url) as connection:
        secret = invite_member(connection, email=email, account_number=number, role=role, invited_by="test")
    return f"{ISSUER}/invite/{secret}"


async def accept(visitor: httpx2.AsyncClient, link: str, **form: str) -> httpx2.Response:
    page = await visitor.get(link)
    sent = {**hidden_fields(page.text), **form}
    return await visitor.post(link, data=sent, headers={"Origin": API})


async def test_the_command_line_prints_a_link_that_makes_a_member(
    visitor: httpx2.AsyncClient, world: World, cli: CliRunner
) -> None:
    said = cli.invoke(
        commands, ["member", "invite", "Nina@Example.com", "--account", NORD, "--role", "buyer", "--json"]
    )
    assert said.exit_code == 0, said.output
    link = json.loads(said.output)["link"]
    page = await visitor.get(link)
    assert f"Account {NORD}" in page.text
    assert "nina@example.com" in page.text
    assert page.headers["referrer-policy"] == "same-origin"
    done = await accept(visitor, link, name="Nina", password=PASSWORD)
    assert "You are now a member" in done.text
    await signed_in(visitor, OURS, "nina")
    told = await session(visitor)
    assert (told["name"], told["account"], told["role"]) == ("Nina", NORD, "buyer")
    assert link.rpartition("/")[2] not in str(world.execute("SELECT * FROM invite"))
    assert world.execute("SELECT outcome FROM audit_record WHERE event = 'invite_accepted'") == [("done",)]


async def test_an_invite_works_once_and_for_three_days(visitor: httpx2.AsyncClient, world: World) -> None:
    used, old = invite(world, "nina@example.com"), invite(world, "otto@example.com")
    await accept(visitor, used, name="Nina", password=PASSWORD)
    world.execute("UPDATE invite SET created_at = now() - interval '73 hours' WHERE email = 'otto@example.com'")
    for link in (used, old, f"{ISSUER}/invite/{'x' * 43}"):
        answer = await visitor.get(link)
        assert answer.status_code == 404
        assert "already used, or has expired" in answer.text
        form = {"name": "Otto", "password": PASSWORD}
        assert (await visitor.post(link, data=form, headers={"Origin": API})).status_code == 404
    assert world.execute("SELECT count(*) FROM idp_user WHERE email = 'otto@example.com'") == [(0,)]


async def test_an_invite_is_no_way_into_somebody_elses_sign_in(visitor: httpx2.AsyncClient, world: World) -> None:
    link = invite(world, "vera@example.com", NORD, Role.CLIENT_ADMIN)
    before = world.execute("SELECT password_hash FROM idp_user WHERE email = 'vera@example.com'")
    refused = await accept(visitor, link, name="Mallory", password="another password")
    assert refused.status_code == 422
    assert world.execute("SELECT password_hash FROM idp_user WHERE email = 'vera@example.com'") == before
    assert world.execute("SELECT count(*) FROM membership WHERE member_id = %s", world.members["vera"]) == [(1,)]
    assert "You are now a member" in (await accept(visitor, link, password=PASSWORD)).text
    roles = world.execute("SELECT role FROM membership WHERE member_id = %s ORDER BY role", world.members["vera"])
    assert roles == [("client_admin",), ("viewer",)]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"name": "Nina", "password": "short"}, "The password must have 12 to 256 characters."),
        ({"name": " ", "password": PASSWORD}, "The name must not be empty."),
        ({"name": "Nina", "password": "x" * 300}, "The password must have 12 to 256 characters."),
    ],
)
async def test_a_bad_form_is_told_and_the_invite_stays_open(
    visitor: httpx2.AsyncClient, world: World, form: dict[str, str], said: str
) -> None:
    link = invite(world, "nina@example.com")
    answer = await accept(visitor, link, **form)
    assert answer.status_code == 422
    assert said in answer.text
    assert world.execute("SELECT accepted_at FROM invite") == [(None,)]


async def test_an_invite_posted_from_elsewhere_is_refused(stage: Stage, world: World) -> None:
    link = invite(world, "nina@example.com")
    async with stage.browser() as visitor:
        page = await visitor.get(link)
        form = {**hidden_fields(page.text), "name": "Nina", "password": PASSWORD}
        answer = await visitor.post(link, data=form, headers={"Origin": "https://evil.example"})
        assert answer.status_code == 403
    assert world.execute("SELECT accepted_at FROM invite") == [(None,)]


def test_nobody_is_invited_to_an_account_that_is_not_there(world: World, cli: CliRunner) -> None:
    said = cli.invoke(commands, ["member", "invite", "a@example.com", "--account", "K-9", "--role", "buyer"])
    assert isinstance(said.exception, NoAccountWithNumber)
    assert world.execute("SELECT count(*) FROM invite") == [(0,)]


def test_a_client_made_on_the_command_line_is_shown_its_secret_once(world: World, cli: CliRunner) -> None:
    said = cli.invoke(
        commands, ["client", "create", "BI tool", "--scope", "graph:read", "--scope", "feed:read", "--json"]
    )
    made = json.loads(said.output)
    assert made["scopes"] == ["feed:read", "graph:read"]
    assert made["client_id"].startswith("bi-tool-")
    stored = str(world.execute("SELECT * FROM oauth_client WHERE client_id = %s", made["client_id"]))
    assert made["client_secret"] not in stored
    held = cli.invoke(commands, ["client", "create", "Kiosk", "--scope", "graph:read", "--trusted-only", "--json"])
    rows = world.execute("SELECT client_id, trusted_only FROM oauth_client")
    assert {(made["client_id"], False), (json.loads(held.output)["client_id"], True)} <= set(rows)
    refused = cli.invoke(commands, ["client", "create", "BI tool", "--scope", "everything"])
    assert refused.exit_code == 2
    assert "everything" in refused.output


def test_a_source_made_on_the_command_line_is_shown_its_write_key_once(world: World, cli: CliRunner) -> None:
    said = cli.invoke(
        commands, ["source", "create", "shop-berlin", "--channel", "store", "--location", "Berlin", "--json"]
    )
    made = json.loads(said.output)
    row = world.execute("SELECT channel, location FROM source WHERE name = 'shop-berlin'")
    assert row == [("store", "Berlin")]
    assert made["write_key"]
    assert made["write_key"] not in str(world.execute("SELECT * FROM write_key"))


def test_making_members_in_code_says_what_is_wrong_and_changes_nothing(world: World) -> None:
    def make(email: str = "new@example.com", number: str = NORD, password: str = PASSWORD) -> None:
        with connect(world.url) as connection:
            create_member(
                connection, issuer=ISSUER, email=email, name="N", password=password, accounts=[(number, Role.VIEWER)]
            )

    with pytest.raises(EmailTaken):
        make(email="VERA@example.com")
    with pytest.raises(NoAccountWithNumber, match="K-9"):
        make(number="K-9")
    with pytest.raises(InvalidField):
        make(password="short")
    assert world.execute("SELECT count(*) FROM idp_user WHERE email = 'new@example.com'") == [(0,)]
    make(number=SUED)
    assert world.execute("SELECT count(*) FROM idp_user WHERE email = 'new@example.com'") == [(1,)]
