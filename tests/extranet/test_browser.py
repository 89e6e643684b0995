"""The extranet in a real browser: each role walks its pages; wide and narrow, light and dark, by keyboard, on paper."""

import io
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader

from tests.accessibility import bring_axe, faults
from tests.extranet.addresses import ADMIN, BOTH, BUYER, FINANCE, LUSITANIA, OF_ADMINISTRATORS, VIEWER, named, pages
from tests.extranet.business import PASSWORD
from tests.extranet.conftest import Site


def sign_in(page: Page, site: Site, email: str, path: str = "/") -> None:
    page.goto(site.url + path)
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(site.url + path)


@pytest.fixture
def member(browser: Browser, site: Site) -> Iterator[Page]:
    """A page of the finance person, signed in without the form."""
    site.as_member(BOTH).close()
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_cookies([{"name": "sid", "value": site.cookies[BOTH]["sid"], "url": site.url}])
    yield context.new_page()
    context.close()


@pytest.fixture
def administrator(browser: Browser, site: Site) -> Iterator[Page]:
    """A page of the account's administrator."""
    site.as_member(LUSITANIA).close()
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_cookies([{"name": "sid", "value": site.cookies[LUSITANIA]["sid"], "url": site.url}])
    yield context.new_page()
    context.close()


@pytest.mark.parametrize(
    ("email", "reads"),
    [
        (FINANCE, ["Home", "Statement", "Invoices", "Orders", "Cases"]),
        (ADMIN, ["Home", "Statement", "Invoices", "Orders", "Cases"]),
        (BUYER, ["Home", "Orders", "Cases"]),
        (VIEWER, ["Home", "Orders"]),
    ],
)
def test_each_role_signs_in_walks_its_pages_and_signs_out(
    page: Page, site: Site, email: str, reads: Sequence[str]
) -> None:
    sign_in(page, site, email)
    navigation = page.get_by_role("navigation", name="Main")
    assert navigation.get_by_role("link").all_inner_texts() == reads
    for name in reads:
        navigation.get_by_role("link", name=name).click()
        expect(navigation.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    navigation.get_by_role("link", name="Orders").click()
    page.get_by_role("rowheader").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Order SO-")
    if "Statement" in reads:
        page.goto(f"{site.url}/statement")
        page.get_by_role("link", name="This month").click()
        expect(page.get_by_role("link", name="This month")).to_have_attribute("aria-current", "true")
        page.get_by_label("From").fill("2026-08-01")
        page.get_by_label("To", exact=True).fill("2026-08-31")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("row", name="Closing balance on Aug 31, 2026")).to_be_visible()
        page.get_by_role("link", name="Open items").click()
        expect(page.get_by_role("heading", name="Open items")).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download CSV").click()
        assert download.value.suggested_filename.startswith("statement-K-")
    page.get_by_role("button", name="K-").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{site.url}/signed-out")
    page.goto(f"{site.url}/orders")
    assert page.url.startswith(site.issuer)


def test_everything_works_without_javascript(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, site, BOTH, "/account")
    page.get_by_role("main").get_by_role("button", name="Zeppelin canary AG").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Zeppelin canary AG")
    page.get_by_role("button", name="K-2002").click()
    page.get_by_role("button", name="Lusitânia Gráfica").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lusitânia Gráfica")
    page.get_by_role("link", name="Orders", exact=True).click()
    page.get_by_label("Number, your reference or product").fill("PO-88120")
    page.get_by_label("Status").select_option("Delivered")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="SO-1001").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Order SO-1001")
    page.get_by_role("button", name="K-1001").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{site.url}/signed-out")
    context.close()


def test_every_page_is_accessible_and_fits(member: Page, site: Site) -> None:
    bring_axe(member)
    for address in pages(site, administrator=False):
        member.goto(site.url + address)
        assert faults(member) == {}, address
    member.get_by_role("button", name="K-1001").click()
    assert faults(member) == {}


def test_pages_of_administrators_are_as_accessible(administrator: Page, site: Site) -> None:
    bring_axe(administrator)
    for path in OF_ADMINISTRATORS:
        administrator.goto(site.url + named(site, path))
        assert faults(administrator) == {}, path


