"""Authenticator, recovery codes and one's own page: what they ask, what they refuse, and what they leave behind."""

import re
import time
from html import unescape

import httpx2
import pyotp
import pytest

from cdp.access.issuer.factors import matching_step
from tests.access.issuers import OURS
from tests.access.test_signing_in import session, signed_in
from tests.access.world import API, EXTRANET, ISSUER, PASSWORD, Stage, follow, hidden_fields, submit_password

RFC_6238_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # "12345678901234567890"


@pytest.fixture
async def fina(stage: Stage) -> httpx2.AsyncClient:
    """Fina's browser, on which she is signed in at the issuer."""
    browser = stage.browser()
    page = await browser.get(f"{ISSUER}/security")
    assert "your security settings" in page.text
    landed = await follow(browser, await submit_password(browser, page, "fina@example.com"))
    assert "<h1>Security</h1>" in landed.text
    return browser


async def act(browser: httpx2.AsyncClient, action: str, **fields: str) -> httpx2.Response:
    """Send one of the page's forms, and follow to where it leads."""
    page = await browser.get(f"{ISSUER}/security")
    form = {"form_token": hidden_fields(page.text)["form_token"], **fields}
    answer = await browser.post(f"{ISSUER}/security/{action}", data=form, headers={"Origin": API})
    return await follow(browser, answer)


async def enrol(browser: httpx2.AsyncClient) -> tuple[str, list[str]]:
    """Turn an authenticator on; its secret and the recovery codes."""
    page = await browser.get(f"{ISSUER}/security/authenticator")
    key = re.search(r"<code>([A-Z2-7 ]+)</code>", page.text)
    assert key is not None
    assert '<svg viewBox="0 0' in page.text
    secret = key[1].replace(" ", "")
    done = await act(
        browser, "authenticator", offer=hidden_fields(page.text)["offer"], code=pyotp.TOTP(secret).at(time.time() - 30)
    )
    codes = re.findall(r"<li><code>([a-z2-7-]+)</code></li>", done.text)
    assert len(codes) == 10, done.text
    return secret, codes


async def first_step(browser: httpx2.AsyncClient, name: str = "fina") -> httpx2.Response:
    page = await follow(browser, await browser.get(f"{EXTRANET}/sign-in"), until=EXTRANET)
    return await submit_password(browser, page, f"{name}@example.com")


async def second_step(browser: httpx2.AsyncClient, page: httpx2.Response, code: str) -> httpx2.Response:
    form = {**hidden_fields(page.text), "code": code, "credential": ""}
    answer = await browser.post(f"{ISSUER}/second-step", data=form, headers={"Origin": API})
    return await follow(browser, answer, until=EXTRANET)


