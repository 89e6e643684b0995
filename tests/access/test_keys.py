"""Signing keys change without anybody noticing; one that got out is believed no more."""

from time import monotonic

import httpx2
import pytest
from joserfc import jws
from typer.testing import CliRunner

from cdp.access.audit import OPERATOR
from cdp.access.issuer.rotation import NoSuchKey, list_keys, rotate_keys, withdraw_key
from cdp.cli import app
from cdp.db.engine import connect
from tests.access.issuers import OURS
from tests.access.test_signing_in import session, signed_in
from tests.access.world import API, EXTRANET, ISSUER, Stage, World, client_token, follow


def rotate(world: World, *, at_once: bool = False) -> str:
    with connect(world.url) as connection:
        return rotate_keys(connection, world.settings, at_once=at_once, actor=OPERATOR).kid


def states(world: World) -> dict[str, str]:
    with connect(world.url) as connection:
        return {key.kid: key.state for key in list_keys(connection)}


async def fresh_token(stage: Stage, visitor: httpx2.AsyncClient) -> tuple[str, str]:
    """A new access token and the key that signed it."""
    token = (await client_token(visitor, stage.world.tool)).json()["access_token"]
    return token, str(jws.extract_compact(token.encode()).headers()["kid"])


async def ask(visitor: httpx2.AsyncClient, token: str) -> httpx2.Response:
    return await visitor.get(f"{API}/graph", headers={"Authorization": f"Bearer {token}"})


def hurry(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Have every process forget what it remembered of the keys."""
    later = monotonic() + seconds
    for module in ("cdp.access.tokens", "cdp.access.keys", "cdp.access.issuer.edge"):
        monkeypatch.setattr(f"{module}.time.monotonic", lambda: later)


async def test_a_new_key_is_published_first_then_signs_and_the_old_one_verifies_on(
    visitor: httpx2.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, old = await fresh_token(stage, visitor)
    new = rotate(stage.world)
    hurry(monkeypatch, 60)
    assert states(stage.world) == {new: "published", old: "signing"}
    published = [key["kid"] for key in (await visitor.get(f"{ISSUER}/jwks")).json()["keys"]]
    assert set(published) == {old, new}
    assert (await fresh_token(stage, visitor))[1] == old
    stage.world.execute(
        "UPDATE signing_key SET signs_from = signs_from - interval '2 minutes', retired_at = retired_at - interval '2 minutes'"
    )
    hurry(monkeypatch, 120)
    assert states(stage.world) == {new: "signing", old: "verifying"}
    after, kid = await fresh_token(stage, visitor)
    assert kid == new
    for token in (before, after):
        assert (await ask(visitor, token)).status_code == 200
        told = await visitor.post(f"{ISSUER}/introspect", data={"token": token}, auth=_auth(stage))
        assert told.json()["active"] is True
    stage.world.execute("UPDATE signing_key SET retired_at = now() - interval '14 hours' WHERE kid = %s", old)
    hurry(monkeypatch, 4000)
    assert states(stage.world)[old] == "over"
    assert [key["kid"] for key in (await visitor.get(f"{ISSUER}/jwks")).json()["keys"]] == [new]


async def test_somebody_signed_in_before_a_rotation_signs_out_after_it_unasked(
    visitor: httpx2.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed_in(visitor, OURS, "fina")
    rotate(stage.world, at_once=True)
    hurry(monkeypatch, 60)
    form = {"csrf_token": str((await session(visitor))["csrf_token"])}
    answer = await visitor.post(f"{EXTRANET}/sign-out", data=form, headers={"Origin": EXTRANET})
    answer = await follow(visitor, answer, until=EXTRANET)
    assert answer.headers["location"].startswith(f"{EXTRANET}/signed-out")


async def test_what_a_withdrawn_key_signed_is_refused_within_seconds_and_another_takes_over(
    visitor: httpx2.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, kid = await fresh_token(stage, visitor)
    assert (await ask(visitor, token)).status_code == 200
    with connect(stage.world.url) as connection:
        withdraw_key(connection, stage.world.settings, kid, actor=OPERATOR)
        with pytest.raises(NoSuchKey):
            withdraw_key(connection, stage.world.settings, kid, actor=OPERATOR)
    hurry(monkeypatch, 3)  # what is remembered of the keys themselves is not three seconds old yet
    assert (await ask(visitor, token)).json()["problem"] == "it was revoked"
    hurry(monkeypatch, 60)
    renewed, other = await fresh_token(stage, visitor)
    assert other != kid
    assert (await ask(visitor, renewed)).status_code == 200
    noted = stage.world.execute(
        "SELECT event, details->>'kid' FROM audit_record WHERE event LIKE 'key%%' ORDER BY audit_id"
    )
    assert noted == [("key_withdrawn", kid), ("keys_rotated", other)]


def test_keys_on_the_command_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_DATABASE_URL", world.url)
    monkeypatch.setenv("CDP_SECRET_KEY", world.settings.secret_key or "")
    run = CliRunner().invoke
    rotated = run(app, ["keys", "rotate", "--at-once"])
    assert rotated.exit_code == 0, rotated.output
    listed = run(app, ["keys", "list"]).output
    assert [word for word in ("signing", "verifying") if word in listed] == ["signing", "verifying"]
    (old,) = [kid for kid, state in states(world).items() if state == "verifying"]
    assert run(app, ["keys", "withdraw", old, "--json"]).output == f'{{"kid": "{old}", "state": "withdrawn"}}\n'
    assert sorted(states(world).values()) == ["signing", "withdrawn"]
    monkeypatch.setenv("CDP_OIDC_ISSUER", "https://login.example")
    monkeypatch.setenv("CDP_OIDC_CLIENT_ID", "us")
    assert "looks after its own keys" in str(run(app, ["keys", "list"]).exception)


def _auth(stage: Stage) -> tuple[str, str]:
    return stage.world.tool.client_id, stage.world.tool.client_secret or ""
