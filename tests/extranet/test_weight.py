"""What a page weighs: every page, in a browser that has kept nothing, at most 60 KB on the wire, all of it from this site.

In Polish, the language that loads the most letters.
"""

from typing import Any, Final

from playwright.sync_api import Browser

from tests.extranet.addresses import LUSITANIA, pages
from tests.extranet.conftest import Site
from tests.extranet.test_walks import signed_in

MOST_BYTES: Final = 60 * 1024
PATIENCE: Final = 1_000


def test_every_page_is_light_and_asks_nobody_else(browser: Browser, site: Site) -> None:
    weights: dict[str, int] = {}
    elsewhere: dict[str, list[str]] = {}
    missing: dict[str, list[str]] = {}
    for path in pages(site, filtered=True):
        context = signed_in(
            browser, site, LUSITANIA, "pl"
        )  # a context of its own: nothing is kept from the page before
        page = context.new_page()
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        asked: dict[str, str] = {}
        loaded: dict[str, float] = {}
        network.on("Network.requestWillBeSent", lambda told, asked=asked: asked.update(url_of(told)))
        network.on("Network.loadingFinished", lambda told, loaded=loaded: loaded.update(bytes_of(told)))
        page.goto(site.url + path)
        page.evaluate("document.fonts.ready")
        for _ in range(PATIENCE):
            if asked.keys() <= loaded.keys():
                break
            page.wait_for_timeout(10)
        missing[path] = [url for request, url in asked.items() if request not in loaded]
        weights[path] = round(sum(loaded.values()))
        elsewhere[path] = [url for url in asked.values() if not url.startswith((f"{site.url}/", "data:"))]
        context.close()
    assert {path: urls for path, urls in elsewhere.items() if urls} == {}
    assert {path: urls for path, urls in missing.items() if urls} == {}
    assert {path: weight for path, weight in weights.items() if weight > MOST_BYTES} == {}
    assert min(weights.values()) > 10_000  # the fonts at least: what is weighed was loaded


def url_of(told: dict[str, Any]) -> dict[str, str]:
    return {told["requestId"]: told["request"]["url"]}


def bytes_of(told: dict[str, Any]) -> dict[str, float]:
    return {told["requestId"]: told["encodedDataLength"]}
