"""Orders to find, to read and to take away: sites, days and products; changed promises; delivery notes; files of all lines."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import openpyxl
import pytest
from pypdf import PdfReader

from cdp.db.engine import connect
from cdp.db.ids import format_id
from cdp.db.locks import hold_customers_exclusive
from cdp.ledger.orders import OrderLine, OrderRecord, record_orders
from tests.extranet.business import SOURCE
from tests.extranet.conftest import Site
from tests.extranet.reading import Element, read, rows, table

BUYER, FINANCE, OTHERS = "buyer@lusitania.example", "finance@lusitania.example", "admin@zeppelin.example"
PLACED = datetime(2025, 5, 4, 23, 30, tzinfo=UTC)
MANY_LINES = 103


@pytest.fixture(scope="module", autouse=True)
def long_order(site: Site) -> None:
    """An order of 103 lines for a site, of names that a spreadsheet would run, promised for another day in a second telling."""
    with connect(site.database_url, "cdp_app") as connection:
        hold_customers_exclusive(connection)
        holder = connection.execute(
            "SELECT customer_id FROM account WHERE account_id = %s", [site.business.accounts["K-1001"]]
        ).fetchone()
        assert holder
        lines = tuple(
            OrderLine(
                line_no=number, product=f"BOX-{number:03}", name="=HYPERLINK(1)", quantity=Decimal("1.5"),
                quantity_returned=Decimal(1), unit_price=Decimal("2.00"), amount=Decimal("3.00"),
                promised_on=date(2025, 5, 20) if number == 1 else None,
            )
            for number in range(1, MANY_LINES + 1)
        )  # fmt: skip
        told: dict[str, Any] = {
            "source_id": SOURCE, "external_id": "SO-LONG", "number": "SO-LONG", "customer_id": holder[0],
            "account_id": site.business.accounts["K-1001"], "profile_id": uuid4(), "channel": "edi", "location": "Porto",
            "placed_at": PLACED, "currency": "EUR", "total": Decimal("309.00"), "lines": lines, "status": "delivered",
            "told_at": datetime(2025, 5, 6, 8, tzinfo=UTC),
        }  # fmt: skip
        record_orders(connection, [OrderRecord(**told, version=1, promised_on=date(2025, 5, 10))])
        record_orders(connection, [OrderRecord(**told, version=2, promised_on=date(2025, 5, 17))])


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("site=Porto", ["SO-LONG"]),
        ("site=Lisboa", []),
        ("q=box-103", ["SO-LONG"]),
        ("q=ink%20%3Cset", ["SO-1003", "SO-1002"]),
        ("show=delivered", ["SO-1001", "SO-LONG"]),
        ("show=delivered&site=Porto", ["SO-LONG"]),
        ("from=2026-11-01&to=2026-11-18", ["SO-1002"]),
        ("from=2026-11-19", ["SO-1003"]),
        ("to=2025-05-04", ["SO-LONG"]),
        ("to=2025-05-03", []),
    ],
)
def test_orders_are_found_by_site_product_and_day(site: Site, query: str, numbers: list[str]) -> None:
    shown = page(site, BUYER, f"/orders?{query}")
    assert [row[0] for listed in shown.all("table") for row in rows(listed)] == numbers


def test_cancelled_orders_are_a_list_of_their_own(site: Site) -> None:
    assert len(rows(table(page(site, BUYER, "/orders?show=cancelled"), "40 orders"))) == 25


@pytest.mark.parametrize(
    ("query", "says"),
    [("from=2026-13-01", "there is no month 13"), ("from=2026-02-02&to=2026-01-01", "This is after the end date")],
)
@pytest.mark.parametrize("path", ["/orders", "/orders.csv", "/orders.xlsx"])
def test_wrong_days_are_told_beside_their_field(site: Site, path: str, query: str, says: str) -> None:
    with site.as_member(BUYER) as client:
        answer = client.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert says in read(answer.text).one("span", id="from-problem").text


def test_a_changed_promise_is_told_from_which_day_to_which(site: Site) -> None:
    shown = page(site, BUYER, path_of(site, "SO-LONG"))
    assert "Promised for May 17, 2025 first promised for May 10, 2025" in shown.text
    [changed] = [event.text for event in shown.one("ol", class_="timeline").all("li")]
    assert changed == "Promised day changed May 6, 2025, 8:00 AM From May 10, 2025 to May 17, 2025"
    first = rows(table(shown, "Lines of the order"))[0][0]
    assert first == "=HYPERLINK(1) BOX-001 1 returned Promised for May 20, 2025"


def test_documents_of_an_order_are_linked_for_those_who_read_the_ledger(site: Site) -> None:
    path = path_of(site, "SO-1001")
    posted = table(page(site, FINANCE, path), "What was posted")
    assert rows(posted) == [["Invoice INV-1", "Aug 3, 2026", "Partly paid", "€1,000.00"]]
    assert posted.one("a").attributes["href"] == "/invoices/" + format_id("ent", site.business.entries["INV-1"])
    assert "What was posted" not in page(site, BUYER, path).text


def test_a_delivery_note_says_what_a_shipment_carries_and_no_price(site: Site) -> None:
    note = page(site, BUYER, path_of(site, "SO-1002")).one("a", aria_label="Delivery note SH-2").attributes["href"]
    with site.as_member(BUYER) as client:
        answer = client.get(note)
    assert answer.headers["content-type"] == "application/pdf"
    text = " ".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(answer.content)).pages)
    for said in ("Delivery note SH-2", "SO-1002", "Rail & Road", "Coated paper, pallet", "PAP-90", "Ink <set>"):
        assert said in text
    assert "100.00" not in text
    for email, path in ((OTHERS, note), (BUYER, note.replace("shp_", "shp_0"))):
        with site.as_member(email) as client:
            assert client.get(path).status_code == 404


def test_the_csv_has_a_row_for_every_line_of_every_order_that_the_list_shows(site: Site) -> None:
    told = records(site, BUYER, "/orders.csv?show=delivered")
    assert [row["order_number"] for row in told] == ["SO-1001", *["SO-LONG"] * MANY_LINES]
    assert told[-1] == {
        "order_number": "SO-LONG", "purchase_order": "", "status": "delivered", "placed_at": "2025-05-04T23:30:00+00:00",
        "promised_on": "2025-05-17", "late": "no", "channel": "edi", "site": "Porto", "currency": "EUR",
        "order_total": "309.00", "line_no": "103", "product": "BOX-103", "name": "'=HYPERLINK(1)", "quantity": "1.5",
        "quantity_shipped": "0", "quantity_cancelled": "0", "quantity_returned": "1", "line_promised_on": "",
        "unit_price": "2.00", "amount": "3.00",
    }  # fmt: skip
    assert len({row["order_number"] for row in records(site, BUYER, "/orders.csv")}) == 44
    assert {row["order_number"] for row in records(site, OTHERS, "/orders.csv")} == {"SO-9001"}


def test_the_workbook_has_the_same_rows_as_numbers_and_days(site: Site) -> None:
    with site.as_member(BUYER) as client:
        answer = client.get("/orders.xlsx?show=delivered")
    assert answer.headers["content-disposition"] == 'attachment; filename="orders-K-1001-2026-11-21.xlsx"'
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).active
    assert sheet is not None
    assert sheet.freeze_panes == "A2"
    found = list(sheet.iter_rows(min_row=2, values_only=True))
    told = records(site, BUYER, "/orders.csv?show=delivered")
    assert [(row[0], str(row[10]), row[11]) for row in found] == [
        (row["order_number"], row["line_no"], row["product"]) for row in told
    ]
    assert found[-1][3:5] == (datetime(2025, 5, 4), datetime(2025, 5, 17))  # noqa: DTZ001 - a spreadsheet's day
    assert (found[-1][9], found[-1][12], found[-1][13], found[-1][19]) == (309, "=HYPERLINK(1)", 1.5, 3)
    assert sheet.cell(len(found) + 1, 13).data_type == "s"


def page(site: Site, email: str, path: str) -> Element:
    with site.as_member(email) as client:
        answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return read(answer.text)


def records(site: Site, email: str, path: str) -> list[dict[str, str]]:
    with site.as_member(email) as client:
        answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


def path_of(site: Site, number: str) -> str:
    with connect(site.database_url, "cdp_app") as connection:
        row = connection.execute("SELECT order_id FROM sales_order WHERE number = %s", [number]).fetchone()
    assert row
    return "/orders/" + format_id("ord", row[0])
