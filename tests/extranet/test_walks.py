"""Every role walks every page in every language, and every page is accessible in each: wide and narrow, light and dark.

English is `test_browser`'s.
"""

import functools
from collections.abc import Iterator
from typing import Final

import pytest
from babel.messages.pofile import read_po
from playwright.sync_api import Browser, BrowserContext, expect

from cdp.db.engine import connect
from extranet.languages import LANGUAGES, LOCALES
from tests.accessibility import bring_axe, faults
from tests.extranet.addresses import BUYER, FINANCE, LUSITANIA, VIEWER, pages
from tests.extranet.business import CANARIES
from tests.extranet.conftest import Site

ROLES: Final = (LUSITANIA, FINANCE, BUYER, VIEWER)
LOCALE_OF: Final = {"en": "en-GB", "es": "es-ES", "pl": "pl-PL", "pt": "pt-PT"}
HEADINGS: Final = {
    "en": "Statement of account",
    "es": "Extracto de cuenta",
    "pl": "Wyciąg z konta",
    "pt": "Extrato de conta",
}
LONG: Final = 14


def speak(site: Site, language: str) -> None:
    """Have everybody read this language."""
    with connect(site.database_url, "cdp_app") as connection:
        connection.execute("UPDATE member SET locale = %s", [LOCALE_OF[language]])


@pytest.fixture
def speaking_english(site: Site) -> Iterator[None]:
    yield
    speak(site, "en")


def signed_in(browser: Browser, site: Site, email: str, language: str) -> BrowserContext:
    """A browser of somebody who reads this language and is signed in."""
    site.as_member(email).close()
    speak(site, language)
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale=LOCALE_OF[language])
    context.add_cookies([{"name": "sid", "value": site.cookies[email]["sid"], "url": site.url}])
    return context


@functools.cache
def english_left(language: str) -> tuple[str, ...]:
    """English wordings that a page in another language must not show."""
    if language == "en":
        return ()
    with (LOCALES / f"{language}.po").open("rb") as source:
        told = [(message.id, message.string) for message in read_po(source, locale=language) if message.id]
    return tuple(
        text
        for text, said in told
        if isinstance(text, str) and len(text) > LONG and "%" not in text and "{" not in text and text != said
    )


@pytest.mark.parametrize("email", ROLES)
@pytest.mark.usefixtures("speaking_english")
def test_each_role_walks_every_page_in_every_language_and_sees_its_own_account_alone(
    browser: Browser, site: Site, email: str
) -> None:
    answers: dict[str, dict[str, int]] = {}
    for language in LANGUAGES:
        context = signed_in(browser, site, email, language)
        page = context.new_page()
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        network.send("Network.setBlockedURLs", {"urls": ["*/static/*"]})
        english = english_left(language)
        for path in pages(site):
            answer = page.goto(site.url + path, wait_until="domcontentloaded")
            assert answer
            spoken, written, seen = page.evaluate(
                "[document.documentElement.lang, document.documentElement.outerHTML, document.body.innerText]"
            )
            assert spoken == language, path
            assert [canary for canary in CANARIES if canary in written] == [], path
            assert [text for text in english if text in seen] == [], (language, path)
            answers.setdefault(path, {})[language] = answer.status
        if email == FINANCE:
            page.goto(f"{site.url}/statement")
            expect(page.get_by_role("heading", level=1)).to_have_text(HEADINGS[language])
        context.close()
    assert {path: found for path, found in answers.items() if len(set(found.values())) > 1} == {}
    assert all(found["en"] < 500 for found in answers.values())


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
@pytest.mark.usefixtures("speaking_english")
def test_every_page_is_accessible_and_fits_in_every_language(browser: Browser, site: Site, language: str) -> None:
    context = signed_in(browser, site, LUSITANIA, language)
    page = context.new_page()
    bring_axe(page)
    for path in pages(site):
        page.goto(site.url + path)
        assert faults(page) == {}, (language, path)
    context.close()
