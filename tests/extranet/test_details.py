"""Details: what the seller knows the client by, the bank by its end alone, and a change as a request."""

import pytest

from cdp.db.engine import connect
from tests.extranet.conftest import Site
from tests.extranet.reading import Element, read


def page(site: Site, email: str) -> Element:
    with site.as_member(email) as member:
        answer = member.get("/details")
    assert answer.status_code == 200, answer.text
    return read(answer.text).one("main")


def test_finance_reads_addresses_terms_and_the_end_of_the_bank_account(site: Site) -> None:
    cards = [card.text for card in page(site, "finance@lusitania.example").all("section")]
    assert cards == [
        "Company Legal name Lusitânia Gráfica, S.A. Tax ID PT503456789 Account K-1001 Currency EUR Euro Terms 30 days",
        "Invoices go to Lusitânia Gráfica Rua do Ouro 12 1100-063 Lisboa",
        "Goods go to Armazém 4 Maia",
        "Contacts Beatriz Sá",
        "Your bank Banco Exemplo •••• account ending in 0154 We keep no more of it than that.",
    ]


@pytest.mark.parametrize(
    ("email", "asks"),
    [("finance@lusitania.example", 1), ("buyer@lusitania.example", 1), ("viewer@lusitania.example", 0)],
)
def test_who_may_open_cases_asks_for_a_change(site: Site, email: str, asks: int) -> None:
    assert len(page(site, email).all("a", href="/cases/new?kind=details")) == asks


@pytest.mark.parametrize("email", ["buyer@lusitania.example", "viewer@lusitania.example"])
def test_roles_without_the_ledger_see_neither_terms_nor_bank(site: Site, email: str) -> None:
    shown = page(site, email).text
    assert "0154" not in shown
    assert "Terms" not in shown
    assert "Rua do Ouro" in shown


def test_another_accounts_details_are_not_there(site: Site) -> None:
    assert "canary" not in page(site, "admin@lusitania.example").text


@pytest.mark.parametrize("email", ["admin@lusitania.example", "viewer@lusitania.example"])
def test_contacts_are_told_by_name_and_role_and_no_more(site: Site, email: str) -> None:
    with connect(site.database_url, "cdp_app") as connection:
        connection.execute("UPDATE affiliation SET role = 'Buyer of paper'")
        connection.execute("UPDATE customer SET email = 'private@mail.example' WHERE name = 'Beatriz Sá'")
    card = next(each for each in page(site, email).all("section") if each.attributes["aria-labelledby"] == "contacts")
    assert card.text == "Contacts Beatriz Sá Buyer of paper"
    assert page(site, "admin@zeppelin.example").text.count("We know none.") == 1
