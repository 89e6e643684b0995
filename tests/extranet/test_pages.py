"""The pages over HTTP, as signed-in members get them: every figure of the tests' business is known."""

import io
import re
import zipfile
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from pypdf import PdfReader
from starlette.routing import Mount, Route

from cdp.db.engine import connect
from cdp.db.ids import format_id
from extranet.app import ROUTES
from tests.extranet.business import CANARIES, CREDITS, MANY, UNBROKEN
from tests.extranet.conftest import Site, sameness, sign_in
from tests.extranet.reading import Element, cells, read, rows, table

FINANCE, BUYER, VIEWER = "finance@lusitania.example", "buyer@lusitania.example", "viewer@lusitania.example"
ADMIN, BOTH = "admin@zeppelin.example", "both@holding.example"
LUSITANIA = (FINANCE, BUYER, VIEWER)

# Open by nature: the way in and out, probes, files.
OPEN_PATHS = {
    "/sign-in",
    "/auth/callback",
    "/auth/back-channel-logout",
    "/sign-out",
    "/signed-out",
    "/unsubscribe/{token}",
    "/view-as/{ticket}",
    "/healthz",
    "/readyz",
}
PAGES = sorted(
    route.path.replace("{id}", "ord_1").replace("{anything:path}", "anything/at/all")
    for route in ROUTES
    if isinstance(route, Route) and route.path not in OPEN_PATHS
)


def get(site: Site, email: str, path: str) -> httpx2.Response:
    with site.as_member(email) as member:
        return member.get(path)


def page(site: Site, email: str, path: str, status: int = 200) -> Element:
    answer = get(site, email, path)
    assert answer.status_code == status, answer.text
    return read(answer.text)


def order_id(site: Site, number: str) -> str:
    return format_id("ord", site.business.orders[number])


def entry_id(site: Site, number: str) -> str:
    return format_id("ent", site.business.entries[number])


# ---------------------------------------------------------------------------------------- the way in


@pytest.mark.parametrize("path", PAGES)
def test_a_page_without_a_session_leads_to_sign_in_and_back(site: Site, path: str) -> None:
    with site.client() as stranger:
        answer = stranger.get(path + "?kind=open-item")
    target = urlsplit(answer.headers["location"])
    assert (answer.status_code, target.path) == (303, "/sign-in")
    assert parse_qs(target.query) == {"next": [path + "?kind=open-item"]}
    assert answer.text == ""


def test_only_the_way_in_and_out_probes_and_files_are_open(site: Site) -> None:
    open_routes = {route.path for route in ROUTES if isinstance(route, Mount)} | OPEN_PATHS
    assert open_routes == {*OPEN_PATHS, "/static"}
    with site.client() as stranger:
        assert stranger.get("/healthz").text == "ok"
        assert stranger.get("/readyz").text == "ready"


def test_signing_in_leads_back_to_the_page_that_was_asked_for(site: Site) -> None:
    with httpx2.Client(follow_redirects=True, timeout=20) as browser:
        landed = sign_in(browser, site.url, FINANCE, page="/statement?kind=open-item")
    assert str(landed.url) == f"{site.url}/statement?kind=open-item"
    assert "Open items" in landed.text


def test_a_refused_sign_in_is_told_without_internals(site: Site) -> None:
    with site.client() as stranger:
        answer = stranger.get("/auth/callback?code=x&state=forged")
    told = read(answer.text)
    assert answer.status_code == 403
    assert told.one("p", class_="lede").text == (
        "This sign-in was refused, already used, too old, or begun in another browser; please sign in again."
    )
    assert told.one("a", class_="button").attributes["href"] == "/sign-in"


def test_another_host_is_not_answered(site: Site) -> None:
    with site.client() as stranger:
        assert stranger.get("/healthz", headers={"Host": "evil.example"}).status_code == 400


# ------------------------------------------------------------------------------------------- headers


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/statement",
        "/statement.csv",
        "/statement.pdf",
        "/statement.xlsx",
        "/orders",
        "/orders/none",
        "/statement?from=x",
        "/static/none",
    ],
)
def test_every_answer_carries_the_same_strict_headers(site: Site, path: str) -> None:
    headers = get(site, FINANCE, path).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; "
        f"form-action 'self' {site.issuer}; frame-ancestors 'none'; base-uri 'none'"
    )
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"


