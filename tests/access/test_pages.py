"""The issuer's pages in a real browser: they work without script, narrow and wide, light and dark, and shut others out."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from uvicorn import Config, Server

from cdp.access.people import invite_member
from cdp.access.viewer import Role
from cdp.db.engine import connect, open_pool
from tests.access.world import NORD, PASSWORD, World, api_application, found_world
from tests.tooling.provision import node_modules

AXE = "axe-core/axe.min.js"


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


def problems(page: Page) -> list[str]:
    """What axe finds wrong. It runs through the debugger's door: the page itself allows no script."""
    source = (node_modules() / AXE).read_text(encoding="utf-8")
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": source})
    found = session.send(
        "Runtime.evaluate",
        {
            "expression": "axe.run().then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' ')))",
            "awaitPromise": True,
            "returnByValue": True,
        },
    )
    told: list[str] = found["result"]["value"]
    return told


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_every_page_is_readable_and_fits(browser: Browser, site: Site, scheme: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 720}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    with connect(site.world.url) as connection:
        values = {"account_number": NORD, "role": Role.CLIENT_ADMIN, "invited_by": "test"}
        secret = invite_member(connection, email=f"{scheme}{width}@example.com", **values)  # type: ignore[arg-type]
    for address in (
        site.start,
        f"{site.issuer}/invite/{secret}",
        f"{site.issuer}/end-session",
        f"{site.issuer}/authorize",
    ):
        page.goto(address)
        assert problems(page) == [], address
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    context.close()


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