def test_on_a_narrow_screen_a_row_is_a_card_that_keeps_its_columns(member: Page, site: Site) -> None:
    member.set_viewport_size({"width": 320, "height": 800})
    for path, caption in (
        ("/statement", "Entries"),
        ("/statement?kind=open-item", "Open items"),
        ("/invoices", "7 invoices"),
        ("/orders", "43 orders"),
    ):
        member.goto(site.url + path)
        table = member.get_by_role("table", name=caption)
        columns = table.get_by_role("columnheader").all_text_contents()
        for row in table.locator("tbody tr").all():
            cells = row.locator("[data-label]").all()
            labels = [cell.get_attribute("data-label") for cell in cells]
            assert set(labels) <= {*columns, "Balance"}
            for cell in cells:
                if not (cell.text_content() or "").strip():
                    continue
                assert cell.is_visible()
                shown = cell.evaluate("cell => getComputedStyle(cell, '::before').content")
                label = cell.get_attribute("data-label")
                names_itself = cell.evaluate("cell => cell.tagName === 'TH'")
                assert names_itself or shown == f'"{label}"'


def test_the_keyboard_reaches_content_first_and_everything_after(member: Page, site: Site) -> None:
    member.goto(site.url)
    member.keyboard.press("Tab")
    expect(member.get_by_role("link", name="Skip to content")).to_be_focused()
    expect(member.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    member.keyboard.press("Enter")
    expect(member.locator("main")).to_be_focused()
    member.keyboard.press("Tab")
    expect(member.get_by_role("link", name="Statement of account")).to_be_focused()
    outline = member.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    member.get_by_role("button", name="K-1001").focus()
    member.keyboard.press("Enter")
    expect(member.get_by_role("button", name="Sign out")).to_be_visible()
    member.keyboard.press("Escape")
    expect(member.get_by_role("button", name="Sign out")).to_be_hidden()


def test_a_page_asks_nobody_else_and_is_light(member: Page, site: Site) -> None:
    asked: list[str] = []
    member.on("request", lambda request: asked.append(request.url))
    member.goto(f"{site.url}/statement")
    member.evaluate("document.fonts.ready")
    assert {urlsplit(address).netloc for address in asked} == {urlsplit(site.url).netloc}
    names = {urlsplit(address).path for address in asked}
    assert names <= {
        "/statement",
        "/static/extranet.css",
        "/static/mark.svg",
        "/static/text.woff2",
        "/static/display.woff2",
    }


def test_statement_and_order_print_on_a4_without_the_sites_frame(member: Page, site: Site) -> None:
    split = f"/orders/ord_{site.business.orders['SO-1002'].hex}"
    for path, most in (("/statement", 2), (split, 1)):
        member.goto(site.url + path)
        member.emulate_media(media="print")
        for frame in (".masthead", ".controls", ".colophon"):
            for part in member.locator(frame).all():
                expect(part).to_be_hidden()
        expect(member.get_by_role("heading", level=1)).to_be_visible()
        paper = member.pdf(prefer_css_page_size=True)
        assert paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page ") <= most
        assert b"/MediaBox [0 0 594.95996 841.91998]" in paper
        member.emulate_media(media="screen")


def test_every_sheet_of_a_printed_statement_says_whose_it_is(browser: Browser, site: Site) -> None:
    site.as_member(ADMIN).close()
    context = browser.new_context()
    context.add_cookies([{"name": "sid", "value": site.cookies[ADMIN]["sid"], "url": site.url}])
    page = context.new_page()
    page.goto(f"{site.url}/statement")
    for part in (".paper-head", ".on-paper"):
        expect(page.locator(part).first).to_be_hidden()
    sheets = [sheet.extract_text() for sheet in PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages]
    context.close()
    rows = [sheet for sheet in sheets if "INV-90" in sheet]
    assert len(rows) > 1
    for sheet in rows:
        assert "Statement of account · K-2002 · Nov 22, 2025 – Nov 21, 2026 · EUR" in plain(sheet)
        assert "Date Document Due Debit Credit Balance" in plain(sheet)
    assert "Meridian Supply, Lda Zeppelin canary AG · K-2002 Nov 21, 2026 Statement of account" in plain(sheets[0])
    assert "Download" not in "".join(sheets)
    assert "Balance carried forward" in plain(sheets[-1])
    assert "INV-90049" in sheets[-1]  # no sheet of a total alone


def plain(text: str) -> str:
    return " ".join(text.split())