def test_files_are_named_by_their_content_and_may_be_kept(site: Site) -> None:
    shown = page(site, FINANCE, "/")
    address = shown.one("link", rel="stylesheet").attributes["href"]
    assert re.fullmatch(r"/static/extranet\.css\?v=[0-9a-f]{12}", address)
    headers = get(site, FINANCE, address).headers
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("said", "encoding"),
    [("same-origin", "gzip"), ("none", "gzip"), ("cross-site", None), ("same-site", None), (None, None)],
)
def test_a_page_is_compressed_unless_another_site_began_the_request(
    site: Site, said: str | None, encoding: str | None
) -> None:
    with site.as_member(FINANCE) as client:
        answer = client.get("/orders?q=x", headers={"Sec-Fetch-Site": said} if said else {})
        assert answer.headers.get("content-encoding") == encoding
        assert (answer.headers.get("vary") == "Accept-Encoding, Sec-Fetch-Site") is (encoding is not None)
        assert read(answer.text).one("h1").text == "Orders"
        plain = client.get("/orders?q=x", headers={"Sec-Fetch-Site": "none", "Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert "content-encoding" not in client.get("/statement.csv", headers={"Sec-Fetch-Site": "none"}).headers


def test_the_token_of_forms_is_written_anew_at_every_request_and_stays_good(site: Site) -> None:
    tokens = [
        page(site, BOTH, "/").one("form", action="/sign-out").one("input", name="csrf_token").attributes["value"]
        for _ in range(2)
    ]
    assert tokens[0] != tokens[1]
    with site.as_member(BOTH) as client:
        for token in tokens:
            assert client.post("/account", data={"number": "K-9999", "csrf_token": token}).status_code == 404
        for forged in ("", "A", "é", tokens[0][:-2], tokens[0][43:]):
            assert client.post("/account", data={"number": "K-9999", "csrf_token": forged}).status_code == 403


@pytest.mark.parametrize(
    "path", ["/", "/statement", "/statement?kind=open-item", "/orders", "/account", "/orders/none"]
)
def test_no_page_holds_script_or_style_of_its_own(site: Site, path: str) -> None:
    def walk(element: Element) -> None:
        assert element.name not in {"script", "style", "iframe", "object", "embed"}
        assert not [name for name in element.attributes if name == "style" or name.startswith("on")]
        for part in element.parts:
            if isinstance(part, Element):
                walk(part)

    walk(read(get(site, FINANCE, path).text))


# ---------------------------------------------------------------------------------------------- home


def test_home_shows_what_is_owed_and_what_is_late(site: Site) -> None:
    shown = page(site, FINANCE, "/")
    assert [card.text for card in shown.all("div", class_="figure-card")] == [
        "Balance €2,800.00 As at Nov 21, 2026 Statement of account",
        "Overdue €2,650.50 Past its due date today See what is open",
        "Available credit €2,200.00 of a limit of €5,000.00",
    ]
    assert rows(table(shown, "Open orders")) == [
        ["SO-1003", "4500017342", "Nov 19, 2026", "Dec 1, 2026", "Placed", "€102.00"],
        ["SO-1002", "", "Nov 2, 2026", "Nov 18, 2026", "Partly shipped Late", "€1,302.00"],
    ]
    assert "2 open, 1 late" in shown.one("section", aria_labelledby="open-orders").text
    manager = shown.one("section", class_="manager")
    assert "Marta Kowalska Key account manager" in manager.text
    assert [link.attributes["href"] for link in manager.all("a")] == [
        "tel:+351213555014",
        "mailto:marta@meridian.example",
    ]


@pytest.mark.parametrize("email", [BUYER, VIEWER])
def test_roles_without_the_ledger_see_orders_and_no_figure_of_it(site: Site, email: str) -> None:
    shown = page(site, email, "/")
    assert shown.all("section", class_="figures") == []
    assert len(rows(table(shown, "Open orders"))) == 2
    assert [link.text for link in shown.one("nav").all("a")] == [
        "Home",
        "Orders",
        *(["Cases"] if email == BUYER else []),
    ]
    assert "2,800.00" not in shown.text


@pytest.mark.parametrize("email", [BUYER, VIEWER])
@pytest.mark.parametrize(
    "path",
    [
        *("/statement", "/statement.csv", "/statement.pdf", "/statement.xlsx"),
        *("/invoices", "/invoices?show=mine", "/invoices/ent_1"),
        *("/statement?from=2026-02-31", "/statement?currency=XYZ", "/statement.pdf?kind=open-item"),
    ],
)
def test_the_statement_is_not_there_for_roles_without_the_ledger(site: Site, email: str, path: str) -> None:
    theirs, nothing = get(site, email, path), get(site, email, "/nothing-here")
    assert (theirs.status_code, sameness(theirs.text)) == (404, sameness(nothing.text))


# ----------------------------------------------------------------------------------------- statement


def test_a_statement_carries_its_header_and_adds_up(site: Site) -> None:
    shown = page(site, FINANCE, "/statement?period=quarter")
    sheet = shown.one("article", class_="sheet")
    assert sheet.one("div", class_="sheet-seller").text == "Meridian Supply, Lda Tax ID PT500123456"
    assert sheet.one("div", class_="sheet-client").text == "For Lusitânia Gráfica, S.A. Tax ID PT503456789"
    assert sheet.one("dl", class_="sheet-facts").text == (
        "Account K-1001 Kind Balance forward Period Oct 1, 2026 – Nov 21, 2026 Currency EUR Euro Terms 30 days Page 1 of 1"
    )
    assert sheet.one("dl", aria_label="Credit").text == (
        "Credit limit 5,000.00 Available credit on Nov 21, 2026 2,200.00"
    )
    assert "Credit limit" not in page(site, FINANCE, "/statement?currency=USD").text
    assert sheet.one("dl", class_="sum").text == (
        "Opening balance 650.50 Debits + 2,300.00 Credits − 150.50 Closing balance €2,800.00"
    )
    assert rows(table(shown, "Entries in order of date, in EUR")) == [
        ["Opening balance on Oct 1, 2026", "650.50"],
        ["Oct 5, 2026", "Credit note CN-1", "", "", "50.50", "600.00"],
        ["Oct 20, 2026", "Invoice INV-3 Your reference @PO; drop", "Nov 19, 2026", "2,000.00", "", "2,600.00"],
        ["Nov 10, 2026", "Invoice INV-4", "Dec 10, 2026", "300.00", "", "2,900.00"],
        ["Nov 12, 2026", "Payment PAY-2 <b>without reference</b>", "", "", "100.00", "2,800.00"],
    ]
    assert sheet.one("footer").text == (
        "Pay to Banco Exemplo IBAN PT50 0002 0123 1234 5678 9015 4 This is not an invoice."
    )


def test_ageing_is_a_bar_and_a_table_and_unapplied_credits_stand_apart(site: Site) -> None:
    shown = page(site, FINANCE, "/statement")
    ages = shown.one("table", class_="ages")
    assert cells(ages.one("thead").one("tr")) == [
        "Not yet due",
        "1–30 days",
        "31–60 days",
        "61–90 days",
        "Over 90 days",
    ]
    assert rows(ages) == [["300.00", "2,000.00", "250.50", "400.00", "0.00"]]
    bar = shown.one("svg", class_="bar")
    assert [part.attributes["class"] for part in bar.all("rect")] == [
        "age-current",
        "age-days-1-30",
        "age-days-31-60",
        "age-days-61-90",
    ]
    assert rows(table(shown, "Unapplied credits, in EUR")) == [
        ["Oct 5, 2026", "Credit note CN-1", "-50.50", "-50.50"],
        ["Nov 12, 2026", "Payment PAY-2 <b>without reference</b>", "-100.00", "-100.00"],
    ]


def test_open_items_show_original_and_open_amounts_days_late_and_disputes(site: Site) -> None:
    shown = page(site, FINANCE, "/statement?kind=open-item")
    assert rows(table(shown, "Open items, in EUR")) == [
        [
            "Aug 3, 2026",
            "Invoice INV-1 =1+1 pallets Your reference PO-88120 Order SO-1001",
            "Sep 2, 2026",
            "80",
            "1,000.00",
            "400.00",
        ],
        ["Sep 15, 2026", "Invoice INV-2 Disputed", "Oct 15, 2026", "37", "250.50", "250.50"],
        ["Oct 20, 2026", "Invoice INV-3 Your reference @PO; drop", "Nov 19, 2026", "2", "2,000.00", "2,000.00"],
        ["Nov 10, 2026", "Invoice INV-4", "Dec 10, 2026", "", "300.00", "300.00"],
    ]
    assert shown.one("dl", class_="sum").text == "Balance as at Nov 21, 2026 €2,800.00"


def test_open_items_are_as_at_their_date_not_todays(site: Site) -> None:
    shown = page(site, FINANCE, "/statement?kind=open-item&to=2026-08-19")
    assert rows(table(shown, "Open items, in EUR")) == [
        [
            "Aug 3, 2026",
            "Invoice INV-1 =1+1 pallets Your reference PO-88120 Order SO-1001",
            "Sep 2, 2026",
            "",
            "1,000.00",
            "1,000.00",
        ],
    ]


def test_each_currency_has_a_statement_of_its_own(site: Site) -> None:
    shown = page(site, FINANCE, "/statement?currency=USD")
    assert shown.one("dl", class_="sum").text == (
        "Opening balance 0.00 Debits + 99.99 Credits − 0.00 Closing balance $99.99"
    )
    chosen = shown.one("nav", aria_label="Currency")
    assert [(link.text, link.attributes.get("aria-current")) for link in chosen.all("a")] == [
        ("EUR", None),
        ("USD", "true"),
    ]


def test_a_period_without_entries_says_so(site: Site) -> None:
    shown = page(site, FINANCE, "/statement?from=2026-01-01&to=2026-01-31")
    assert rows(table(shown, "Entries")) == [
        ["Opening balance on Jan 1, 2026", "0.00"],
        ["Nothing was posted in this period."],
    ]
    nothing = page(site, FINANCE, "/statement?kind=open-item&to=2026-01-31")
    assert "Nothing is open" in nothing.text


def test_a_page_of_lines_begins_with_the_balance_brought_forward(site: Site) -> None:
    first = page(site, ADMIN, "/statement")
    lines = table(first, "Entries")
    assert cells(lines.one("tfoot").one("tr")) == ["Balance carried forward", "500.50"]
    assert len(rows(lines)) == 1 + 50
    following = first.one("a", rel="next").attributes["href"]
    second = page(site, ADMIN, following)
    lines = table(second, "Entries")
    assert rows(lines)[0] == ["Balance brought forward", "500.50"]
    assert rows(lines)[1][-1] == "510.51"
    third = page(site, ADMIN, second.one("a", rel="next").attributes["href"])
    lines = table(third, "Entries")
    assert len(rows(lines)) == 1 + 30
    assert cells(lines.one("tfoot").one("tr")) == ["Closing balance on Nov 21, 2026", "1,301.30", "0.00", "1,301.30"]
    back = page(site, ADMIN, second.one("a", rel="prev").attributes["href"])
    assert rows(table(back, "Entries"))[1:] == rows(table(first, "Entries"))[1:]
    counted = [each.one("dl", class_="sheet-facts").text.partition("Page ")[2] for each in (first, second, third, back)]
    assert counted == ["1 of 3", "2 of 3", "3 of 3", "1 of 3"]


def test_open_items_are_paged_and_every_page_says_the_whole_balance(site: Site) -> None:
    first = page(site, ADMIN, "/statement?kind=open-item")
    assert "130 items" in first.text
    assert len(rows(table(first, "Open items"))) == 50
    following = first.one("a", rel="next").attributes["href"]
    assert following.startswith("/statement?kind=open-item&after=")
    second = page(site, ADMIN, following)
    third = page(site, ADMIN, second.one("a", rel="next").attributes["href"])
    assert len(rows(table(third, "Open items"))) == 30
    seen = [row[1] for shown in (first, second, third) for row in rows(table(shown, "Open items"))]
    assert seen == [f"Invoice INV-90{number:03}" for number in range(MANY)]
    assert first.one("dl", class_="sum").text == second.one("dl", class_="sum").text
    assert first.one("table", class_="ages").text == second.one("table", class_="ages").text
    back = page(site, ADMIN, second.one("a", rel="prev").attributes["href"])
    assert rows(table(back, "Open items")) == rows(table(first, "Open items"))


@pytest.mark.parametrize("kind", ["balance-forward", "open-item"])
def test_unapplied_credits_are_paged_apart_from_the_rest(site: Site, kind: str) -> None:
    first = page(site, ADMIN, f"/statement?kind={kind}&currency=GBP")
    block = first.one("section", class_="unapplied")
    following = block.one("nav", aria_label="Pages of unapplied credits").one("a", rel="next").attributes["href"]
    second = page(site, ADMIN, following)
    seen = [row[1] for shown in (first, second) for row in rows(table(shown, "Unapplied credits"))]
    assert (len(rows(table(first, "Unapplied credits"))), len(seen)) == (20, CREDITS)
    assert seen == [f"Payment canary-{number:02}" for number in range(1, CREDITS + 1)]
    assert second.one("dl", class_="sum").text == first.one("dl", class_="sum").text


# ----------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("query", "name", "says"),
    [
        ("from=2026-02-31&to=2026-03-01", "from", "“2026-02-31” is not a date: that month has 28 days."),
        ("from=2026-13-01", "from", "“2026-13-01” is not a date: there is no month 13."),
        ("to=yesterday", "to", "“yesterday” is not a date. Write it as 2026-01-31: year, month, day."),
        ("to=%3Cscript%3E", "to", "“<script>” is not a date. Write it as 2026-01-31: year, month, day."),
        ("to=0001-01-01", "to", "Give a year from 1970 to 2199."),
        ("from=2026-03-02&to=2026-03-01", "from", "This is after the end date, 2026-03-01."),
        ("to=%00", "to", "“\x00” is not a date. Write it as 2026-01-31: year, month, day."),
    ],
)
def test_a_wrong_date_is_told_beside_its_field_and_the_page_still_works(
    site: Site, query: str, name: str, says: str
) -> None:
    answer = get(site, FINANCE, f"/statement?{query}")
    assert answer.status_code == 400
    shown = read(answer.text.replace("\ufffd", "\x00"))
    wrong = shown.one("input", name=name)
    assert wrong.attributes["aria-invalid"] == "true"
    assert shown.one("span", id=wrong.attributes["aria-describedby"]).text == says
    assert shown.all("article", class_="sheet") == []
    assert len(shown.one("nav", aria_label="Period").all("a")) == 6


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/statement?kind=both", "Choose one of: balance-forward, open-item."),
        ("/statement?ageing=both", "Choose one of: due, document."),
        (
            "/statement?period=decade",
            "Choose one of: this-month, last-month, quarter, year, financial-year, last-12-months.",
        ),
        ("/statement?currency=euro", "That is not a currency’s code, such as EUR."),
        ("/statement?currency=GBP", "This account has no entries in that currency."),
        ("/statement.csv?currency=GBP", "This account has no entries in that currency."),
        ("/statement.pdf?currency=GBP", "This account has no entries in that currency."),
        ("/statement.xlsx?currency=GBP", "This account has no entries in that currency."),
        ("/orders?show=mine", "Choose one of: all, open, late, delivered, cancelled."),
        ("/invoices?show=late", "Choose one of: all, open, overdue, paid, disputed."),
        ("/invoices?q=" + "x" * 81, "Search for at most 80 characters."),
        ("/invoices?q=a%00b", "Search for at most 80 characters."),
        ("/orders?status=lost", "There is no such status."),
        ("/orders?q=" + "x" * 81, "Search for at most 80 characters."),
        ("/orders?q=a%00b", "Search for at most 80 characters."),
    ],
)
def test_a_wrong_choice_is_told(site: Site, path: str, says: str) -> None:
    shown = page(site, FINANCE, path, status=400)
    assert shown.one("p", class_="problem").text == says


