"""What a real browser makes of our headers and cookies: strict pages that nobody frames, and a session out of reach."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from cdp.app import create_app
from cdp.settings import Settings
from tests.extranet.business import PASSWORD
from tests.extranet.conftest import Site, running_site
from tests.live import serve

EMAIL = "finance@lusitania.example"


@pytest.fixture(scope="module")
def site(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(shared_database_url, tmp_path_factory.mktemp("data")) as running:
        yield running


def sign_in(page: Page, site: Site, path: str = "/") -> None:
    page.goto(site.url + path)
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(site.url + path)


def test_the_browser_keeps_the_session_from_script_and_other_sites(page: Page, site: Site) -> None:
    sign_in(page, site)
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert cookies["sid"]["httpOnly"]
    assert {cookie["httpOnly"] for cookie in cookies.values()} == {True}
    assert {cookie["sameSite"] for cookie in cookies.values()} <= {"Lax", "Strict"}
    assert page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]
    assert not [value for value in (cookie["value"] for cookie in cookies.values()) if value.startswith("eyJ")]


def test_every_kind_of_page_is_strict_and_cannot_be_framed(
    page: Page, site: Site, database_url: str, tmp_path: Path
) -> None:
    settings = Settings(database_url=database_url, data_dir=tmp_path, secret_key="s" * 48)
    with serve(create_app(settings)) as api:
        issuer = page.goto(f"{site.url}/")  # leads to the issuer's page
        assert issuer is not None
        assert page.url.startswith(site.issuer)
        graphiql = page.goto(f"{api}/graphql")
        sign_in(page, site)
        extranet = page.goto(f"{site.url}/statement")
        for answer in (issuer, graphiql, extranet):
            assert answer is not None
            policy = answer.header_value("content-security-policy") or ""
            assert "default-src 'none'" in policy, answer.url
            assert "frame-ancestors 'none'" in policy, answer.url
            assert "unsafe-eval" not in policy, answer.url
            assert answer.header_value("x-content-type-options") == "nosniff", answer.url
            assert answer.header_value("referrer-policy"), answer.url
            assert answer.header_value("server") in {None, "uvicorn"}, answer.url
        refused: list[str] = []
        page.on("requestfailed", lambda request: refused.append(request.url))
        page.goto("about:blank")
        for address in (f"{site.url}/statement", f"{api}/graphql", issuer.url):
            page.evaluate(
                """address => new Promise(done => { const frame = document.createElement("iframe");
                frame.onload = frame.onerror = done; frame.src = address; document.body.append(frame); })""",
                address,
            )
        shown = [frame.url for frame in page.frames if frame.parent_frame is not None]
        assert not [url for url in shown if url.startswith(("http://localhost", "http://127.0.0.1"))], shown


def test_after_signing_out_going_back_shows_nothing(browser: Browser, site: Site) -> None:
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, site, "/statement")
    assert "Lusitânia" in page.content()
    page.get_by_role("button", name="K-").first.click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{site.url}/signed-out")
    page.go_back()
    page.wait_for_load_state()
    assert "Lusitânia" not in page.content()
    page.goto(f"{site.url}/statement")
    assert page.url.startswith(site.issuer)
    context.close()
