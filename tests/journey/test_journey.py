"""The main job from end to end, in a real browser and against real processes: from a stranger's visit to their statement."""

import functools
import http.server
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journey.product import Integrator, Product, running, wait_for

NAME, EMAIL, PASSWORD = "Inês Cardoso", "ines@oficina.example", "twelve boxes of paper"
COMPANY, ACCOUNT = "Oficina do Papel", "K-7001"


@pytest.fixture
def shop() -> Iterator[str]:
    """A web shop on an origin of its own."""
    serve = functools.partial(_Quiet, directory=str(Path(__file__).parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def product(database_url: str, tmp_path: Path) -> Iterator[Product]:
    with running(database_url, tmp_path) as product:
        yield product


def test_from_a_stranger_s_visit_to_a_key_account_s_statement(
    product: Product, shop: str, browser: Browser, page: Page
) -> None:
    web = product.cdp("source", "create", "web-shop", "--origin", shop)["write_key"]
    product.cdp("source", "create", "erp", "--channel", "erp")
    scopes = [f"--scope={scope}" for scope in ("graph:read", "graph:pii", "ledger:read", "import:write")]
    client = product.cdp("client", "create", "journey", *scopes)
    programs = Integrator(product=product, client_id=client["client_id"], client_secret=client["client_secret"])
    address = f"{shop}/shop.html?{urlencode({'api': product.api, 'key': web})}"

    # A stranger looks around, on a laptop and on a telephone: two customers without a name.
    page.goto(address)
    laptop = _device(page, told=1)
    telephone_context = browser.new_context()
    telephone_page = telephone_context.new_page()
    telephone_page.goto(address)
    telephone = _device(telephone_page, told=1)
    stranger = programs.recognise("anonymous_id", laptop)
    other = programs.recognise("anonymous_id", telephone)
    assert stranger["name"] is None
    assert stranger["interactions"]["totalCount"] == 1
    assert stranger["id"] != other["id"]

    # She signs up on both: one customer with a name, both devices and both visits; the former id leads to her.
    for one in (page, telephone_page):
        _sign_up(one)
    telephone_context.close()
    customer = wait_for(lambda: _if_named(programs.recognise("email", EMAIL)))
    wait_for(lambda: programs.recognise("anonymous_id", telephone)["id"] == customer["id"])
    assert customer["id"] in (stranger["id"], other["id"])
    for former in (stranger["id"], other["id"]):
        found = programs.ask("query ($id: ID!) { customer(id: $id) { id name } }", id=former)["customer"]
        assert found == {"id": customer["id"], "name": NAME}
    assert programs.recognise("anonymous_id", laptop)["interactions"]["totalCount"] == 2

    _erp_tells_of_her(programs, customer)
    page.get_by_role("button", name="Buy 12 boxes").click()
    expect(page.locator("#told")).to_have_text("4")
    wait_for(lambda: programs.ask('{ order(number: "W-4711") { account { number } } }')["order"])
    _erp_posts(programs)
    _accept_invitation(page, product)
    _sign_in(page, product)

    # She reads what she owes, and what became of her order.
    statement = page.get_by_role("main")
    for text in ("INV-9001", "378.00", "PAY-77", "128.00", "250.00"):
        expect(statement).to_contain_text(text)
    page.get_by_role("link", name="Orders", exact=True).first.click()
    page.get_by_role("link", name="W-4711").click()
    order = page.get_by_role("main")
    expect(order.get_by_role("heading", level=1)).to_contain_text("W-4711")
    for text in ("Shipping box, double wall", "378.00", "PO 88", NAME):
        expect(order).to_contain_text(text)


def _erp_tells_of_her(programs: Integrator, customer: dict[str, Any]) -> None:
    """Under keys of its own: she is still one person, and her company one company, now with an account."""
    organisation = {"external_id": "9000", "kind": "organisation", "name": COMPANY}
    person = {"external_id": "9001", "name": NAME, "email": EMAIL, "organisation": "9000", "role": "Finance"}
    programs.deliver("customers", [organisation, person])
    account = {"number": ACCOUNT, "customer": "9000", "name": COMPANY, "currency": "EUR", "tier": "key"}
    programs.deliver("accounts", [account | {"payment_terms_days": 30, "credit_limit": "5000.00"}])
    known = programs.recognise("email", EMAIL)
    assert known["id"] == customer["id"]
    assert {one["source"]["name"] for one in known["profiles"]["nodes"]} == {"web-shop", "erp"}
    company = programs.recognise("group_id", COMPANY)
    found = programs.ask("query ($number: String!) { account(number: $number) { holder { id name } } }", number=ACCOUNT)
    assert found["account"]["holder"] == {"id": company["id"], "name": COMPANY}


def _erp_posts(programs: Integrator) -> None:
    """An invoice of today and a payment of a part of it."""
    today = datetime.now(UTC).date()
    due_on = (today + timedelta(days=30)).isoformat()
    entry = {"account": ACCOUNT, "currency": "EUR", "posted_on": today.isoformat()}
    invoice = entry | {"external_id": "1", "kind": "invoice", "document_number": "INV-9001", "amount": "378.00"}
    payment = entry | {"external_id": "2", "kind": "payment", "document_number": "PAY-77", "amount": "-128.00"}
    allocation = {"debit": "1", "amount": "128.00", "allocated_on": today.isoformat()}
    programs.deliver("ledger", [invoice | {"due_on": due_on}, payment | {"allocations": [allocation]}])


def _accept_invitation(page: Page, product: Product) -> None:
    invitation = product.cdp("member", "invite", EMAIL, "--account", ACCOUNT, "--role", "finance")
    page.goto(invitation["link"])
    page.get_by_label("Your name").fill(NAME)
    page.get_by_label("Choose a password").fill(PASSWORD)
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_text(f"You are now a member of {COMPANY}.")).to_be_visible()


def _sign_in(page: Page, product: Product) -> None:
    """By the issuer's own page, and back to where she wanted to go."""
    page.goto(f"{product.extranet}/statement")
    assert page.url.startswith(f"{product.api}/idp/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{product.extranet}/statement")


def _device(page: Page, *, told: int) -> str:
    """The device's id, once the shop has told of `told` things."""
    expect(page.locator("#told")).to_have_text(str(told))
    device: str = page.evaluate("localStorage.device")
    return device


def _sign_up(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill(NAME)
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Company").fill(COMPANY)
    page.get_by_label("Customer number").fill(ACCOUNT)
    page.get_by_role("button", name="Sign up").click()
    expect(page.locator("#told")).to_have_text("3")


def _if_named(customer: dict[str, Any]) -> dict[str, Any] | None:
    return customer if customer["name"] else None


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass
