"""Sessions in the extranet: how long they live, what ends them, and what a form needs."""

from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response

from cdp.access.cookies import SecretCookie
from cdp.access.portal import own_path
from cdp.settings import Settings
from tests.access.issuers import OURS
from tests.access.test_signing_in import session, signed_in
from tests.access.world import EXTRANET, NORD, SUED, Stage


def cookie(visitor: httpx2.AsyncClient) -> str:
    return next(str(found.value) for found in visitor.cookies.jar if found.name == "sid")


@pytest.mark.parametrize(
    ("column", "age", "lives"),
    [
        ("last_seen_at", timedelta(minutes=29), True),
        ("last_seen_at", timedelta(minutes=31), False),
        ("created_at", timedelta(hours=11, minutes=59), True),
        ("created_at", timedelta(hours=12, minutes=1), False),
    ],
)
async def test_a_session_ends_when_idle_and_in_any_case(
    visitor: httpx2.AsyncClient, stage: Stage, column: str, age: timedelta, *, lives: bool
) -> None:
    await signed_in(visitor, OURS, "fina")
    stage.world.execute(f"UPDATE login_session SET {column} = now() - %s", age)
    assert (await session(visitor) is not None) is lives
    assert stage.world.execute("SELECT count(*) FROM login_session") == [(int(lives),)]


async def test_a_request_keeps_the_session_awake(visitor: httpx2.AsyncClient, stage: Stage) -> None:
    await signed_in(visitor, OURS, "fina")
    stage.world.execute("UPDATE login_session SET last_seen_at = now() - interval '20 minutes'")
    await session(visitor)
    assert stage.world.execute("SELECT now() - last_seen_at < interval '1 minute' FROM login_session") == [(True,)]


async def test_a_removed_membership_ends_the_session_on_the_next_request(
    visitor: httpx2.AsyncClient, stage: Stage
) -> None:
    await signed_in(visitor, OURS, "bodo")
    stage.world.execute("DELETE FROM membership WHERE member_id = %s", stage.world.members["bodo"])
    assert await session(visitor) is None
    assert stage.world.execute("SELECT count(*) FROM login_session") == [(0,)]


async def test_a_changed_role_holds_on_the_next_request(visitor: httpx2.AsyncClient, stage: Stage) -> None:
    await signed_in(visitor, OURS, "bodo")
    stage.world.execute("UPDATE membership SET role = 'viewer' WHERE member_id = %s", stage.world.members["bodo"])
    assert (await session(visitor))["role"] == "viewer"


async def test_switching_account_changes_the_id_and_nothing_else(visitor: httpx2.AsyncClient, stage: Stage) -> None:
    await signed_in(visitor, OURS, "fina")
    before, told = cookie(visitor), await session(visitor)
    stage.world.execute("UPDATE login_session SET created_at = created_at - interval '1 hour'")
    form = {"csrf_token": str(told["csrf_token"]), "number": SUED}
    answer = await visitor.post(f"{EXTRANET}/account", data=form, headers={"Origin": EXTRANET})
    assert answer.status_code == 303
    assert cookie(visitor) != before
    after = await session(visitor)
    assert (after["account"], after["name"]) == (SUED, "Fina")
    assert after["csrf_token"] != told["csrf_token"]
    hours = stage.world.execute("SELECT now() - created_at > interval '59 minutes' FROM login_session")
    assert hours == [(True,)]  # the absolute limit runs on
    async with stage.browser() as thief:
        thief.cookies.set("sid", before, domain="localhost.local", path="/")
        assert await session(thief) is None
    form = {"csrf_token": str(after["csrf_token"])}
    out = await visitor.post(f"{EXTRANET}/sign-out", data=form, headers={"Origin": EXTRANET})
    assert "id_token_hint=" in out.headers["location"]  # the sealed ID token came along


