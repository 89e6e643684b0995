"""Helping people from the command line: a new password, a start without second factors, signing out, members of other issuers."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from cdp.cli import app
from tests.access.issuers import OURS
from tests.access.test_resets import NEW, choose, letters
from tests.access.test_second_step import enrol
from tests.access.test_signing_in import session, signed_in
from tests.access.world import ISSUER, NORD, Stage, follow, submit_password

Run = Callable[..., Any]


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Run:
    settings = stage.world.settings
    monkeypatch.setenv("CDP_DATABASE_URL", stage.world.url)
    monkeypatch.setenv("CDP_SECRET_KEY", settings.secret_key or "")
    monkeypatch.setenv("CDP_DATA_DIR", str(settings.data_dir))
    return lambda *words: CliRunner().invoke(app, ["member", *words])


async def test_who_lost_everything_starts_anew(visitor: httpx2.AsyncClient, stage: Stage, run: Run) -> None:
    page = await visitor.get(f"{ISSUER}/security")
    await follow(visitor, await submit_password(visitor, page, "fina@example.com"))
    await enrol(visitor)
    told = json.loads(run("reset", "Fina@example.com", "--remove-second-factors", "--json").output)
    assert told["second_factors_removed"] == 1
    async with stage.browser() as browser:
        assert "Your password is changed" in (await choose(browser, told["link"])).text
        page = await browser.get(f"{ISSUER}/security")
        assert (await submit_password(browser, page, "fina@example.com", NEW)).status_code == 303
    noted = stage.world.execute(
        "SELECT event FROM audit_record WHERE actor = 'command line' AND event <> 'member_invited' ORDER BY audit_id"
    )
    assert noted == [("password_reset_asked",), ("second_factors_removed",)]


async def test_the_link_can_be_mailed_and_nobody_unknown_gets_one(stage: Stage, run: Run) -> None:
    assert run("reset", "bodo@example.com", "--mail").output.endswith("The letter is on its way.\n")
    assert letters(stage)[-1][0] == "bodo@example.com"
    refused = run("reset", "nobody@example.com")
    assert str(refused.exception) == "Nobody signs in here as nobody@example.com."


async def test_a_member_s_sessions_are_listed_and_ended(visitor: httpx2.AsyncClient, stage: Stage, run: Run) -> None:
    await signed_in(visitor, OURS, "fina")
    (one,) = json.loads(run("sessions", "fina@example.com", "--json").output)
    assert (one["device"], one["account"]) == ("Unknown browser", NORD)
    assert NORD in run("sessions", "fina@example.com").output
    assert run("sign-out", "fina@example.com").output == "Sessions ended: 1.\n"
    assert await session(visitor) is None
    assert stage.world.execute("SELECT count(*) FROM idp_session") == [(0,)]
    assert run("sessions", "fina@example.com").output == "No session.\n"
    assert str(run("sign-out", "nobody@example.com").exception) == "Nobody signs in here as nobody@example.com."


def test_somebody_of_another_issuer_is_let_in_by_subject(
    stage: Stage, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (
        "link",
        "ana@client.example",
        "--subject",
        "auth0|ana",
        "--name",
        "Ana",
        "--account",
        NORD,
        "--role",
        "buyer",
    )
    assert "is not set" in str(run(*words).exception)
    monkeypatch.setenv("CDP_OIDC_ISSUER", "https://tenant.eu.auth0.com/")
    monkeypatch.setenv("CDP_OIDC_CLIENT_ID", "us")
    assert run(*words).output == f"ana@client.example is buyer of {NORD}.\n"
    found = stage.world.execute("SELECT issuer, subject FROM member WHERE email = 'ana@client.example'")
    assert found == [("https://tenant.eu.auth0.com/", "auth0|ana")]
    assert "passwords are changed at that issuer" in str(run("reset", "ana@client.example").exception)
