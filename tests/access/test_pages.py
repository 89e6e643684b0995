"""The issuer's pages in a real browser: they work without script, narrow and wide, light and dark, and shut others out. Passkeys
are made and used with Chromium's own virtual authenticator.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from playwright.sync_api import Browser, CDPSession, Page
from starlette.applications import Starlette
from uvicorn import Config, Server

from cdp.access.people import invite_member
from cdp.access.sealing import digest, new_secret
from cdp.access.viewer import Role
from cdp.db.engine import connect, open_pool
from tests.access.world import NORD, PASSWORD, World, api_application, found_world
from tests.accessibility import bring_axe, faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The issuer on a socket; `start` is an authorization request of the extranet."""

    world: World
    issuer: str
    start: str


@pytest.fixture(scope="module")
def site(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        api = f"http://localhost:{listening.getsockname()[1]}"
        folder: Path = tmp_path_factory.mktemp("site")
        world = found_world(shared_database_url, folder, public_url=api)
        server = Server(Config(_late(world), log_config=None, access_log=False, lifespan="on"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        asked = (
            "response_type=code&client_id=extranet&redirect_uri=http%3A%2F%2Flocalhost%3A8001%2Fauth%2Fcallback"
            f"&scope=openid&state=s&nonce=n&code_challenge={'c' * 43}&code_challenge_method=S256"
        )
        yield Site(world=world, issuer=f"{api}/idp", start=f"{api}/idp/authorize?{asked}")
        server.should_exit = True
        thread.join(timeout=20)


def _late(world: World) -> Starlette:
    """The API, whose pool is opened in the server's own loop."""
    application = Starlette()
    inner: list[Starlette] = []

    async def run(scope, receive, send):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        if scope["type"] == "lifespan":
            async with open_pool(world.url, "cdp_app", max_size=4) as pool:
                inner.append(api_application(world, pool))
                await application(scope, receive, send)
        else:
            await inner[0](scope, receive, send)

    return run  # type: ignore[return-value]


def test_every_page_is_readable_and_fits(page: Page, site: Site) -> None:
    bring_axe(page)
    with connect(site.world.url) as connection:
        secret = invite_member(
            connection, email="new@example.com", account_number=NORD, role=Role.CLIENT_ADMIN, invited_by="test"
        )
    for address in (
        site.start,
        f"{site.issuer}/invite/{secret}",
        f"{site.issuer}/end-session",
        f"{site.issuer}/authorize",
        f"{site.issuer}/reset",
        f"{site.issuer}/reset/{reset_of(site, 'vera@example.com')}",
        f"{site.issuer}/reset/none",
    ):
        page.goto(address)
        assert faults(page) == {}, address
    look(page, site)


def look(page: Page, site: Site) -> None:
    """One's own page, with everything that can be on it, and the pages on the way: held to the same."""

    def check() -> None:
        page.wait_for_load_state()
        assert faults(page) == {}, page.url

    page.set_default_timeout(10_000)
    made_passkeys(page)
    enter(page, site, "cleo@example.com")
    check()
    page.goto(f"{site.issuer}/security/authenticator")
    check()
    secret = page.locator("code").inner_text().replace(" ", "")
    page.get_by_label("Six digits").fill("000000")
    page.get_by_role("button", name="Turn it on").click()
    page.get_by_role("alert").wait_for()
    check()
    page.get_by_label("Six digits").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Turn it on").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    assert page.locator("li code").count() == 10
    check()
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_label("Name of the new passkey").fill("A rather long name of a passkey, for a phone that I had")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_text("Your passkey is added.").wait_for()
    page.get_by_text("Change it").click()
    check()
    page.context.clear_cookies()
    page.goto(f"{site.issuer}/security")
    page.get_by_label("E-mail").fill("cleo@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="One more step").wait_for()
    check()
    with connect(site.world.url) as connection:  # as it was, for the next
        connection.execute("DELETE FROM passkey")
        connection.execute("DELETE FROM authenticator")
        connection.execute("DELETE FROM recovery_code")


def made_passkeys(page: Page) -> tuple[CDPSession, str]:
    """A device that holds passkeys, knows its owner and says yes; and its name."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, made["authenticatorId"]


def enter(page: Page, site: Site, email: str) -> None:
    page.goto(f"{site.issuer}/security")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="Security", exact=True).wait_for()


def reset_of(site: Site, email: str) -> str:
    """The secret of a link to a new password."""
    secret = new_secret()
    with connect(site.world.url) as connection:
        connection.execute(
            "INSERT INTO password_reset (reset_hash, user_id) SELECT %s, user_id FROM idp_user WHERE email = %s",
            [digest(secret), email],
        )
    return secret


def test_a_passkey_signs_in_alone_and_as_a_second_step_until_it_is_removed(page: Page, site: Site) -> None:
    made_passkeys(page)
    enter(page, site, "fina@example.com")
    page.get_by_label("Name of the new passkey").fill("Fina's laptop")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    page.get_by_role("link", name="I have kept them").click()
    page.get_by_role("button", name="Add a passkey").click()  # the device has one for her already
    page.get_by_text("This device has a passkey already.").wait_for()

    page.context.clear_cookies()
    page.goto(f"{site.issuer}/security")
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_text("fina@example.com").wait_for()
    page.get_by_text("last used").first.wait_for()
    assert methods(site, "fina@example.com") == ["pop", "user", "mfa"]

    page.context.clear_cookies()
    page.goto(f"{site.issuer}/security")
    page.get_by_label("E-mail").fill("fina@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_role("heading", name="Security", exact=True).wait_for()
    assert methods(site, "fina@example.com") == ["pwd", "pop", "mfa"]

    page.get_by_role("button", name="Remove the passkey Fina's laptop").click()
    page.get_by_text("That passkey is removed.").wait_for()
    page.context.clear_cookies()
    page.goto(f"{site.issuer}/security")
    page.get_by_role("button", name="Use a passkey").click()
    assert "not known here" in page.get_by_role("alert").inner_text()
    enter(page, site, "fina@example.com")  # the password is enough again


def methods(site: Site, email: str) -> list[str]:
    found = site.world.execute(
        "SELECT methods FROM idp_session JOIN idp_user USING (user_id) WHERE email = %s ORDER BY authenticated_at DESC",
        email,
    )
    told: list[str] = found[0][0]
    return told


def test_what_a_passkey_signed_works_once_and_in_its_browser_only(page: Page, site: Site) -> None:
    made_passkeys(page)
    enter(page, site, "bodo@example.com")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    page.context.clear_cookies()
    page.goto(f"{site.issuer}/security")
    with page.expect_request(f"{site.issuer}/sign-in") as sent:
        page.get_by_role("button", name="Use a passkey").click()
    form = sent.value.post_data
    assert form is not None
    page.get_by_role("heading", name="Security", exact=True).wait_for()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": site.world.settings.public_url}
    again = page.request.post(f"{site.issuer}/sign-in", data=form, headers=headers)
    assert (again.status, "not known here" in again.text()) == (422, True)
    page.context.clear_cookies()
    elsewhere = page.request.post(f"{site.issuer}/sign-in", data=form, headers=headers)
    assert elsewhere.status == 403
    with connect(site.world.url) as connection:
        connection.execute("DELETE FROM passkey")


def test_a_passkey_that_did_not_check_its_owner_is_a_second_step_and_does_not_stand_alone(
    page: Page, site: Site
) -> None:
    session, device = made_passkeys(page)
    enter(page, site, "vera@example.com")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    page.context.clear_cookies()
    session.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.goto(f"{site.issuer}/security")
    # Whoever found the device asks it less than our page would.
    page.eval_on_selector(
        "form[data-passkey]",
        "form => { form.dataset.options = form.dataset.options.replace('\"required\"', '\"discouraged\"'); }",
    )
    page.get_by_role("button", name="Use a passkey").click()
    assert "not known here" in page.get_by_role("alert").inner_text()
    page.get_by_label("E-mail").fill("vera@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_role("heading", name="Security", exact=True).wait_for()
    with connect(site.world.url) as connection:
        connection.execute("DELETE FROM passkey")


def test_signing_in_works_without_script_and_by_keyboard(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.start)
    page.locator("#email:focus").wait_for()
    page.keyboard.type("fina@example.com")
    page.keyboard.press("Tab")
    page.keyboard.type("not the password")
    page.keyboard.press("Enter")
    assert page.get_by_role("alert").inner_text() == "The e-mail or the password is not right."
    page.locator("#password:focus").wait_for()
    page.keyboard.type(PASSWORD)
    with page.expect_request("http://localhost:8001/auth/callback?*") as callback:  # form-action lets it through
        page.keyboard.press("Enter")
    told = parse_qs(urlsplit(callback.value.url).query)
    assert (told["iss"], told["state"]) == ([site.issuer], ["s"])
    assert told["code"]
    context.close()


def test_the_page_cannot_be_framed_by_others(page: Page, site: Site) -> None:
    answer = page.request.get(site.start.replace("nonce=n", "nonce=of-its-own"))
    assert answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
