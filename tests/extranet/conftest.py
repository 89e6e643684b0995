"""The extranet as it runs: its own server, the real issuer beside it, a real database behind both, and signed-in members."""

import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from cdp.access.issuer.app import issuer_routes
from cdp.db.engine import connect, open_pool
from cdp.settings import Settings, load_settings
from extranet.app import create_app
from tests.extranet.business import NOW, PASSWORD, Business, record_business

STARTS_WITHIN_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A running extranet: where it is, what its database holds, and how to be somebody."""

    url: str
    issuer: str
    business: Business
    database_url: str
    cookies: dict[str, dict[str, str]]

    def client(self, cookies: dict[str, str] | None = None) -> httpx2.Client:
        """A browser without eyes; follows nothing by itself."""
        return httpx2.Client(base_url=self.url, cookies=cookies, follow_redirects=False, timeout=20)

    def as_member(self, email: str) -> httpx2.Client:
        """A client that is signed in; signs in by the form once for all tests of a module."""
        if email not in self.cookies:
            with httpx2.Client(follow_redirects=True, timeout=20) as browser:
                landed = sign_in(browser, self.url, email)
                assert str(landed.url) == f"{self.url}/", landed.text
                self.cookies[email] = {"sid": browser.cookies["sid"]}
        return self.client(self.cookies[email])


def sign_in(
    browser: httpx2.Client, site: str, email: str, *, page: str = "/", password: str = PASSWORD
) -> httpx2.Response:
    """Open a page without a session and fill in the issuer's form; the answer that follows."""
    form = browser.get(site + page)
    fields = {
        name: unescape(value)
        for name, value in re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)"', form.text)
    }
    action = re.search(r'<form[^>]* action="(.*?)"', form.text)
    assert action, form.text
    address = urljoin(str(form.url), unescape(action[1]))
    return browser.post(address, data={**fields, "email": email, "password": password})


def sameness(page: str) -> str:
    """A page without its forms' token, which is another at every request: pages that tell the same are the same text."""
    return re.sub(r'(name="csrf_token" value=")[^"]*', r"\1", page)


@pytest.fixture(scope="module")
def site(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Issuer and extranet on ports of their own."""
    with running_site(shared_database_url, tmp_path_factory.mktemp("data")) as site:
        yield site


@contextmanager
def running_site(
    database_url: str, data_dir: Path, *, around: Callable[[ASGIApp], ASGIApp] = lambda app: app
) -> Iterator[Site]:
    """Both servers over a database with the tests' business in it. `around`: what the extranet runs within."""
    issuer_port, extranet_port = free_port(), free_port()
    settings = load_settings(
        public_url=f"http://localhost:{issuer_port}",
        extranet_url=f"http://localhost:{extranet_port}",
        portal_database_url=database_url,
        data_dir=data_dir,
        seller_name="Meridian Supply",
        seller_legal_name="Meridian Supply, Lda",
        seller_tax_id="PT500123456",
        seller_time_zone="Europe/Lisbon",
        seller_bank_details="Banco Exemplo; IBAN PT50 0002 0123 1234 5678 9015 4",
    )
    with connect(database_url, "cdp_app") as connection:
        business = record_business(connection, issuer=settings.issuer)
    with (
        serving(issuer_app(settings, database_url), issuer_port),
        serving(around(create_app(settings, now=lambda: NOW)), extranet_port),
    ):
        yield Site(
            url=settings.extranet_url,
            issuer=settings.public_url,
            business=business,
            database_url=database_url,
            cookies={},
        )


def issuer_app(settings: Settings, database_url: str) -> Starlette:
    """The embedded issuer where the API mounts it."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_pool(database_url, "cdp_app", max_size=4) as pool:
            app.state.pool = pool
            yield

    app = Starlette(lifespan=lifespan)
    app.routes.append(Mount("/idp", routes=issuer_routes(lambda: app.state.pool, settings)))
    return app


@contextmanager
def serving(app: ASGIApp, port: int) -> Iterator[None]:
    """A server in a thread until the block ends."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive())
    assert server.started
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(STARTS_WITHIN_SECONDS)


def wait_until(is_true: Callable[[], bool]) -> None:
    """Until it is, or time is up."""
    over_at = time.monotonic() + STARTS_WITHIN_SECONDS
    while not is_true() and time.monotonic() < over_at:
        time.sleep(0.02)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
