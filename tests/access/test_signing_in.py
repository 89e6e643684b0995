"""Signing in to the extranet, at our issuer and at one written by others: the same tests, the same code."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import httpx2
import pytest

from cdp.access.issuer.logout_notices import send_due_notices
from cdp.access.people import create_membership
from cdp.access.viewer import Role
from cdp.db.engine import connect
from tests.access.issuers import OURS, IssuerUnderTest, theirs
from tests.access.world import API, EXTRANET, NORD, SUED, Stage, World, client_token, follow, staged


@pytest.fixture(scope="module", params=["ours", "oidc-provider"])
def issuer(request: pytest.FixtureRequest) -> Iterator[IssuerUnderTest]:
    if request.param == "ours":
        yield OURS
    else:
        with theirs() as running:
            yield running


@pytest.fixture
async def stage(issuer: IssuerUnderTest, world: World) -> AsyncIterator[Stage]:
    world = replace(world, settings=world.settings.model_copy(update=issuer.settings))
    if not issuer.is_ours:
        roles = {"fina": [(NORD, Role.FINANCE), (SUED, Role.FINANCE)], "bodo": [(NORD, Role.BUYER)]}
        with connect(world.url) as connection:
            for name, accounts in roles.items():
                create_membership(
                    connection,
                    issuer=issuer.issuer,
                    subject=name,
                    email=f"{name}@example.com",
                    name=name.title(),
                    accounts=accounts,
                )
    async with staged(world) as running:
        yield running


async def to_callback(
    visitor: httpx2.AsyncClient, issuer: IssuerUnderTest, name: str, start: str = "/sign-in"
) -> httpx2.URL:
    """Sign in at the issuer; the callback's address, not yet visited."""
    answer = await follow(visitor, await visitor.get(f"{EXTRANET}{start}"), until=EXTRANET)
    if answer.status_code == 200:
        answer = await follow(visitor, await issuer.sign_in(visitor, answer, name), until=EXTRANET)
    callback = httpx2.URL(answer.headers["location"])
    assert callback.path == "/auth/callback", callback
    return callback


async def signed_in(
    visitor: httpx2.AsyncClient, issuer: IssuerUnderTest, name: str, start: str = "/sign-in"
) -> httpx2.Response:
    """Sign in all the way; the callback's answer."""
    return await visitor.get(await to_callback(visitor, issuer, name, start))


async def session(visitor: httpx2.AsyncClient) -> dict[str, object]:
    told: dict[str, object] = (await visitor.get(f"{EXTRANET}/")).json()
    return told


async def test_a_member_signs_in_and_lands_where_they_wanted(
    visitor: httpx2.AsyncClient, issuer: IssuerUnderTest
) -> None:
    answer = await signed_in(visitor, issuer, "fina", "/sign-in?next=/orders%3Flate%3D1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/orders?late=1")
    assert answer.headers["cache-control"] == "no-store"
    told = await session(visitor)
    assert (told["name"], told["account"], told["role"]) == ("Fina", NORD, "finance")
    assert told["accounts"] == [NORD, SUED]


@pytest.mark.parametrize("evil", ["//evil.example", "https://evil.example", "/\\evil.example", "/%0d%0aSet-Cookie:a=b"])
async def test_nobody_lands_on_another_site(visitor: httpx2.AsyncClient, issuer: IssuerUnderTest, evil: str) -> None:
    answer = await signed_in(
        visitor, issuer, "fina", f"/sign-in?{urlencode({'next': evil.replace('%0d%0a', chr(13))})}"
    )
    assert answer.headers["location"] == "/"


async def test_two_tabs_can_sign_in_in_either_order(visitor: httpx2.AsyncClient, issuer: IssuerUnderTest) -> None:
    first = await visitor.get(f"{EXTRANET}/sign-in?next=/first")
    second = await to_callback(visitor, issuer, "fina", "/sign-in?next=/second")
    late = httpx2.URL((await follow(visitor, first, until=EXTRANET)).headers["location"])
    assert (await visitor.get(late)).headers["location"] == "/first"
    assert (await visitor.get(second)).headers["location"] == "/second"
    assert (await session(visitor))["name"] == "Fina"


