"""The language somebody reads, from the sign-in page to the PDF: the issuer is asked to speak it and keeps to it."""

import io
from collections.abc import Iterator
from typing import Literal

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser, Page
from pypdf import PdfReader

from cdp.languages import LANGUAGES
from cdp.mail import Letters
from cdp.settings import load_settings
from tests.accessibility import violations
from tests.extranet.addresses import FINANCE
from tests.extranet.business import PASSWORD
from tests.extranet.conftest import Site
from tests.extranet.test_walks import HEADINGS, LOCALE_OF, signed_in, speak

SIGN_IN = {"en": "Sign in", "es": "Iniciar sesión", "pl": "Zaloguj się", "pt": "Iniciar sessão"}
WRONG = {
    "en": "The e-mail or the password is not right.",
    "es": "El correo electrónico o la contraseña no son correctos.",
    "pl": "E-mail lub hasło jest niewłaściwe.",
    "pt": "O e-mail ou a palavra-passe não estão certos.",
}
SECURITY = {"en": "Security", "es": "Seguridad", "pl": "Bezpieczeństwo", "pt": "Segurança"}
RESET = {
    "en": "Choose a new password for Meridian Supply",
    "es": "Elija una contraseña nueva para Meridian Supply",
    "pl": "Ustal nowe hasło do Meridian Supply",
    "pt": "Escolha uma nova palavra-passe para Meridian Supply",
}


@pytest.fixture
def speaking_english(site: Site) -> Iterator[None]:
    yield
    speak(site, "en")


def shows(page: Page, language: str, heading: str) -> None:
    assert page.get_by_role("heading", level=1).inner_text() == heading
    assert page.locator("html").get_attribute("lang") == language
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert violations(page) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_issuer_speaks_as_the_extranet_asks_it_to(browser: Browser, site: Site, language: str) -> None:
    scheme: Literal["light", "dark"] = "dark" if language in {"pl", "en"} else "light"
    context = browser.new_context(
        locale=LOCALE_OF[language], viewport={"width": 320, "height": 800}, color_scheme=scheme
    )
    page = context.new_page()
    page.goto(f"{site.url}/orders")
    assert f"ui_locales={language}" in page.url
    shows(page, language, SIGN_IN[language])
    # Whatever the browser says from here on: what the client asked for is kept.
    page.set_extra_http_headers({"Accept-Language": "de"})
    page.locator("#email").fill(FINANCE)
    page.locator("#password").fill("not the password")
    page.locator("main form button").first.click()
    assert page.get_by_role("alert").inner_text() == WRONG[language]
    shows(page, language, SIGN_IN[language])
    page.goto(f"{site.issuer}/idp/reset")
    assert page.locator("html").get_attribute("lang") == language
    page.goto(f"{site.issuer}/idp/security")
    page.locator("#email").fill(FINANCE)
    page.locator("#password").fill(PASSWORD)
    page.locator("main form button").first.click()
    page.wait_for_url(f"{site.issuer}/idp/security")
    shows(page, language, SECURITY[language])
    context.close()


@pytest.mark.usefixtures("speaking_english")
def test_polish_is_set_in_one_font_from_the_first_page_on(browser: Browser, site: Site) -> None:
    context = signed_in(browser, site, FINANCE, "pl")
    page = context.new_page()
    page.goto(f"{site.url}/orders")
    slices = "[...document.fonts].filter(font => font.unicodeRange.startsWith('U+104')).map(font => font.status)"
    assert page.evaluate(f"document.fonts.ready.then(() => {slices})") == ["loaded", "loaded"]
    context.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.usefixtures("speaking_english")
def test_files_are_in_the_readers_language(site: Site, language: str) -> None:
    with site.as_member(FINANCE) as client:
        speak(site, language)
        paper = PdfReader(io.BytesIO(client.get("/statement.pdf").content))
        book = load_workbook(io.BytesIO(client.get("/statement.xlsx").content))
    assert str(paper.root_object["/Lang"]).startswith(language)
    assert paper.metadata
    assert HEADINGS[language] in (paper.metadata.title or "")
    assert HEADINGS[language] in paper.pages[0].extract_text()
    assert [sheet for sheet in book.sheetnames if sheet in {"Entries", "Movimientos", "Zapisy", "Movimentos"}]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_is_in_its_readers_language(language: str) -> None:
    letter = Letters("cdp.access.issuer").write(
        "reset",
        to="ana@client.example",
        settings=load_settings(seller_name="Meridian Supply"),
        language=language,
        name="Ana",
        link="https://idp.example/reset/x",
    )
    assert letter.subject == RESET[language]
    assert f'<html lang="{language}">' in (letter.html or "")