@pytest.mark.parametrize("cursor", ["forged", "%F0%9F%92%A9", "W10", "bnVsbA", "x" * 5000])
@pytest.mark.parametrize("place", ["after", "before"])
@pytest.mark.parametrize("path", ["/statement", "/invoices", "/invoices/{invoice}", "/orders", "/orders/{id}"])
def test_a_forged_cursor_is_a_damaged_link(site: Site, path: str, place: str, cursor: str) -> None:
    ids = {"id": order_id(site, "SO-1001"), "invoice": entry_id(site, "INV-1")}
    address = f"{path.format(**ids)}?{place}={cursor}"
    shown = page(site, FINANCE, address, status=400)
    assert (
        shown.one("p", class_="lede").text
        == "The link to this page of the list is damaged. Start again at the first page."
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_another_method_is_refused(site: Site, method: str) -> None:
    with site.as_member(FINANCE) as member:
        assert member.request(method, "/statement").status_code == 405


# ------------------------------------------------------------------------------------------ invoices


def test_invoices_are_listed_latest_first_with_what_is_left_of_them(site: Site) -> None:
    assert rows(table(page(site, FINANCE, "/invoices"), "7 invoices, latest first")) == [
        ["INV-4", "", "Nov 10, 2026", "Dec 10, 2026", "Open", "€300.00", "€300.00"],
        ["INV-3", "@PO; drop", "Oct 20, 2026", "Nov 19, 2026", "Open 2 days late", "€2,000.00", "€2,000.00"],
        ["US-1", "", "Oct 1, 2026", "Oct 31, 2026", "Open 21 days late", "$99.99", "$99.99"],
        ["INV-2", "", "Sep 15, 2026", "Oct 15, 2026", "Open 37 days late Disputed", "€250.50", "€250.50"],
        ["INV-1", "PO-88120", "Aug 3, 2026", "Sep 2, 2026", "Partly paid 80 days late", "€1,000.00", "€400.00"],
        ["OLD-2", "", "Mar 1, 2024", "Mar 31, 2024", "Cancelled", "€70.00", "€0.00"],
        ["OLD-1", "PO-OLD", "Jan 10, 2024", "Feb 9, 2024", "Paid", "€50.00", "€0.00"],
    ]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("show=open", ["INV-4", "INV-3", "US-1", "INV-2", "INV-1"]),
        ("show=overdue", ["INV-3", "US-1", "INV-2", "INV-1"]),
        ("show=paid", ["OLD-1"]),
        ("show=disputed", ["INV-2"]),
        ("q=inv-3", ["INV-3"]),
        ("q=88120", ["INV-1"]),
        ("q=inv&show=overdue", ["INV-3", "INV-2", "INV-1"]),
    ],
)
def test_invoices_are_found_by_state_number_and_reference(site: Site, query: str, numbers: list[str]) -> None:
    assert [row[0] for row in rows(page(site, FINANCE, f"/invoices?{query}").one("table"))] == numbers