async def test_a_callback_works_once(visitor: httpx2.AsyncClient, issuer: IssuerUnderTest, stage: Stage) -> None:
    callback = await to_callback(visitor, issuer, "fina")
    assert (await visitor.get(callback)).status_code == 303
    again = await visitor.get(callback)
    assert (again.status_code, again.json()["reason"]) == (403, "login_unknown")
    assert (await session(visitor))["name"] == "Fina"  # the session from the first stays
    refused = stage.world.execute("SELECT event, outcome, reason FROM audit_record WHERE actor = 'portal'")
    assert refused == [("sign_in", "refused", "login_unknown")]


async def test_a_callback_works_only_in_the_browser_that_began(stage: Stage, issuer: IssuerUnderTest) -> None:
    async with stage.browser() as attacker, stage.browser() as victim:
        callback = await to_callback(attacker, issuer, "bodo")
        await victim.get(f"{EXTRANET}/sign-in")  # the victim too has begun something
        answer = await victim.get(callback)
        assert (answer.status_code, answer.json()["reason"]) == (403, "login_unknown")
        assert await session(victim) is None


@pytest.mark.parametrize("named", ["https://evil.example", "", None])
async def test_an_answer_that_names_another_issuer_or_none_is_refused(
    visitor: httpx2.AsyncClient, issuer: IssuerUnderTest, named: str | None
) -> None:
    callback = await to_callback(visitor, issuer, "fina")
    assert callback.params["iss"] == issuer.issuer
    without = callback.copy_remove_param("iss")
    forged = without if named is None else without.copy_add_param("iss", named)
    answer = await visitor.get(forged)
    assert (answer.status_code, answer.json()["reason"]) == (403, "issuer_mismatch")
    assert await session(visitor) is None


async def test_a_code_of_another_attempt_is_refused(visitor: httpx2.AsyncClient, issuer: IssuerUnderTest) -> None:
    first = await to_callback(visitor, issuer, "fina")
    second = await to_callback(visitor, issuer, "fina")
    mixed = first.copy_set_param("code", second.params["code"])
    answer = await visitor.get(mixed)
    assert (answer.status_code, answer.json()["reason"]) == (403, "code_refused")


async def test_a_refusal_of_the_issuer_is_no_sign_in(visitor: httpx2.AsyncClient, issuer: IssuerUnderTest) -> None:
    callback = await to_callback(visitor, issuer, "fina")
    refused = callback.copy_remove_param("code").copy_add_param("error", "access_denied")
    answer = await visitor.get(refused)
    assert (answer.status_code, answer.json()["reason"]) == (403, "access_denied")


async def test_a_planted_session_id_is_never_adopted(
    visitor: httpx2.AsyncClient, issuer: IssuerUnderTest, stage: Stage
) -> None:
    planted = "x" * 43
    visitor.cookies.set("sid", planted, domain="localhost.local", path="/")
    await signed_in(visitor, issuer, "fina")
    assert (await session(visitor))["name"] == "Fina"
    async with stage.browser() as attacker:
        attacker.cookies.set("sid", planted, domain="localhost.local", path="/")
        assert await session(attacker) is None


async def test_signing_in_again_ends_the_session_before(
    visitor: httpx2.AsyncClient, issuer: IssuerUnderTest, stage: Stage
) -> None:
    await signed_in(visitor, issuer, "fina")
    await signed_in(visitor, issuer, "fina")
    assert stage.world.execute("SELECT count(*) FROM login_session") == [(1,)]


async def test_someone_without_a_membership_gets_no_session(
    visitor: httpx2.AsyncClient, issuer: IssuerUnderTest, stage: Stage
) -> None:
    stage.world.execute(
        "DELETE FROM membership USING member WHERE member.member_id = membership.member_id AND name = 'Bodo'"
    )
    answer = await signed_in(visitor, issuer, "bodo")
    assert (answer.status_code, answer.json()["code"]) == (403, "no_account")
    assert await session(visitor) is None
    assert stage.world.execute("SELECT reason FROM audit_record WHERE event = 'sign_in'") == [("no_membership",)]


