"""Pages of a real browser at the tracking API: Segment's own browser SDK, beacons, and a visitor who is recognised.

Two sites, each on an origin of its own: one whose pages the source allows, one whose it doesn't.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from cdp.app import create_app
from cdp.db.engine import connect
from cdp.db.metadata import gather
from cdp.ingest.sources import update_source
from cdp.settings import Settings
from tests.ingest.door import Sender, make_sender
from tests.live import client, serve
from tests.tooling.provision import node_modules

SDK = "@segment/analytics-next/dist/umd"
PAGE = '<!doctype html><meta charset="utf-8"><title>Shop</title><script src="/sdk/index.js"></script>'

LOAD = """([url, key, batching]) => {
    const segment = {apiKey: key, apiHost: `${url.replace('http://', '')}/v1`, protocol: 'http'}
    if (batching) segment.deliveryStrategy = {strategy: 'batching', config: {size: 3, timeout: 50}}
    window.analytics = AnalyticsNext.AnalyticsBrowser.load(
        {writeKey: key, cdnSettings: {integrations: {'Segment.io': segment}}},
        {retryQueue: false},
    )
    return window.analytics.ready().then(() => true)
}"""
SAY_ALL = """async () => {
    await analytics.page('Home')
    await analytics.identify('u-ana', {name: 'Ana Berg', email: 'ana@example.org'})
    await analytics.track('Product Viewed', {product_id: 'p-1'})
    await analytics.screen('Cart')
    await analytics.group('acme', {name: 'Acme'})
    await analytics.alias('u-ana', 'old-ana')
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """The API, and the two sites by their origins."""

    api: str
    shop: str
    foreign: str
    sender: Sender
    database_url: str

    def stored(self) -> list[tuple[Any, ...]]:
        """Type, user id and name of what was stored, in order of arrival."""
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(
                "SELECT body ->> 'type', body ->> 'userId', coalesce(body ->> 'event', body ->> 'name') FROM inbox ORDER BY seq"
            ).fetchall()


@pytest.fixture(scope="module")
def served(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    folder: Path = tmp_path_factory.mktemp("data")
    sender = make_sender(shared_database_url)
    settings = Settings(database_url=shared_database_url, data_dir=folder, secret_key="s" * 48)
    with ExitStack() as stack:
        api, shop, foreign = (stack.enter_context(serve(one)) for one in (create_app(settings), _site(), _site()))
        with connect(shared_database_url) as connection:
            update_source(connection, "web-shop", allowed_origins=[shop])
        yield Street(api=api, shop=shop, foreign=foreign, sender=sender, database_url=shared_database_url)


@pytest.fixture
def street(served: Street) -> Street:
    told = [table.name for table in gather().tables.values() if table.info.get("distributed_by")]
    with psycopg.connect(served.database_url) as connection:
        connection.execute(f"TRUNCATE {', '.join(told)} CASCADE".encode())
    return served


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A page in a fresh context. Unlike `page` it may meet refusals, which scripts see as errors."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


def _site() -> Starlette:
    def home(_request: Request) -> HTMLResponse:
        return HTMLResponse(PAGE)

    return Starlette(
        routes=[Route("/", home), Mount("/sdk", app=StaticFiles(directory=node_modules() / SDK, check_dir=True))]
    )


def _open(tab: Page, street: Street, *, origin: str | None = None, batching: bool = False) -> list[tuple[str, int]]:
    """A site's page with the SDK loaded. Answers to its posts, path and status, are put into the list."""
    answers: list[tuple[str, int]] = []
    tab.on(
        "response",
        lambda answer: (
            answers.append((httpx2.URL(answer.url).path, answer.status)) if answer.request.method == "POST" else None
        ),
    )
    tab.goto(origin or street.shop)
    assert tab.evaluate(LOAD, [street.api, street.sender.write_key, batching]) is True
    return answers


def test_the_browser_sdk_posts_all_six_calls_to_the_short_routes(tab: Page, street: Street) -> None:
    answers = _open(tab, street)
    tab.evaluate(SAY_ALL)
    tab.wait_for_load_state("networkidle")
    assert [path for path, _ in answers if path != "/v1/m"] == [f"/v1/{short}" for short in "pitsga"]
    assert {status for path, status in answers if path != "/v1/m"} == {200}
    assert street.stored() == [
        ("page", None, "Home"),
        ("identify", "u-ana", None),
        ("track", "u-ana", "Product Viewed"),
        ("screen", "u-ana", "Cart"),
        ("group", "u-ana", None),
        ("alias", "u-ana", None),
    ]


def test_the_browser_sdk_posts_batches(tab: Page, street: Street) -> None:
    answers = _open(tab, street, batching=True)
    tab.evaluate(SAY_ALL)
    tab.wait_for_timeout(500)
    tab.wait_for_load_state("networkidle")
    posted = [answer for answer in answers if answer[0] != "/v1/m"]
    assert set(posted) == {("/v1/b", 200)}
    assert len(posted) < 6
    assert sorted(kind for kind, _, _ in street.stored()) == ["alias", "group", "identify", "page", "screen", "track"]


@pytest.mark.parametrize("batching", [False, True], ids=["one by one", "in batches"])
def test_pages_of_a_foreign_origin_store_nothing(tab: Page, street: Street, *, batching: bool) -> None:
    answers = _open(tab, street, origin=street.foreign, batching=batching)
    tried: list[str] = []
    tab.on("request", lambda asked: tried.append(httpx2.URL(asked.url).path) if asked.method == "POST" else None)
    tab.evaluate(SAY_ALL)
    tab.wait_for_timeout(500)
    assert set(tried) - {"/v1/m"} == ({"/v1/b"} if batching else {f"/v1/{short}" for short in "pitsga"})
    assert {status for path, status in answers if path != "/v1/m"} <= {403}
    assert street.stored() == []


@pytest.mark.parametrize("allowed", [True, False], ids=["allowed", "foreign"])
@pytest.mark.parametrize("path", ["t", "b", "track", "batch"])
def test_beacons_carry_their_key_in_a_text_body(tab: Page, street: Street, path: str, *, allowed: bool) -> None:
    """`sendBeacon` with a string posts text/plain without asking first, so nothing but the source's list refuses it."""
    tab.goto(street.shop if allowed else street.foreign)
    message = {"type": "track", "event": "Left", "anonymousId": "a-1", "messageId": "m-1"}
    body = {"writeKey": street.sender.write_key} | (message if path in {"t", "track"} else {"batch": [message]})
    with tab.expect_response(f"**/v1/{path}") as answered:
        assert tab.evaluate(
            "([url, body]) => navigator.sendBeacon(url, JSON.stringify(body))", [f"{street.api}/v1/{path}", body]
        )
    assert answered.value.request.headers["content-type"].startswith("text/plain")
    assert answered.value.status == (200 if allowed else 403)
    assert street.stored() == ([("track", None, "Left")] if allowed else [])


def test_a_page_reads_why_it_was_refused(tab: Page, street: Street) -> None:
    """Else its SDK would take a bad message for a broken network, and try again for ever."""
    tab.goto(street.shop)
    status, code = tab.evaluate(
        """async ([url, key]) => {
            const headers = {authorization: `Basic ${btoa(key + ':')}`, 'x-retry-count': '1'}
            const answer = await fetch(url, {method: 'POST', headers, body: '{"event": "Lost"}'})
            return [answer.status, (await answer.json()).code]
        }""",
        [f"{street.api}/v1/t", street.sender.write_key],
    )
    assert (status, code) == (400, "messages_rejected")


def test_a_returning_visitor_is_recognised_and_a_foreign_page_learns_nothing(tab: Page, street: Street) -> None:
    asked = """async ([url, key]) => {
        const kept = localStorage.getItem('visitor-token')
        const body = JSON.stringify({writeKey: key, ...(kept ? {token: kept} : {})})
        const visitor = await (await fetch(`${url}/v1/visitor`, {method: 'POST', body})).json()
        localStorage.setItem('visitor-token', visitor.token)
        const headers = {authorization: `Bearer ${visitor.token}`}
        const answer = await fetch(`${url}/v1/recognise`, {headers})
        return [visitor, await answer.json()]
    }"""
    _open(tab, street)
    visitor, before = tab.evaluate(asked, [street.api, street.sender.write_key])
    assert before == {"known": False, "proof": "anonymous_id", "name": None, "traits": {}}
    tab.evaluate("(id) => analytics.setAnonymousId(id)", visitor["anonymousId"])
    tab.evaluate("() => analytics.identify('u-ana', {name: 'Ana Berg', email: 'ana@example.org'})")
    tab.wait_for_load_state("networkidle")
    assert street.stored() == [("identify", "u-ana", None)]
    tab.goto(street.shop)
    again, known = tab.evaluate(asked, [street.api, street.sender.write_key])
    assert again["anonymousId"] == visitor["anonymousId"]
    assert known == {"known": True, "proof": "anonymous_id", "name": "Ana Berg", "traits": {"name": "Ana Berg"}}
    tab.goto(street.foreign)
    stolen = tab.evaluate(
        """([url, token]) => fetch(`${url}/v1/recognise`, {headers: {authorization: `Bearer ${token}`}})
            .then((answer) => answer.text(), (error) => error.name)""",
        [street.api, again["token"]],
    )
    assert stolen == "TypeError"  # the browser lets the page read nothing
    with client(street.api) as http:
        headers = {"authorization": f"Bearer {again['token']}", "origin": street.foreign}
        assert http.get("/v1/recognise", headers=headers).status_code == 403