@pytest.mark.parametrize("search", ["INV-90", "canary", "%25", "';--", "_"])
def test_a_search_for_invoices_finds_nothing_of_others(site: Site, search: str) -> None:
    assert "No invoice like that" in page(site, FINANCE, f"/invoices?q={search}").text


def test_invoices_are_paged(site: Site) -> None:
    first = page(site, ADMIN, "/invoices?show=overdue")
    second = page(site, ADMIN, first.one("a", rel="next").attributes["href"])
    seen = [row[0] for shown in (first, second) for row in rows(table(shown, "130 invoices"))]
    assert (len(seen), len(set(seen)), seen[0]) == (50, 50, "INV-90129")
    assert second.one("a", rel="next").attributes["href"].startswith("/invoices?show=overdue&after=")
    back = page(site, ADMIN, second.one("a", rel="prev").attributes["href"])
    assert rows(back.one("table")) == rows(first.one("table"))


def test_an_invoice_shows_what_it_is_for_and_what_was_set_against_it(site: Site) -> None:
    shown = page(site, FINANCE, f"/invoices/{entry_id(site, 'INV-1')}")
    assert shown.one("h1").text == "Invoice INV-1"
    assert shown.one("p", class_="lede").text == "Partly paid 80 days late"
    assert shown.one("dl", class_="facts").text == (
        "Date Aug 3, 2026 Due Sep 2, 2026 Your reference PO-88120 Description =1+1 pallets Order SO-1001 Aug 1, 2026"
    )
    assert shown.one("dl").one("a").attributes["href"] == f"/orders/{order_id(site, 'SO-1001')}"
    settled = table(shown, "Payments and credits")
    assert rows(settled) == [["Aug 20, 2026", f"Payment PAY-1 SEPA-{UNBROKEN}", "600.00"]]
    assert cells(settled.one("tfoot").one("tr")) == ["Open today, in EUR", "400.00"]
    assert rows(table(shown, "Lines of the order")) == [["Coated paper, pallet PAP-90", "12", "100.00", "1,200.00"]]