async def test_the_same_e_mail_at_another_issuer_is_somebody_else(
    visitor: httpx2.AsyncClient, issuer: IssuerUnderTest, stage: Stage
) -> None:
    stage.world.execute("UPDATE member SET issuer = 'https://other.example'")
    answer = await signed_in(visitor, issuer, "fina")
    assert (answer.status_code, answer.json()["code"]) == (403, "no_account")


async def test_signing_out_ends_it_here_and_at_the_issuer(
    visitor: httpx2.AsyncClient, issuer: IssuerUnderTest, stage: Stage
) -> None:
    await signed_in(visitor, issuer, "fina")
    kept = {cookie.name: cookie.value for cookie in visitor.cookies.jar}
    form = {"csrf_token": str((await session(visitor))["csrf_token"])}
    answer = await visitor.post(f"{EXTRANET}/sign-out", data=form, headers={"Origin": EXTRANET})
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    answer = await issuer.sign_out(visitor, await follow(visitor, answer, until=EXTRANET))
    assert answer.headers["location"].startswith(f"{EXTRANET}/signed-out")
    assert await session(visitor) is None
    async with stage.browser() as thief:
        thief.cookies.set("sid", str(kept["sid"]), domain="localhost.local", path="/")
        assert await session(thief) is None
    again = await follow(visitor, await visitor.get(f"{EXTRANET}/sign-in"), until=EXTRANET)
    assert again.status_code == 200  # the issuer asks for the password again
    assert "password" in again.text


async def end_at_issuer(visitor: httpx2.AsyncClient, issuer: IssuerUnderTest) -> None:
    """Sign out at the issuer, without the extranet having a hand in it."""
    await issuer.sign_out(visitor, await visitor.get(f"{issuer.issuer}{issuer.end_session}"))


async def test_signing_out_at_the_issuer_ends_the_session_here_by_the_back_channel(
    visitor: httpx2.AsyncClient, issuer: IssuerUnderTest, stage: Stage
) -> None:
    async with stage.browser() as other:
        await signed_in(other, issuer, "fina")  # the same person elsewhere: another session at the issuer
        await signed_in(visitor, issuer, "fina")
        await end_at_issuer(visitor, issuer)
        assert (await session(visitor))["name"] == "Fina"  # nobody has told the extranet yet
        assert await issuer.tell_logouts(stage) >= 1
        assert await session(visitor) is None
        assert (await session(other))["name"] == "Fina"
    told = stage.world.execute(
        "SELECT outcome, reason FROM audit_record WHERE event = 'sign_out' AND reason IS NOT NULL"
    )
    assert told == [("done", "back_channel")]


async def test_a_logout_token_of_ours_works_once_and_garbage_never(
    visitor: httpx2.AsyncClient, issuer: IssuerUnderTest, stage: Stage
) -> None:
    address = f"{EXTRANET}/auth/back-channel-logout"
    for form in ({}, {"logout_token": "garbage"}, {"logout_token": "a" * 20_000}):
        assert (await visitor.post(address, data=form or {"a": "b"})).json()["code"] == "logout_refused"
    if not issuer.is_ours:
        return
    await signed_in(visitor, issuer, "fina")
    id_token = await stage.access._id_token(next(str(c.value) for c in visitor.cookies.jar if c.name == "sid"))
    refused = await visitor.post(address, data={"logout_token": id_token or ""})
    assert refused.json()["problem"] == "it speaks of no logout"
    await end_at_issuer(visitor, issuer)
    notices = stage.world.execute("SELECT client_id, attempts FROM logout_notice")
    assert notices == [("extranet", 0)]
    sent: list[str] = []

    async def keep(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.content.decode())
        return httpx2.Response(503 if len(sent) == 1 else 200)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(keep)) as http:
        assert await send_due_notices(lambda: stage.pool, stage.world.settings, http) == 0  # nobody took it
        assert await send_due_notices(lambda: stage.pool, stage.world.settings, http) == 0  # not due again yet
        stage.world.execute("UPDATE logout_notice SET due_at = now()")
        assert await send_due_notices(lambda: stage.pool, stage.world.settings, http) == 1
    assert stage.world.execute("SELECT count(*) FROM logout_notice") == [(0,)]
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await visitor.post(address, content=sent[1], headers=headers)).status_code == 200
    assert await session(visitor) is None
    again = await visitor.post(address, content=sent[1], headers=headers)
    assert (again.status_code, again.json()["problem"]) == (400, "it came before")


