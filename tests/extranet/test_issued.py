"""Issued statements (rule 12): a number, a snapshot that later postings don't change, files that are the same for ever."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest

from cdp.access.viewer import ENTER, Member, Role
from cdp.db.engine import connect
from cdp.db.ids import format_id, parse_id, time_ordered_id
from cdp.ledger.entries import EntryRecord, record_entries
from cdp.schema import open_graph
from extranet.portal import load_operations
from tests.extranet.business import SOURCE, TODAY
from tests.extranet.conftest import Site, running_site, sameness
from tests.extranet.reading import read, rows
from tests.extranet.test_downloads import paper, records, words

FINANCE, BUYER, OTHER = "finance@lusitania.example", "buyer@lusitania.example", "admin@zeppelin.example"
FORMATS = ("pdf", "csv", "xlsx")
AUTUMN = {"kind": "balance-forward", "from": "2026-08-01", "to": "2026-10-31", "currency": "EUR"}


@pytest.fixture(scope="module")
def site(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Its own, since it posts to the ledger."""
    with running_site(shared_database_url, tmp_path_factory.mktemp("data")) as site:
        yield site


def issue(site: Site, email: str = FINANCE, **fields: str) -> httpx2.Response:
    """Press the button on the statement's page, with other fields where given."""
    with site.as_member(email) as member:
        form = read(member.get("/statement?from=2026-08-01&to=2026-10-31").text).one("form", action="/statement/issued")
        token = form.one("input", name="csrf_token").attributes["value"]
        return member.post("/statement/issued", data={**AUTUMN, "csrf_token": token, **fields})


def issued(site: Site, **fields: str) -> str:
    """The address of a statement just issued."""
    answer = issue(site, **fields)
    assert answer.status_code == 303, answer.text
    address: str = answer.headers["location"]
    return address


def get(site: Site, path: str, email: str = FINANCE) -> httpx2.Response:
    with site.as_member(email) as member:
        return member.get(path)


def file(site: Site, address: str) -> httpx2.Response:
    answer = get(site, address)
    assert answer.status_code == 200, answer.text
    return answer


def post_to_ledger(site: Site, number: str, day: str, amount: str) -> None:
    """An entry that comes later, dated back."""
    with connect(site.database_url, "cdp_app") as connection:
        row = connection.execute("SELECT customer_id FROM account WHERE number = 'K-1001'").fetchone()
        assert row
        entry = EntryRecord(
            source_id=SOURCE, external_id=number, customer_id=row[0], account_id=site.business.accounts["K-1001"],
            kind="invoice", document_number=number, currency="EUR", amount=Decimal(amount),
            posted_on=date.fromisoformat(day), due_on=None,
        )  # fmt: skip
        assert record_entries(connection, [entry]) == []


def test_a_statement_is_issued_under_the_next_number_and_listed(site: Site) -> None:
    first, second = issued(site), issued(site, kind="open-item", to="2026-11-21")
    numbers = [read(get(site, address).text).one("h1").text for address in (first, second)]
    assert [number.removeprefix("Statement K-1001-") for number in numbers] == sorted(
        number.removeprefix("Statement K-1001-") for number in numbers
    )
    assert all(number.removeprefix("Statement K-1001-").isdigit() for number in numbers)
    listed = rows(read(get(site, "/statement/issued").text).one("table"))
    assert numbers[1].removeprefix("Statement ") in listed[0][0]
    assert "2,800.00" in listed[0][-1]


def test_what_is_posted_later_changes_neither_the_snapshot_nor_any_file(site: Site) -> None:
    address = issued(site)
    before = {ending: file(site, f"{address}.{ending}").content for ending in FORMATS}
    live = get(site, "/statement.csv?from=2026-08-01&to=2026-10-31").content
    assert records(file(site, f"{address}.csv")) == records(get(site, "/statement.csv?from=2026-08-01&to=2026-10-31"))
    number = f"LATE-{uuid4().hex[:6]}"
    post_to_ledger(site, number, "2026-09-30", "77.00")
    assert get(site, "/statement.csv?from=2026-08-01&to=2026-10-31").content != live
    assert {ending: file(site, f"{address}.{ending}").content for ending in FORMATS} == before
    page = get(site, address).text
    assert "1 entry was posted to these days since" in page
    assert number not in page
    assert number not in words(paper(file(site, f"{address}.pdf")))
    again = issued(site)
    assert number in file(site, f"{again}.csv").text
    assert "was posted to these days since" not in get(site, again).text