@pytest.mark.parametrize("number", [SUED, "K-9999", ""])
async def test_an_account_of_others_and_one_that_is_not_there_give_the_same_answer(
    visitor: httpx2.AsyncClient, stage: Stage, number: str
) -> None:
    await signed_in(visitor, OURS, "bodo")
    form = {"csrf_token": str((await session(visitor))["csrf_token"]), "number": number}
    answer = await visitor.post(f"{EXTRANET}/account", data=form, headers={"Origin": EXTRANET})
    assert answer.status_code == 404
    assert answer.json() == {
        "code": "no_such_account",
        "message": "There is no such account, or it is not yours to see.",
    }
    assert (await session(visitor))["account"] == NORD


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"Origin": "https://evil.example"}, "right"),
        ({"Origin": "null"}, "right"),
        ({"Origin": f"{EXTRANET}.evil.example"}, "right"),
        ({"Sec-Fetch-Site": "cross-site"}, "right"),
        ({"Sec-Fetch-Site": "same-site"}, "right"),
        ({"Origin": EXTRANET}, "wrong"),
        ({"Origin": EXTRANET}, "of another session"),
        ({"Origin": EXTRANET}, None),
    ],
)
async def test_a_form_from_elsewhere_changes_nothing(
    visitor: httpx2.AsyncClient, stage: Stage, headers: dict[str, str], token: str | None
) -> None:
    await signed_in(visitor, OURS, "fina")
    form = {"number": SUED}
    if token == "of another session":
        async with stage.browser() as other:
            await signed_in(other, OURS, "cleo")
            token = str((await session(other))["csrf_token"])
    if token is not None:
        form["csrf_token"] = str((await session(visitor))["csrf_token"]) if token == "right" else token
    for path in ("/account", "/sign-out"):
        answer = await visitor.post(f"{EXTRANET}{path}", data=form, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_request")
    assert (await session(visitor))["account"] == NORD


async def test_the_cookies_are_out_of_reach_of_script_and_other_sites(visitor: httpx2.AsyncClient) -> None:
    answer = await signed_in(visitor, OURS, "fina")
    header = answer.headers["set-cookie"]
    assert header.startswith("sid=")
    assert header.endswith("; HttpOnly; Path=/; SameSite=lax")


@pytest.mark.parametrize(("secure", "name"), [(True, "__Host-sid"), (False, "sid")])
def test_over_https_the_cookie_belongs_to_this_host_alone(name: str, *, secure: bool) -> None:
    made = SecretCookie(name="sid", secure=secure)
    answer = Response()
    made.write(answer, "x" * 43)
    header = answer.headers["set-cookie"]
    assert header.startswith(f"{name}=")
    assert ("Secure" in header) is secure
    assert "Domain" not in header
    assert "Path=/;" in header
    other = "sid" if secure else "__Host-sid"
    for sent, read in ((name, "x" * 43), (other, None)):
        scope = {"type": "http", "headers": [(b"cookie", f"{sent}={'x' * 43}".encode())]}
        assert made.read(Request(scope)) == read


def test_production_serves_https_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="https"):
        Settings(
            env="production",
            secret_key="s" * 48,
            database_url="postgresql://db/cdp",
            public_url="https://api.example",
            extranet_url="http://portal.example",
            data_dir=tmp_path,
        )


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/orders?status=open", "/orders?status=open"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("/a\r\nSet-Cookie: b", "/"),
        ("/\tevil", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        ("/" + "a" * 3000, "/"),
    ],
)
def test_one_returns_to_a_path_of_this_site_only(path: str, kept: str) -> None:
    assert own_path(path) == kept


async def test_a_callback_that_nobody_began_leaves_no_trace(visitor: httpx2.AsyncClient, stage: Stage) -> None:
    before = stage.world.execute("SELECT count(*) FROM audit_record")
    answer = await visitor.get(f"{EXTRANET}/auth/callback?code=x&state=y")
    assert (answer.status_code, answer.json()["reason"]) == (403, "login_unknown")
    assert stage.world.execute("SELECT count(*) FROM audit_record") == before


async def test_a_sign_in_that_is_not_finished_is_forgotten(visitor: httpx2.AsyncClient, stage: Stage) -> None:
    await visitor.get(f"{EXTRANET}/sign-in")
    stage.world.execute("UPDATE pending_login SET created_at = now() - interval '16 minutes'")
    await visitor.get(f"{EXTRANET}/sign-in")
    assert stage.world.execute("SELECT count(*) FROM pending_login") == [(1,)]
