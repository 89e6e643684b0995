"""The CSV of a statement: the page's rows and totals, in a form that programs and spreadsheets read safely."""

import csv
import io
from decimal import Decimal

import httpx2
import pytest

from extranet.answers import Money
from extranet.downloads import cell, encode, file_name
from extranet.periods import Kind, Period
from tests.extranet.business import MANY, TODAY
from tests.extranet.conftest import Site
from tests.extranet.reading import Element, read, table

FINANCE, ADMIN = "finance@lusitania.example", "admin@zeppelin.example"


def download(site: Site, email: str, query: str) -> httpx2.Response:
    with site.as_member(email) as member:
        answer = member.get(f"/statement.csv?{query}")
    assert answer.status_code == 200
    return answer


def records(answer: httpx2.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8"), newline="")))


def figures(row: Element) -> list[str]:
    """The exact amounts of a row, as the page's markup holds them; an empty cell for none."""
    cells = [part for part in row.parts if isinstance(part, Element) and part.has("class_", "num")]
    return [next((data.attributes["value"] for data in cell.all("data")), "") for cell in cells]


def dates(row: Element) -> list[str]:
    return [time.attributes["datetime"] for time in row.all("time")]


@pytest.mark.parametrize(
    "query", ["period=quarter", "from=2026-08-01&to=2026-09-30", "currency=USD", "from=2026-01-01&to=2026-01-02"]
)
def test_a_balance_forward_csv_has_the_pages_rows_and_totals(site: Site, query: str) -> None:
    with site.as_member(FINANCE) as member:
        shown = table(read(member.get(f"/statement?{query}").text), "Entries")
    opening, *lines, total = records(download(site, FINANCE, query))
    first, *entries = shown.one("tbody").all("tr")
    assert [opening["balance"]] == figures(first)
    on_page = [(dates(row)[0], *figures(row)) for row in entries if row.has("class_", "entry")]
    assert on_page == [(line["posted_on"], line["debit"], line["credit"], line["balance"]) for line in lines]
    assert figures(shown.one("tfoot").one("tr")) == [total["debit"], total["credit"], total["balance"]]
    assert (opening["row"], {line["row"] for line in lines} | {"line"}, total["row"]) == ("opening", {"line"}, "total")


@pytest.mark.parametrize("query", ["kind=open-item", "kind=open-item&to=2026-09-30"])
def test_an_open_item_csv_has_the_pages_items_and_credits(site: Site, query: str) -> None:
    with site.as_member(FINANCE) as member:
        shown = read(member.get(f"/statement?{query}").text)
    *found, total = records(download(site, FINANCE, query))
    items = table(shown, "Open items").one("tbody").all("tr")
    unapplied = [row for one in shown.all("section", class_="unapplied") for row in one.one("tbody").all("tr")]
    assert [(dates(row)[0], *figures(row)[-2:]) for row in [*items, *unapplied]] == [
        (row["posted_on"], row["original_amount"], row["open_amount"]) for row in found
    ]
    assert sum(Decimal(row["open_amount"]) for row in found) == Decimal(total["open_amount"])
    assert [row["row"] for row in found] == ["open-item"] * len(items) + ["unapplied-credit"] * len(unapplied)


def test_the_file_is_exactly_this(site: Site) -> None:
    answer = download(site, FINANCE, "period=quarter")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"] == (
        'attachment; filename="statement-K-1001-balance-forward-2026-10-01-2026-11-21.csv"'
    )
    assert answer.content.decode().split("\r\n") == [
        "row,posted_on,kind,document_number,description,purchase_order,order_number,due_on,disputed,currency,debit,credit,balance",
        "opening,2026-10-01,,,,,,,,EUR,,,650.50",
        "line,2026-10-05,credit_note,CN-1,,,,,no,EUR,,50.50,600.00",
        "line,2026-10-20,invoice,INV-3,,'@PO; drop,,2026-11-19,no,EUR,2000.00,,2600.00",
        "line,2026-11-10,invoice,INV-4,,,,2026-12-10,no,EUR,300.00,,2900.00",
        "line,2026-11-12,payment,PAY-2,<b>without reference</b>,,,,no,EUR,,100.00,2800.00",
        "total,2026-11-21,,,,,,,,EUR,2300.00,150.50,2800.00",
        "",
    ]


def test_all_pages_of_a_long_statement_are_in_the_file(site: Site) -> None:
    opening, *lines, total = records(download(site, ADMIN, ""))
    assert len(lines) == MANY
    balance = Decimal(opening["balance"])
    for line in lines:
        balance += Decimal(line["debit"] or 0) - Decimal(line["credit"] or 0)
        assert Decimal(line["balance"]) == balance
    assert Decimal(total["balance"]) == balance == Decimal("1301.30")
    assert len({line["document_number"] for line in lines}) == MANY


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("plain = text", "plain = text"),
        ("", ""),
        (Money(amount=Decimal("-1E+3"), currency="EUR"), "-1000"),
        (Decimal("-0.10"), "-0.10"),
        (TODAY, "2026-11-21"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (None, ""),
    ],
)
def test_text_is_made_inert_and_figures_are_left_alone(value: object, text: str) -> None:
    assert cell(value) == text  # type: ignore[arg-type]


def test_rows_are_quoted_as_rfc_4180_says() -> None:
    assert (
        encode([('a"b', "c,d", "e\nf", "ą")])
        == 'a"b'.replace('"', '""').join(['"', '"']).encode() + ',"c,d","e\nf",ą\r\n'.encode()
    )


def test_a_files_name_holds_nothing_that_a_header_or_a_disk_minds() -> None:
    period = Period(first=TODAY, last=TODAY)
    assert file_name('K"1\r\n/..\\é', Kind.OPEN_ITEM, period, "csv") == "statement-K-1-open-item-2026-11-21.csv"