def test_the_paper_tells_its_number_and_the_fingerprint_is_the_documents(site: Site) -> None:
    address = issued(site)
    page = read(get(site, address).text)
    number = page.one("h1").text.removeprefix("Statement ")
    assert f"Statement no. {number}" in words(paper(file(site, f"{address}.pdf")))
    statement_id = parse_id(address.rpartition("/")[2], "sta")
    with psycopg.connect(site.database_url) as connection:
        row = connection.execute(
            "SELECT document, encode(sha256, 'hex') FROM issued_statement WHERE statement_id = %s", [statement_id]
        ).fetchone()
    assert row
    document, fingerprint = row
    assert hashlib.sha256(document.encode()).hexdigest() == fingerprint
    assert page.one("code").text == fingerprint
    parsed = json.loads(document)
    assert document == json.dumps(parsed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert parsed["statement"]["closing"]["amount"] == parsed["statement"]["activity"][-1]["balance"]["amount"]


def speaks(site: Site, email: str, locale: str) -> None:
    with connect(site.database_url, "cdp_app") as connection:
        connection.execute("UPDATE member SET locale = %s WHERE email = %s", [locale, email])


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_is_in_the_language_that_the_statement_was_issued_in_whoever_comes_first(
    site: Site, ending: str
) -> None:
    speaks(site, FINANCE, "pt-PT")
    try:
        address = issued(site)
    finally:
        speaks(site, FINANCE, "en")
    colleague = "both@holding.example"
    speaks(site, colleague, "pl")
    first = get(site, f"{address}.{ending}", colleague)
    assert first.status_code == 200
    assert file(site, f"{address}.{ending}").content == first.content
    if ending == "pdf":
        text = words(paper(first))
        assert "Extrato n.º" in text
        assert "Saldo" in text
        assert "Balance" not in text
    assert "Language of its files Português" in read(get(site, address).text).one("dl").text


def test_a_statement_is_issued_in_a_language_that_there_is(site: Site) -> None:
    assert asyncio.run(issue_aged(site, {"kind": "OPEN_ITEM", "to": "2026-11-21", "language": "xx"})) == [
        "language_unknown"
    ]


def test_a_statement_keeps_the_ageing_edges_that_it_was_issued_with(site: Site) -> None:
    asked = {"kind": "OPEN_ITEM", "to": "2026-11-21"}
    assert asyncio.run(issue_aged(site, {**asked, "ageingEdges": [40, 2, 400]})) == ["edges_invalid"]
    statement_id = asyncio.run(issue_aged(site, {**asked, "ageingEdges": [2, 40, 400]}))
    told = records(file(site, f"/statement/issued/{statement_id}.csv"))
    assert {row["document_number"]: row["bucket"] for row in told}.items() >= {
        ("INV-1", "days-41-400"), ("INV-2", "days-3-40"), ("INV-3", "days-1-2"), ("INV-4", "current"),
    }  # fmt: skip
    text = words(paper(file(site, f"/statement/issued/{statement_id}.pdf")))
    for name in ("1–2 days", "3–40 days", "41–400 days", "Over 400 days"):
        assert name in text


async def issue_aged(site: Site, asked: dict[str, object]) -> object:
    """The id of the statement, or the mistakes' codes."""
    with connect(site.database_url, "cdp_app") as connection:
        row = connection.execute(
            "SELECT member_id FROM membership WHERE account_id = %s AND role = 'finance' LIMIT 1",
            [site.business.accounts["K-1001"]],
        ).fetchone()
    assert row
    finance = Member(member_id=row[0], account_id=site.business.accounts["K-1001"], role=Role.FINANCE)
    async with open_graph(site.database_url, "cdp_portal", writes=site.database_url) as graph:
        result = await graph.execute(load_operations()["statement_issue"], asked, finance, today=TODAY)
    assert result.data is not None, result.errors
    payload = result.data["statementIssue"]
    return payload["statement"]["id"] if payload["statement"] else [each["code"] for each in payload["userErrors"]]


def test_first_downloads_at_the_same_moment_get_the_same_file(site: Site) -> None:
    address = issued(site)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: file(site, f"{address}.xlsx"), range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert file(site, f"{address}.xlsx").content == answers[0].content


def test_statements_issued_at_the_same_moment_have_numbers_of_their_own(site: Site) -> None:
    with ThreadPoolExecutor(4) as threads:
        addresses = list(threads.map(lambda _: issued(site), range(4)))
    assert len({read(get(site, address).text).one("h1").text for address in addresses}) == 4


@pytest.mark.parametrize("ending", ["", ".pdf", ".csv", ".xlsx"])
def test_it_is_nobody_elses_and_looks_like_none(site: Site, ending: str) -> None:
    address = issued(site)
    absent = f"/statement/issued/{format_id('sta', time_ordered_id())}"
    for email in (OTHER, BUYER):
        foreign, missing = get(site, address + ending, email), get(site, absent + ending, email)
        assert (foreign.status_code, sameness(foreign.text)) == (404, sameness(missing.text))
    order = format_id("ord", site.business.orders["SO-1001"])
    for malformed in (order, "nonsense", "sta_1"):
        assert get(site, f"/statement/issued/{malformed}{ending}").status_code == 404


def test_a_form_from_elsewhere_or_of_a_buyer_issues_nothing(site: Site) -> None:
    before = sameness(get(site, "/statement/issued").text)
    assert issue(site, csrf_token="forged").status_code == 403
    with site.as_member(BUYER) as buyer:
        assert buyer.post("/statement/issued", data=AUTUMN).status_code == 404
    assert sameness(get(site, "/statement/issued").text) == before


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"to": "2026-11-22", "from": "2026-11-01"}, "up to today"),
        ({"to": "2026-07-01"}, "after the end date"),
        ({"from": "soon"}, "is not a date"),
        ({"currency": "JPY"}, "no entries in that currency"),
        ({"currency": "eur"}, "not a currency"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_issued(site: Site, fields: dict[str, str], says: str) -> None:
    before = sameness(get(site, "/statement/issued").text)
    answer = issue(site, **fields)
    assert answer.status_code == 400
    assert says in answer.text
    assert sameness(get(site, "/statement/issued").text) == before


def test_the_database_lets_nobody_at_the_door_change_or_forge_one(site: Site) -> None:
    statement_id = parse_id(issued(site).rpartition("/")[2], "sta")
    own, other = site.business.accounts["K-1001"], site.business.accounts["K-2002"]
    with psycopg.connect(site.database_url, autocommit=True) as connection:
        member = connection.execute(
            "SELECT member_id FROM membership WHERE account_id = %s AND role = 'finance'", [own]
        ).fetchone()
        assert member

        def as_member(statement: str, *values: object, account: UUID = own) -> int:
            with connection.transaction():
                connection.execute("SET LOCAL ROLE cdp_portal")
                connection.execute(ENTER, (member[0], None, account))
                return connection.execute(statement, values).rowcount

        for statement in (
            "UPDATE issued_statement SET closing = 0 WHERE statement_id = %s",
            "DELETE FROM issued_statement WHERE statement_id = %s",
            "UPDATE issued_statement_file SET content = '' WHERE statement_id = %s",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                as_member(statement, statement_id)
        copy = """INSERT INTO issued_statement (customer_id, account_id, sequence_no, number, kind, currency, to_on, opening,
                closing, total_debit, total_credit, posted_count, document, sha256, issued_by, issued_at)
            SELECT {customer}, {account}, 999, 'forged', kind, currency, to_on, 0, 0, 0, 0, 0, '{{}}', '', 'x', now()
            FROM issued_statement WHERE statement_id = %s"""
        for customer, account in (("customer_id", f"'{other}'::uuid"), (f"'{uuid4()}'::uuid", "account_id")):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                as_member(copy.format(customer=customer, account=account), statement_id)
        assert as_member("SELECT 1 FROM issued_statement WHERE statement_id = %s", statement_id) == 1
        assert as_member("SELECT 1 FROM issued_statement WHERE statement_id = %s", statement_id, account=other) == 0
