"""The account manager's card: who stands in while they are away, and that nobody else of the staff is there."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final
from uuid import UUID

import pytest

from cdp.access.audit import OPERATOR
from cdp.access.managing_staff import Absence, StaffDesk, StaffDetails, staff_by_email
from cdp.access.viewer import ENTER
from cdp.db.engine import connect
from cdp.errors import Mistake
from tests.extranet.business import TODAY
from tests.extranet.conftest import Site, running_site
from tests.extranet.reading import Element, read

FINANCE: Final = "finance@lusitania.example"
LATER: Final = date(2999, 12, 31)


@pytest.fixture(scope="module")
def site(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Its own, with two more of the staff: Paulo, and Gerda, whom no client knows."""
    with running_site(shared_database_url, tmp_path_factory.mktemp("data")) as site:
        with connect(site.database_url, "cdp_app") as connection:
            desk = StaffDesk(connection, OPERATOR)
            for email, name in (("paulo@meridian.example", "Paulo Neves"), ("gerda@meridian.example", "Gerda canary")):
                added = desk.add(email, StaffDetails(name=name, phone="+351 21 000"), issuer="x", subject=None)
                assert isinstance(added, UUID)
        yield site


def person(site: Site, name: str) -> UUID:
    with connect(site.database_url, "cdp_app") as connection:
        found = staff_by_email(connection, f"{name}@meridian.example")
    assert found
    return found


def away(site: Site, first: date | None, last: date = LATER, deputy: str = "paulo") -> UUID | Mistake:
    absence = None if first is None else Absence(from_on=first, to_on=last, deputy_id=person(site, deputy))
    manager = person(site, "marta")
    with connect(site.database_url, "cdp_app") as connection:
        return StaffDesk(connection, OPERATOR).set_absence(manager, absence)


def card(site: Site) -> Element:
    with site.as_member(FINANCE) as member:
        return read(member.get("/").text).one("section", class_="manager")


def test_a_manager_who_is_away_says_until_when_and_who_stands_in(site: Site) -> None:
    away(site, TODAY)
    shown = card(site).text
    assert "Marta Kowalska" in shown
    assert "Away until Dec 31, 2999. Paulo Neves stands in." in shown
    assert [link.attributes["href"] for link in card(site).all("a")] == [
        "tel:+351213555014", "mailto:marta@meridian.example", "tel:+35121000", "mailto:paulo@meridian.example",
    ]  # fmt: skip


def test_an_absence_to_come_is_told_and_one_that_is_over_is_not(site: Site) -> None:
    away(site, TODAY + timedelta(days=3))
    assert "Away from Nov 24, 2026 to Dec 31, 2999. Paulo Neves stands in." in card(site).text
    away(site, date(2020, 1, 1), date(2020, 1, 9))
    assert "Paulo" not in card(site).text
    away(site, None)
    assert "Away" not in card(site).text


def test_who_left_the_company_stands_in_for_nobody(site: Site) -> None:
    away(site, TODAY)
    with connect(site.database_url, "cdp_app") as connection:
        StaffDesk(connection, OPERATOR).disable(person(site, "paulo"))
    try:
        assert "Paulo" not in card(site).text
        refused = away(site, TODAY)
    finally:
        with connect(site.database_url, "cdp_app") as connection:
            StaffDesk(connection, OPERATOR).enable(person(site, "paulo"))
    assert isinstance(refused, Mistake)
    assert refused.code == "deputy_unfit"


def test_an_absence_that_cannot_be_is_refused(site: Site) -> None:
    backwards, oneself = away(site, TODAY, TODAY - timedelta(days=1)), away(site, TODAY, LATER, "marta")
    codes = [each.code for each in (backwards, oneself) if isinstance(each, Mistake)]
    assert codes == ["period_backwards", "deputy_unfit"]


def test_the_database_shows_members_the_manager_and_who_stands_in_alone(site: Site) -> None:
    def names() -> list[str]:
        with connect(site.database_url, "cdp_portal") as connection:
            connection.execute(ENTER, (member, None, site.business.accounts["K-1001"]))
            return [row[0] for row in connection.execute("SELECT name FROM staff ORDER BY name")]

    with connect(site.database_url, "cdp_app") as connection:
        row = connection.execute("SELECT member_id FROM member WHERE email = %s", [FINANCE]).fetchone()
    assert row
    member = row[0]
    away(site, None)
    assert names() == ["Marta Kowalska"]
    away(site, TODAY)
    assert names() == ["Marta Kowalska", "Paulo Neves"]
    away(site, date(2020, 1, 1), date(2020, 1, 9))
    assert names() == ["Marta Kowalska"]
