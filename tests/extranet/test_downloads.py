"""The statement to take away: the same rows and totals on the page, in the PDF, in CSV and in the workbook (rule 14)."""

import csv
import io
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx2
import openpyxl
import pytest
from pypdf import PdfReader

from cdp.db.ids import format_id
from extranet.formats import formats_for
from extranet.pages import statement_files
from extranet.paper.typesetting import lay_out, printable
from extranet.workbook import is_exact
from tests.extranet.business import CREDITS, MANY, NOW, UNBROKEN
from tests.extranet.conftest import Site, sameness
from tests.extranet.reading import cells, read, rows, table

FINANCE, ADMIN = "finance@lusitania.example", "admin@zeppelin.example"
ENGLISH = formats_for("en", "UTC")


def download(site: Site, email: str, path: str) -> httpx2.Response:
    with site.as_member(email) as member:
        answer = member.get(path)
    assert answer.status_code == 200, answer.text
    return answer


def paper(answer: httpx2.Response) -> PdfReader:
    return PdfReader(io.BytesIO(answer.content))


def words(document: PdfReader) -> str:
    """All text of a PDF in the order it was set, with single spaces."""
    return " ".join(" ".join(page.extract_text() for page in document.pages).split())


def sheet(answer: httpx2.Response, name: str) -> list[list[Any]]:
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    return [list(row) for row in book[name].iter_rows(values_only=True)]