def test_a_paid_invoice_shows_every_part_and_a_cancelled_one_nothing(site: Site) -> None:
    paid = page(site, FINANCE, f"/invoices/{entry_id(site, 'OLD-1')}")
    assert rows(paid.one("table")) == [
        ["Jan 20, 2024", "Payment OLD-PAY SEPA <old>", "20.00"],
        ["Feb 1, 2024", "Payment OLD-PAY SEPA <old>", "30.00"],
    ]
    cancelled = page(site, FINANCE, f"/invoices/{entry_id(site, 'OLD-2')}")
    assert cancelled.one("p", class_="lede").text == "Cancelled"
    assert rows(cancelled.one("table")) == [["Nothing yet."]]


@pytest.mark.parametrize("email", LUSITANIA)
def test_an_invoice_of_another_account_is_the_same_as_none(site: Site, email: str) -> None:
    absent = get(site, email, "/invoices/ent_0192b0f5a1b27c3d8e4f5061728394a5")
    assert absent.status_code == 404
    foreign = [entry_id(site, "INV-90000"), "INV-90000", "ent_", order_id(site, "SO-1001"), "%00", "x" * 3000]
    for other in [*foreign, entry_id(site, "PAY-1"), entry_id(site, "OLD-2-R")]:
        answer = get(site, email, f"/invoices/{other}")
        assert (answer.status_code, sameness(answer.text)) == (404, sameness(absent.text)), other