async def test_ones_own_sessions_are_listed_and_ended_one_by_one_or_all(issuer: IssuerUnderTest, stage: Stage) -> None:
    async with stage.browser() as phone, stage.browser() as desk, stage.browser() as other:
        phone.headers["User-Agent"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"
        await signed_in(phone, issuer, "fina")
        await signed_in(desk, issuer, "fina")
        await signed_in(other, issuer, "bodo")
        listed = (await desk.get(f"{EXTRANET}/sessions")).json()
        assert [(device, is_current) for _, device, _, is_current in listed] == [
            ("Unknown browser", True),
            ("Safari on iPhone", False),
        ]
        of_bodo = (await other.get(f"{EXTRANET}/sessions")).json()[0][0]
        for named, ends in ((of_bodo, False), ("none", False), (listed[1][0], True), (listed[1][0], False)):
            answer = await desk.post(f"{EXTRANET}/sessions/end?session={named}")
            assert answer.json() is ends
        assert await session(phone) is None
        if issuer.is_ours:  # nor does the issuer let the phone in again without asking
            again = await follow(phone, await phone.get(f"{EXTRANET}/sign-in"), until=EXTRANET)
            assert again.status_code == 200
        done = await desk.post(f"{EXTRANET}/sessions/end-all")
        assert done.headers["clear-site-data"] == '"cache", "storage"'
        assert await session(desk) is None
        assert (await session(other))["name"] == "Bodo"
        assert (await phone.get(f"{EXTRANET}/sessions")).json() == []


async def test_a_fresh_sign_in_can_be_asked_for_and_the_issuer_says_when_it_was(
    visitor: httpx2.AsyncClient, issuer: IssuerUnderTest, stage: Stage
) -> None:
    await signed_in(visitor, issuer, "fina")
    at = datetime.fromisoformat(str((await session(visitor))["authenticated_at"]))
    assert timedelta(0) <= datetime.now(UTC) - at < timedelta(minutes=1)
    await asyncio.sleep(2.1)  # one second is as fine as `auth_time` is
    again = await follow(visitor, await visitor.get(f"{EXTRANET}/sign-in?max_age=1&next=/people"), until=EXTRANET)
    assert again.status_code == 200  # signed in at the issuer, but asked once more
    landed = await visitor.get(
        (await follow(visitor, await issuer.sign_in(visitor, again, "fina"), until=EXTRANET)).headers["location"]
    )
    assert landed.headers["location"] == "/people"
    assert datetime.fromisoformat(str((await session(visitor))["authenticated_at"])) > at


async def test_a_tool_of_this_issuer_is_let_in_and_an_id_token_is_not(
    visitor: httpx2.AsyncClient, issuer: IssuerUnderTest, stage: Stage
) -> None:
    if issuer.is_ours:
        token = (await client_token(visitor, stage.world.tool, "graph:read")).json()["access_token"]
    else:
        form = {"grant_type": "client_credentials", "scope": "graph:read", "resource": API}
        auth = ("tool", "a+secret+of+the+tool")
        token = (await visitor.post(f"{issuer.issuer}/token", data=form, auth=auth)).json()["access_token"]
    graph = await visitor.get(f"{API}/graph", headers={"Authorization": f"Bearer {token}"})
    assert graph.status_code == 200, graph.text
    assert graph.json()["scopes"] == ["graph:read"]
    await signed_in(visitor, issuer, "fina")
    sid = next(cookie.value for cookie in visitor.cookies.jar if cookie.name == "sid")
    id_token = await stage.access._id_token(str(sid))
    assert id_token
    graph = await visitor.get(f"{API}/graph", headers={"Authorization": f"Bearer {id_token}"})
    assert (graph.status_code, graph.json()["problem"]) == (401, "it is of another type")