def records(answer: httpx2.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8"), newline="")))


def shown(amount: Any) -> str:
    """An exact amount as the page and the PDF write it; nothing for none."""
    return "" if amount in {None, ""} else ENGLISH.amount(Decimal(str(amount)), "EUR")


def day(value: Any) -> str:
    if not value:
        return ""
    return ENGLISH.day(value.date() if isinstance(value, datetime) else date.fromisoformat(value))


@pytest.mark.parametrize("email", [FINANCE, ADMIN])
@pytest.mark.parametrize(
    "query", ["", "period=quarter", "from=2026-08-01&to=2026-09-30", "from=2026-01-01&to=2026-01-02"]
)
def test_a_balance_forward_statement_is_the_same_in_all_four(site: Site, email: str, query: str) -> None:
    on_page: list[list[str]] = []
    following: str | None = f"/statement?{query}"
    closing: list[str] = []
    while following:
        page = read(download(site, email, following).text)
        entries = table(page, "Entries")
        found = [row for row in rows(entries) if len(row) == 6]
        on_page += [[row[0], row[2], *row[3:]] for row in found]
        closing = cells(entries.one("tfoot").one("tr"))
        following = next((link.attributes["href"] for link in page.all("a", rel="next")), None)
    opening, *lines, total = records(download(site, email, f"/statement.csv?{query}"))
    in_csv = [
        [day(line["posted_on"]), day(line["due_on"]), *(shown(line[name]) for name in ("debit", "credit", "balance"))]
        for line in lines
    ]
    assert in_csv == on_page
    head, begins, *written, totals = sheet(download(site, email, f"/statement.xlsx?{query}"), "Entries")
    assert head == ["Date", "Kind", "Document", "Description", "Your reference", "Order", "Due", "Disputed", "Debit",
                    "Credit", "Balance"]  # fmt: skip
    assert [[day(row[0]), day(row[6]), *map(shown, row[8:])] for row in written] == on_page
    assert shown(begins[-1]) == shown(opening["balance"])
    assert [shown(total[name]) for name in ("debit", "credit", "balance")] == [shown(value) for value in totals[8:]]
    assert closing[1:] == [shown(value) for value in totals[8:]]
    text = words(paper(download(site, email, f"/statement.pdf?{query}")))
    set_rows = " ".join(
        rf"{re.escape(row[0])} \S+( note)? {re.escape(line['document_number'])}.*? "
        + re.escape(" ".join(part for part in row[1:] if part))
        for row, line in zip(on_page, lines, strict=True)
    )
    assert re.search(rf"{re.escape(shown(opening['balance']))} {set_rows}", without_page_ends(text)), text
    assert f"{closing[0]} {' '.join(closing[1:])}" in without_page_ends(text)


def without_page_ends(text: str) -> str:
    """The text of a PDF as one page: without the foot of each and the head of the next."""
    ends = r" This is not an invoice\. Page \d+ of \d+( Statement of account .*? Balance brought forward [\d,.]+)?"
    return re.sub(ends, "", text)


@pytest.mark.parametrize("query", ["kind=open-item", "kind=open-item&to=2026-09-30", "kind=open-item&currency=USD"])
def test_an_open_item_statement_is_the_same_in_all_four(site: Site, query: str) -> None:
    page = read(download(site, FINANCE, f"/statement?{query}").text)
    items = rows(table(page, "Open items"))
    unapplied = [row for part in page.all("section", class_="unapplied") for row in rows(part.one("table"))]
    on_page = [[row[0], *row[-2:]] for row in [*items, *unapplied]]
    *found, total = records(download(site, FINANCE, f"/statement.csv?{query}"))
    assert [
        [day(row["posted_on"]), shown(row["original_amount"]), shown(row["open_amount"])] for row in found
    ] == on_page
    _, *written, totals = sheet(download(site, FINANCE, f"/statement.xlsx?{query}"), "Open items")
    assert [[day(row[0]), *map(shown, row[9:])] for row in written] == on_page
    assert shown(totals[-1]) == shown(total["open_amount"])
    assert sum(Decimal(str(row[-1])) for row in written) == Decimal(str(totals[-1]))
    text = words(paper(download(site, FINANCE, f"/statement.pdf?{query}")))
    for row, line in zip(on_page, found, strict=True):
        assert re.search(rf"{row[0]} [\w ]+ {line['document_number']}\b.*? {re.escape(' '.join(row[1:]))}", text), text
    assert shown(total["open_amount"]) in page.one("dl", class_="sum").text
    assert page.one("dl", class_="sum").text in text


@pytest.mark.parametrize("kind", ["open-item", "balance-forward"])
def test_files_hold_every_item_and_credit_where_the_page_has_a_page_of_them(site: Site, kind: str) -> None:
    pounds = f"kind={kind}&currency=GBP"
    numbers = [f"canary-{number:02}" for number in range(1, CREDITS + 1)]
    text = words(paper(download(site, ADMIN, f"/statement.pdf?{pounds}")))
    set_out = re.findall(r"Payment (canary-\d\d) -1\.00 -1\.00", text)
    assert set_out == numbers
    book = openpyxl.load_workbook(io.BytesIO(download(site, ADMIN, f"/statement.xlsx?{pounds}").content))
    assert sum(1 for row in book["About"].iter_rows(values_only=True) if "canary-" in str(row[0])) == CREDITS
    items = words(paper(download(site, ADMIN, "/statement.pdf?kind=open-item")))
    assert len(set(re.findall(r"INV-90\d{3}", items))) == MANY


def test_a_pdf_says_what_a_statement_must_say_and_is_tagged(site: Site) -> None:
    document = paper(download(site, FINANCE, "/statement.pdf?period=quarter"))
    text = words(document)
    for said in (
        "Meridian Supply, Lda Tax ID PT500123456", "For Lusitânia Gráfica, S.A. Tax ID PT503456789", "Account K-1001",
        "Kind Balance forward", "Period Oct 1, 2026 – Nov 21, 2026", "Currency EUR Euro", "Terms 30 days",
        "Opening balance 650.50", "Debits 2,300.00", "Credits 150.50", "Closing balance €2,800.00",
        "300.00 2,000.00 250.50 400.00 0.00", "Unapplied credits are not in these figures",
        "Nov 12, 2026 Payment PAY-2 <b>without reference</b> -100.00 -100.00", "Your reference @PO; drop",
        "Pay to Banco Exemplo IBAN PT50 0002 0123 1234 5678 9015 4", "This is not an invoice. Page 1 of ",
    ):  # fmt: skip
        assert said in text, text
    root: Any = document.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert document.metadata
    assert document.metadata.title == "Statement of account K-1001, Oct 1, 2026 – Nov 21, 2026"
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()


def test_an_invoice_on_paper_says_what_its_page_does_and_is_tagged(site: Site) -> None:
    address = f"/invoices/{format_id('ent', site.business.entries['INV-1'])}"
    answer = download(site, FINANCE, f"{address}.pdf")
    assert answer.headers["content-disposition"] == 'attachment; filename="invoice-INV-1.pdf"'
    document = paper(answer)
    text = words(document)
    for said in (
        "Meridian Supply, Lda Tax ID PT500123456", "For Lusitânia Gráfica, S.A. Tax ID PT503456789", "Account K-1001",
        "Date Aug 3, 2026", "Due Sep 2, 2026", "Your reference PO-88120", "Order SO-1001", "Amount €1,000.00",
        "Open on Nov 21, 2026 €400.00", "Aug 20, 2026 Payment PAY-1 SEPA-", "600.00", "What order SO-1001 asked for",
        "Pay to Banco Exemplo", "A copy from your account; the invoice that was sent to you counts.", "Page 1 of 1",
    ):  # fmt: skip
        assert said in text, text
    root: Any = document.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()
    bare = words(paper(download(site, FINANCE, f"/invoices/{format_id('ent', site.business.entries['INV-4'])}.pdf")))
    assert "What was set against it Nothing yet." in bare
    with site.as_member(ADMIN) as other, site.as_member("buyer@lusitania.example") as buyer:
        assert other.get(f"{address}.pdf").status_code == buyer.get(f"{address}.pdf").status_code == 404
        assert sameness(other.get(f"{address}.pdf").text) == sameness(
            other.get(f"/invoices/{format_id('ent', UUID(int=1))}.pdf").text
        )


def test_a_long_pdf_brings_the_balance_forward_on_each_page(site: Site) -> None:
    pages = paper(download(site, ADMIN, "/statement.pdf")).pages
    assert len(pages) > 2
    before: str | None = None
    for number, page in enumerate(pages, start=1):
        text = " ".join(page.extract_text().split())
        assert f"Page {number} of {len(pages)}" in text
        if before is not None:
            assert f"Balance brought forward {before} " in text
        balances = re.findall(r"Invoice INV-90\d+ .*?2026 10\.01 ([\d,.]+)", text)
        before = balances[-1] if balances else before
    assert before == "1,301.30"


def test_a_workbook_holds_numbers_dates_and_inert_text(site: Site) -> None:
    answer = download(site, FINANCE, "/statement.xlsx?from=2026-08-01&to=2026-11-21")
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    entries = book["Entries"]
    assert entries.freeze_panes == "A2"
    described = entries["D3"]
    assert (described.value, described.data_type, described.quotePrefix) == ("=1+1 pallets", "s", True)
    assert (entries["A3"].value, entries["A3"].is_date) == (datetime(2026, 8, 3), True)  # noqa: DTZ001 - a day
    assert (entries["I3"].value, entries["I3"].data_type, entries["I3"].number_format) == (1000, "n", "#,##0.00")
    assert entries["A9"].value.date() == date(2026, 11, 12)
    assert [entries.cell(10, column).font.b for column in (1, 9, 11)] == [True] * 3
    about = {row[0]: row[1] for row in book["About"].iter_rows(values_only=True)}
    assert about["Account"] == "K-1001"
    assert "This is not an invoice." in about
    assert [about[name] for name in ("Not yet due", "1–30 days", "31–60 days", "61–90 days", "Over 90 days")] == [
        300, 2000, 250.5, 400, 0,
    ]  # fmt: skip
    assert about["Unapplied CN-1"] == -50.5


@pytest.mark.parametrize(
    ("format_", "media_type"),
    [
        ("pdf", "application/pdf"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("csv", "text/csv; charset=utf-8; header=present"),
    ],
)
def test_a_file_comes_under_a_name_that_says_what_is_in_it(site: Site, format_: str, media_type: str) -> None:
    answer = download(site, FINANCE, f"/statement.{format_}?kind=open-item")
    assert answer.headers["content-type"] == media_type
    name = f"statement-K-1001-open-item-2026-11-21.{format_}"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("format_", ["pdf", "xlsx", "csv"])
def test_a_wrong_period_is_told_on_the_page(site: Site, format_: str) -> None:
    with site.as_member(FINANCE) as member:
        answer = member.get(f"/statement.{format_}?from=2026-02-31&to=2026-03-01")
    assert answer.status_code == 400
    assert read(answer.text).one("input", name="from").attributes["aria-invalid"] == "true"


@pytest.mark.parametrize("kind", ["balance-forward", "open-item"])
def test_more_than_paper_holds_is_told_with_what_else_there_is(
    site: Site, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(statement_files, "MOST_ON_PAPER", MANY - 1)
    with site.as_member(ADMIN) as member:
        answer = member.get(f"/statement.pdf?kind={kind}")
    assert answer.status_code == 400
    assert read(answer.text).one("p", class_="problem").text == (
        "That is more than a PDF holds. Choose a shorter period, or download CSV or Excel."
    )


def test_the_page_links_every_file_with_the_same_question(site: Site) -> None:
    for query in ("?kind=open-item&to=2026-09-30", "?period=quarter"):
        page = read(download(site, FINANCE, f"/statement{query}").text)
        links = [link.attributes["href"] for link in page.one("span", class_="download").all("a")]
        assert links == [f"/statement.{format_}{query}" for format_ in ("pdf", "xlsx", "csv")]


# ----------------------------------------------------------------------------------------- typesetting


def statement_of(count: int, text: str = "") -> dict[str, Any]:
    """The words of a statement with `count` entries that all say `text`."""
    row = {"day": "Nov 1, 2026", "document": f"Invoice {text}", "tag": text, "about": text, "due": text}
    return {
        "language": "en", "title": "Statement", "document": f"Statement {text}", "page": "Page {page} of {pages}",
        "seller": {"name": f"Seller {text}", "tax": text}, "client": {"label": "For", "name": text, "tax": text},
        "facts": [("Account", text)], "sums": [("Closing", text)],
        "ageing": {"title": "Ageing", "names": ["a", "b"], "amounts": ["1", "2"], "shares": ["1", "2"], "note": text},
        "brought_forward": "Brought forward",
        "entries": {
            "title": "Entries", "columns": list("abcdef"), "opening": ("Opening", "0.00"), "none": "None",
            "rows": [{**row, "figures": ["1.00", "", f"{number}.00"]} for number in range(count)],
            "total": ("Closing", "1.00", "2.00", "3.00"),
        },
        "unapplied": {"title": "Unapplied", "note": text, "columns": list("abcd"), "rows": [{**row, "figures": ["1", "2"]}]},
        "pay_to": "Pay to", "bank": [text], "notice": "This is not an invoice.",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        '#panic("run") *bold* $x$ @label <label> \\ // /* ` = head',
        '#read("/etc/passwd") #import "@preview/x:1.0.0"',
        "łódź Ωμέγα Привет עברית 中文 😀",
        "\x01\x7f\ufeff\uffff\ue000\U0010ffff\u202e",
        UNBROKEN,
    ],
)
def test_words_are_never_markup_and_every_character_has_a_shape(text: str) -> None:
    made = PdfReader(io.BytesIO(lay_out("statement", statement_of(2, text), at=NOW)))
    if text.isascii() and text.isprintable() and text != UNBROKEN:
        assert words(made).count(" ".join(text.split())) >= 8
    assert made.metadata
    assert made.metadata.title == f"Statement {printable(text)}".strip()


def test_the_same_words_make_the_same_bytes() -> None:
    one, other = (lay_out("statement", statement_of(3), at=NOW) for _ in range(2))
    assert one == other
    assert lay_out("statement", statement_of(3), at=datetime(2026, 1, 1, tzinfo=UTC)) != one


def test_a_moment_within_a_second_dates_a_paper() -> None:
    assert lay_out("statement", statement_of(3), at=NOW.replace(microsecond=123_456)).startswith(b"%PDF")


def test_laying_out_lets_other_threads_run() -> None:
    with ThreadPoolExecutor(1) as pool:
        began_at = time.perf_counter()
        paper_made = pool.submit(lay_out, "statement", statement_of(1500), at=NOW)
        longest, before = 0.0, time.perf_counter()
        while not paper_made.done():
            time.sleep(0.001)
            now = time.perf_counter()
            longest, before = max(longest, now - before), now
        took = time.perf_counter() - began_at
    assert paper_made.result().startswith(b"%PDF")
    assert longest < took / 2


@pytest.mark.parametrize(
    ("amount", "exact"),
    [
        ("0.10", True),
        ("-999999999999.99", True),
        ("9999999999999.99", True),
        ("12345678901234567.89", False),
        ("0", True),
    ],
)
def test_an_amount_that_a_spreadsheet_cannot_hold_stays_text(amount: str, *, exact: bool) -> None:
    assert is_exact(Decimal(amount)) is exact