@pytest.mark.parametrize("email", [BUYER, VIEWER])
def test_an_invoice_is_not_there_for_roles_without_the_ledger(site: Site, email: str) -> None:
    theirs, nothing = get(site, email, f"/invoices/{entry_id(site, 'INV-1')}"), get(site, email, "/nothing-here")
    assert (theirs.status_code, sameness(theirs.text)) == (404, sameness(nothing.text))


# -------------------------------------------------------------------------------------------- orders


def test_orders_are_listed_latest_first_and_paged(site: Site) -> None:
    first = page(site, BUYER, "/orders")
    assert [row[0] for row in rows(table(first, "43 orders"))][:3] == ["SO-1003", "SO-1002", "SO-1001"]
    assert len(rows(table(first, "43 orders"))) == 25
    second = page(site, BUYER, first.one("a", rel="next").attributes["href"])
    assert len(rows(table(second, "43 orders"))) == 18
    assert second.all("a", rel="next") == []
    back = page(site, BUYER, second.one("a", rel="prev").attributes["href"])
    assert rows(table(back, "43 orders")) == rows(table(first, "43 orders"))


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("show=open", ["SO-1003", "SO-1002"]),
        ("show=late", ["SO-1002"]),
        ("status=delivered", ["SO-1001"]),
        ("q=po-88120", ["SO-1001"]),
        ("q=SO-1002", ["SO-1002"]),
        ("q=SO-1&show=open", ["SO-1003", "SO-1002"]),
        ("q=45000&status=placed", ["SO-1003"]),
    ],
)
def test_orders_are_found_by_status_lateness_number_and_reference(site: Site, query: str, numbers: list[str]) -> None:
    shown = page(site, BUYER, f"/orders?{query}")
    assert [row[0] for row in rows(shown.one("table"))] == numbers


@pytest.mark.parametrize("search", ["SO-9001", "canary", "%25", "%5C", "';--", "_"])
def test_a_search_finds_nothing_of_others_and_knows_no_wildcards(site: Site, search: str) -> None:
    assert "No order like that" in page(site, BUYER, f"/orders?q={search}").text


