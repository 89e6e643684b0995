"""The style guide: in development it shows the design system as it is; in production there is no such page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from cdp.settings import load_settings
from extranet.app import create_app
from extranet.styleguide import SHAPE_ON_GROUND, TEXT_ON_GROUND, contrast
from tests.accessibility import faults
from tests.extranet.addresses import FINANCE
from tests.extranet.conftest import Site, free_port, serving


@pytest.fixture
def guide(browser: Browser, site: Site) -> Iterator[Page]:
    site.as_member(FINANCE).close()
    context = browser.new_context()
    context.add_cookies([{"name": "sid", "value": site.cookies[FINANCE]["sid"], "url": site.url}])
    page = context.new_page()
    page.goto(f"{site.url}/styleguide")
    expect(page.get_by_role("heading", level=1)).to_have_text("Style guide")
    yield page
    context.close()


def test_it_is_accessible_and_fits(guide: Page) -> None:
    assert faults(guide) == {}


def test_it_says_each_contrast_and_finds_none_too_weak(guide: Page) -> None:
    measured = guide.get_by_role("table", name="Contrast of text and shapes on their grounds").get_by_role("row")
    expect(measured).to_have_count(len(TEXT_ON_GROUND) + len(SHAPE_ON_GROUND) + 1)
    expect(measured.nth(1)).to_contain_text(f"{contrast('#17211c', '#f3f6f3'):.1f} : 1")
    assert guide.get_by_text("Too weak").count() == 0
    assert guide.get_by_role("heading", level=2).all_inner_texts() == [
        "Type",
        "Colour",
        "Space",
        "Buttons",
        "Focus",
        "Fields",
        "Tables",
        "Figures",
        "Status and tags",
        "Notices and empty states",
        "What isn’t there yet",
    ]


def test_there_is_none_in_production(site: Site, tmp_path: Path) -> None:
    port = free_port()
    settings = load_settings(
        public_url=site.issuer,
        extranet_url=f"http://localhost:{port}",
        portal_database_url=site.database_url,
        data_dir=tmp_path,
    )
    for env, status in (("production", 404), ("development", 200)):
        with (
            serving(create_app(settings.model_copy(update={"env": env})), port),
            site.as_member(FINANCE) as client,
        ):
            assert client.get(f"{settings.extranet_url}/styleguide").status_code == status
    with site.client() as nobody:
        assert nobody.get("/styleguide").headers["location"] == "/sign-in?next=/styleguide"