@pytest.mark.parametrize(
    ("at", "code"), [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
)
def test_codes_are_those_of_rfc_6238(at: int, code: str) -> None:
    assert matching_step(RFC_6238_SECRET, code, now=at) == at // 30
    assert matching_step(RFC_6238_SECRET, code, now=at + 30) == at // 30  # a clock may be off by one step
    assert matching_step(RFC_6238_SECRET, f"{code[:3]} {code[3:]}", now=at - 29) == at // 30
    for late in (61, 90, 3600):
        assert matching_step(RFC_6238_SECRET, code, now=at + late) is None
    for wrong in ("", code[:5], f"{code}0", "²87082", "abcdef"):
        assert matching_step(RFC_6238_SECRET, wrong, now=at) is None


async def test_with_an_authenticator_a_password_alone_opens_nothing_and_a_code_works_once(
    stage: Stage, fina: httpx2.AsyncClient
) -> None:
    secret, _ = await enrol(fina)
    code = pyotp.TOTP(secret).now()
    async with stage.browser() as browser, stage.browser() as thief:
        page = await first_step(browser)
        assert "<h1>One more step</h1>" in page.text
        assert "idp=" not in str(page.headers.get_list("set-cookie"))
        stolen = await second_step(thief, page, code)  # what stands in the page works in its browser only
        assert stolen.status_code == 403
        done = await second_step(browser, page, code)
        landed = await browser.get(done.headers["location"])
        assert landed.headers["location"] == "/"
        assert (await session(browser))["name"] == "Fina"
        page = await first_step(thief)
        again = await second_step(thief, page, code)
        assert (again.status_code, "was used before" in again.text) == (422, True)
    methods = stage.world.execute("SELECT methods FROM idp_session ORDER BY authenticated_at DESC LIMIT 1")
    assert methods == [(["pwd", "otp", "mfa"],)]
    sealed = stage.world.execute("SELECT sealed_secret FROM authenticator")
    assert secret.encode() not in bytes(sealed[0][0])


async def test_guesses_at_the_second_step_have_to_wait_wherever_they_come_from(
    stage: Stage, fina: httpx2.AsyncClient
) -> None:
    secret, _ = await enrol(fina)
    statuses = []
    for _ in range(4):
        async with stage.browser() as browser:
            page = await first_step(browser)
            statuses += [(await second_step(browser, page, "000000")).status_code for _ in range(2)]
    assert statuses == [422] * 5 + [429] * 3
    async with stage.browser() as browser:
        page = await first_step(browser)
        assert (await second_step(browser, page, pyotp.TOTP(secret).now())).status_code == 429


async def test_a_recovery_code_works_once_however_it_is_typed_and_new_ones_replace_the_old(
    stage: Stage, fina: httpx2.AsyncClient
) -> None:
    _, codes = await enrol(fina)
    async with stage.browser() as browser:
        page = await first_step(browser)
        typed = f" {codes[0].upper().replace('-', ' ')} "
        assert (await second_step(browser, page, typed)).headers["location"].startswith(f"{EXTRANET}/auth/callback")
    async with stage.browser() as browser:
        page = await first_step(browser)
        assert (await second_step(browser, page, codes[0])).status_code == 422
    assert "9 left" in (await fina.get(f"{ISSUER}/security")).text
    renewed = await act(fina, "recovery-codes")
    assert codes[1] not in renewed.text
    async with stage.browser() as browser:
        page = await first_step(browser)
        assert (await second_step(browser, page, codes[1])).status_code == 422
        fresh = re.findall(r"<li><code>([a-z2-7-]+)</code></li>", renewed.text)
        assert (await second_step(browser, page, fresh[9])).status_code == 302
    kept = str(stage.world.execute("SELECT * FROM recovery_code"))
    assert not any(code in kept or code.replace("-", "") in kept for code in (*codes, *fresh))


async def test_without_the_last_second_factor_the_recovery_codes_go_too(stage: Stage, fina: httpx2.AsyncClient) -> None:
    await enrol(fina)
    removed = await act(fina, "authenticator-remove")
    assert "Your authenticator app is removed." in removed.text
    assert stage.world.execute("SELECT count(*) FROM recovery_code") == [(0,)]
    async with stage.browser() as browser:
        assert (await first_step(browser)).status_code == 303
    events = [event for (event,) in stage.world.execute("SELECT event FROM audit_record ORDER BY audit_id")]
    assert [event for event in events if event.startswith(("auth", "rec"))] == [
        "authenticator_added",
        "recovery_codes_made",
        "authenticator_removed",
    ]


async def test_a_wrong_code_turns_nothing_on_and_an_offer_is_for_its_owner_alone(
    stage: Stage, fina: httpx2.AsyncClient
) -> None:
    page = await fina.get(f"{ISSUER}/security/authenticator")
    offer = hidden_fields(page.text)["offer"]
    wrong = await act(fina, "authenticator", offer=offer, code="000000")
    assert wrong.status_code == 422
    assert hidden_fields(wrong.text)["offer"]  # the same secret again: the app need not scan twice
    secrets = {re.findall(r"<code>([A-Z2-7 ]+)</code>", text)[0] for text in (page.text, wrong.text)}
    assert len(secrets) == 1
    async with stage.browser() as bodo:
        asked = await bodo.get(f"{ISSUER}/security")
        await submit_password(bodo, asked, "bodo@example.com")
        code = pyotp.TOTP(secrets.pop().replace(" ", "")).now()
        other = await act(bodo, "authenticator", offer=offer, code=code)
        assert "<h1>Authenticator app</h1>" in other.text  # another offer
    assert stage.world.execute("SELECT count(*) FROM authenticator") == [(0,)]


async def test_changing_something_wants_a_sign_in_of_the_last_quarter_of_an_hour(
    stage: Stage, fina: httpx2.AsyncClient
) -> None:
    stage.world.execute("UPDATE idp_session SET authenticated_at = now() - interval '16 minutes'")
    refused = await act(fina, "password", current=PASSWORD, password="another sentence to keep")
    assert (refused.status_code, "please sign in once more" in refused.text) == (401, True)
    landed = await follow(fina, await submit_password(fina, refused, "fina@example.com"))
    assert "<h1>Security</h1>" in landed.text
    done = await act(fina, "password", current=PASSWORD, password="another sentence to keep")
    assert "Your password is changed" in done.text


async def test_a_new_password_ends_the_other_sessions_and_the_old_one_opens_nothing(
    stage: Stage, fina: httpx2.AsyncClient
) -> None:
    async with stage.browser() as other:
        await signed_in(other, OURS, "fina")
        for fields, problem in (
            ({"current": "wrong", "password": "x" * 20}, "Your present password is not right."),
            ({"current": PASSWORD, "password": "short"}, "must have 12 to 256 characters"),
        ):
            refused = await act(fina, "password", **fields)
            assert (refused.status_code, problem in unescape(refused.text)) == (422, True)
        assert await session(other) is not None
        await act(fina, "password", current=PASSWORD, password="another sentence to keep")
        await OURS.tell_logouts(stage)
        assert await session(other) is None
    assert "<h1>Security</h1>" in (await fina.get(f"{ISSUER}/security")).text
    async with stage.browser() as browser:
        page = await browser.get(f"{ISSUER}/security")
        assert (await submit_password(browser, page, "fina@example.com")).status_code == 422
        again = await submit_password(browser, page, "fina@example.com", "another sentence to keep")
        assert again.status_code == 303


async def test_forms_of_the_page_work_from_the_page_only(stage: Stage, fina: httpx2.AsyncClient) -> None:
    page = await fina.get(f"{ISSUER}/security")
    right = hidden_fields(page.text)["form_token"]
    for form, headers in (
        ({"form_token": right}, {"Origin": "https://evil.example"}),
        ({"form_token": "forged"}, {"Origin": API}),
        ({}, {"Origin": API}),
    ):
        answer = await fina.post(f"{ISSUER}/security/sessions", data=form or {"a": "b"}, headers=headers)
        assert answer.status_code == 403
    assert (await fina.post(f"{ISSUER}/security/none", data={"a": "b"})).status_code == 404


async def test_sessions_at_the_issuer_are_listed_and_ended_one_by_one_or_all(
    stage: Stage, fina: httpx2.AsyncClient
) -> None:
    async with stage.browser() as phone, stage.browser() as desk, stage.browser() as bodo:
        phone.headers["User-Agent"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1"
        desk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
        await signed_in(phone, OURS, "fina")
        await signed_in(desk, OURS, "fina")
        await signed_in(bodo, OURS, "bodo")
        page = unescape((await fina.get(f"{ISSUER}/security")).text)
        assert [page.count(name) for name in ("Safari on iPhone", "Firefox on Linux", "(this browser)")] == [2, 2, 1]
        sids = {
            device: str(sid)
            for sid, device in stage.world.execute("SELECT sid, coalesce(device, '') || user_id FROM idp_session")
        }
        of_bodo = stage.world.execute("SELECT sid FROM idp_session JOIN idp_user USING (user_id) WHERE name = 'Bodo'")
        await act(fina, "session", session=str(of_bodo[0][0]))  # not hers to end, and nobody says so
        await act(fina, "session", session=next(sid for device, sid in sids.items() if "iPhone" in device))
        await OURS.tell_logouts(stage)
        assert await session(phone) is None
        assert await session(desk) is not None
        await act(fina, "sessions")
        await OURS.tell_logouts(stage)
        assert await session(desk) is None
        assert await session(bodo) is not None
        assert "<h1>Security</h1>" in (await fina.get(f"{ISSUER}/security")).text