def test_an_order_shows_lines_split_shipments_and_what_happened(site: Site) -> None:
    shown = page(site, BUYER, f"/orders/{order_id(site, 'SO-1002')}")
    assert shown.one("h1").text == "Order SO-1002"
    assert shown.one("p", class_="lede").text == "Partly shipped Late"
    assert rows(table(shown, "Lines of the order")) == [
        ["Coated paper, pallet PAP-90", "12", "8", "100.00", "1,200.00"],
        ["Ink <set> INK-5 2 cancelled", "6", "4", "25.50", "102.00"],
    ]
    sent, planned = shown.all("article", class_="shipment")
    assert sent.text == (
        "SH-2 Delivered Promised for Nov 18, 2026 Shipped Nov 5, 2026, 7:00 AM Delivered Nov 6, 2026, 7:00 AM "
        "Carrier Rail & Road Tracking RRSH-2 8 × Coated paper, pallet 4 × Ink <set> Delivery note"
    )
    assert (
        planned.text
        == "SH-3 Planned Late Promised for Nov 18, 2026 Carrier Rail & Road Tracking RRSH-3 4 × Coated paper, pallet"
    )
    assert "Ordered by Beatriz Sá" in shown.text
    events = [event.text for event in shown.one("ol", class_="timeline").all("li")]
    assert events == [
        "Placed Nov 2, 2026, 9:14 AM",
        "Shipped Nov 5, 2026, 7:00 AM SH-2 Rail & Road",
        "Delivered Nov 6, 2026, 7:00 AM SH-2 Rail & Road",
    ]


def test_only_addresses_of_the_web_become_links(site: Site) -> None:
    shown = page(site, BUYER, f"/orders/{order_id(site, 'SO-1002')}")
    sent, planned = shown.all("article", class_="shipment")
    assert sent.all("a")[0].attributes == {
        "href": "https://carrier.example/SH-2",
        "rel": "noreferrer noopener external",
    }
    assert planned.all("a") == []


def test_what_was_invoiced_stands_on_the_timeline_for_those_who_read_the_ledger(site: Site) -> None:
    path = f"/orders/{order_id(site, 'SO-1001')}"
    events = [event.text for event in page(site, FINANCE, path).one("ol", class_="timeline").all("li")]
    assert events == [
        "Placed Aug 1, 2026, 9:14 AM",
        "Shipped Aug 3, 2026, 7:00 AM SH-1 Rail & Road",
        "Invoiced Aug 3, 2026 INV-1",
        "Delivered Aug 4, 2026, 7:00 AM SH-1 Rail & Road",
    ]
    assert "Invoiced" not in page(site, BUYER, path).text


@pytest.mark.parametrize("email", LUSITANIA)
def test_an_order_of_another_account_is_the_same_as_none(site: Site, email: str) -> None:
    absent = get(site, email, "/orders/ord_0192b0f5a1b27c3d8e4f5061728394a5")
    assert absent.status_code == 404
    for other in (order_id(site, "SO-9001"), "SO-9001", "ord_", "acc_1", "%00", "%F0%9F%92%A9", "x" * 3000):
        answer = get(site, email, f"/orders/{other}")
        assert (answer.status_code, sameness(answer.text)) == (404, sameness(absent.text)), other


# --------------------------------------------------------------------------------- accounts, sign-out


def test_switching_account_needs_the_sessions_token_and_changes_the_session(site: Site) -> None:
    with httpx2.Client(base_url=site.url, follow_redirects=True, timeout=20) as browser:
        home = read(sign_in(browser, site.url, BOTH).text)
        token = home.one("form", action="/account").one("input", name="csrf_token").attributes["value"]
        before = browser.cookies["sid"]
        assert browser.post("/account", data={"number": "K-2002"}).status_code == 403
        assert browser.post("/account", data={"number": "K-2002", "csrf_token": "forged"}).status_code == 403
        assert browser.post(
            "/account", data={"number": "K-2002", "csrf_token": token}, headers={"Origin": "https://evil.example"}
        ).status_code == 403  # fmt: skip
        assert read(browser.get("/").text).one("h1").text == "Lusitânia Gráfica"
        switched = read(browser.post("/account", data={"number": "K-2002", "csrf_token": token}).text)
        assert switched.one("h1").text == "Zeppelin canary AG"
        assert browser.cookies["sid"] != before
        assert browser.get("/statement").status_code == 404  # a buyer there
        with site.client({"sid": before}) as old:
            assert old.get("/").status_code == 303


def test_an_endless_form_is_cut_short(site: Site) -> None:
    with site.as_member(FINANCE) as member:
        answer = member.post("/account", content=b"csrf_token=" + b"x" * 20_000)
    assert answer.status_code == 413
    assert read(answer.text).one("h1").text == "That didn’t work"


