"""The pages over HTTP, as signed-in members get them."""

from tests.extranet.conftest import Site

FINANCE = "finance@lusitania.example"


def test_home_shows_what_is_owed(site: Site) -> None:
    with site.as_member(FINANCE) as member:
        page = member.get("/")
    print(page.text)
    assert page.status_code == 200
    assert "€2,800.00" in page.text