def test_an_account_of_others_is_the_same_as_none(site: Site) -> None:
    with site.as_member(FINANCE) as member:
        token = read(member.get("/account").text).one("form", action="/sign-out").one("input").attributes["value"]
        foreign = member.post("/account", data={"number": "K-2002", "csrf_token": token})
        absent = member.post("/account", data={"number": "K-9999", "csrf_token": token})
        missing = member.post("/account", data={"csrf_token": token})
    assert (
        (foreign.status_code, sameness(foreign.text)) == (404, sameness(absent.text)) == (404, sameness(missing.text))
    )


def test_signing_out_ends_the_session_here_and_at_the_issuer(site: Site) -> None:
    with httpx2.Client(base_url=site.url, follow_redirects=True, timeout=20) as browser:
        home = read(sign_in(browser, site.url, VIEWER).text)
        token = home.one("form", action="/sign-out").one("input").attributes["value"]
        held = browser.cookies["sid"]
        assert browser.get("/sign-out").status_code == 404
        assert browser.post("/sign-out").status_code == 403
        landed = browser.post("/sign-out", data={"csrf_token": token})
        assert str(landed.url) == f"{site.url}/signed-out"
        assert landed.history[0].headers["clear-site-data"] == '"cache", "storage"'
        assert "You are signed out" in landed.text
        with site.client({"sid": held}) as old:
            assert old.get("/").status_code == 303


def test_a_role_that_is_taken_away_ends_what_it_showed(site: Site) -> None:
    change = """UPDATE membership SET role = %s FROM member
        WHERE member.member_id = membership.member_id AND member.email = %s"""
    with site.as_member(FINANCE) as member:
        with connect(site.database_url) as connection:
            connection.execute(change, ["viewer", FINANCE])
        try:
            assert member.get("/statement").status_code == 404
        finally:
            with connect(site.database_url) as connection:
                connection.execute(change, ["finance", FINANCE])


# ------------------------------------------------------------------------------------------ isolation


@pytest.mark.parametrize("email", LUSITANIA)
def test_nothing_of_another_account_shows_on_any_page(site: Site, email: str) -> None:
    details = [f"/orders/{order_id(site, number)}" for number in ("SO-1001", "SO-1002", "SO-1003", "SO-9001")]
    details += [f"/invoices/{entry_id(site, number)}" for number in ("INV-1", "OLD-1", "INV-90000")]
    files = ["/invoices?q=INV-9", *(f"/statement.{ending}?kind=open-item" for ending in ("csv", "pdf", "xlsx"))]
    for path in [*PAGES, *details, "/statement?kind=open-item", "/orders?show=late", *files]:
        text = everything_in(get(site, email, path))
        assert not [canary for canary in CANARIES if canary in text], path


def everything_in(answer: httpx2.Response) -> str:
    """What an answer says, files unpacked."""
    if answer.content.startswith(b"%PDF"):
        document = PdfReader(io.BytesIO(answer.content))
        return " ".join([page.extract_text() for page in document.pages] + [str(document.metadata)])
    if answer.content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
            return " ".join(book.read(name).decode() for name in book.namelist())
    return answer.text


# ------------------------------------------------------------------------------------------- failures


def test_a_fault_of_ours_is_told_without_internals(site: Site) -> None:
    with connect(site.database_url, None) as admin:
        admin.execute("REVOKE SELECT ON sales_order FROM cdp_portal")
    try:
        answer = get(site, BUYER, "/orders")
    finally:
        with connect(site.database_url, None) as admin:
            admin.execute("GRANT SELECT ON sales_order TO cdp_portal")
    assert answer.status_code == 500
    assert read(answer.text).one("h1").text == "Something broke on our side"
    assert not re.search(r"permission|sales_order|Traceback|psycopg|select ", answer.text, re.IGNORECASE)
    assert get(site, BUYER, "/orders").status_code == 200


def test_a_database_that_went_away_is_told_as_such_and_comes_back(site: Site) -> None:
    with connect(site.database_url, None) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s",
            [admin.info.backend_pid],
        )
    answers = [get_raw(site, "/orders") for _ in range(12)]
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert answers[-1].status_code == 200
    for answer in answers:
        if answer.status_code == 503:
            assert read(answer.text).one("h1").text == "We can’t answer just now"
            assert answer.headers["retry-after"] == "60"


def get_raw(site: Site, path: str) -> httpx2.Response:
    with site.client(site.cookies[BUYER]) as member:
        return member.get(path)


def test_ageing_by_document_date_counts_from_the_day_of_the_invoice(site: Site) -> None:
    with site.as_member(FINANCE) as member:
        due, document = (
            rows(read(member.get(f"/statement?kind=open-item{query}").text).one("table", class_="ages"))[0]
            for query in ("", "&ageing=document")
        )
    assert due == ["300.00", "2,000.00", "250.50", "400.00", "0.00"]
    assert document == ["0.00", "300.00", "2,000.00", "250.50", "400.00"]
