"""Cases in the extranet: opened, answered, closed, by role; files are what they say or are not taken; nobody else's are there."""

from collections.abc import Iterator
from typing import Any

import httpx2
import psycopg
import pytest

from cdp.access.viewer import ENTER, Scope, Tool
from cdp.db.ids import format_id, parse_id, time_ordered_id
from cdp.interact.case_files import EICAR
from cdp.schema import open_graph
from cdp.settings import load_settings
from tests.extranet.business import TODAY
from tests.extranet.conftest import Site, running_site, sameness
from tests.extranet.reading import read, rows

FINANCE, BUYER, VIEWER = "finance@lusitania.example", "buyer@lusitania.example", "viewer@lusitania.example"
ADMIN, OTHER = "admin@lusitania.example", "admin@zeppelin.example"
STAFF = Tool(
    client_id="desk", scopes=frozenset({Scope.GRAPH_READ, Scope.GRAPH_PII, Scope.GRAPH_WRITE, Scope.LEDGER_READ})
)
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
QUESTION = {"kind": "QUESTION", "subject": "Opening hours", "message": "When do you open on Saturdays?"}


@pytest.fixture(scope="module")
def site(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Its own, since cases are opened in it."""
    with running_site(shared_database_url, tmp_path_factory.mktemp("data")) as site:
        yield site


def get(site: Site, path: str, email: str) -> httpx2.Response:
    with site.as_member(email) as member:
        return member.get(path)


def send(
    site: Site, email: str, path: str, fields: dict[str, str], files: list[tuple[str, bytes]] | None = None
) -> httpx2.Response:
    """Fill in a form of ours, with files where given."""
    with site.as_member(email) as member:
        token = read(member.get("/cases/new").text).all("input", name="csrf_token")[0].attributes["value"]
        data = {"csrf_token": token, **fields}
        if files is None:
            return member.post(path, data=data)
        return member.post(path, data=data, files=[("files", each) for each in files])


def opened(site: Site, email: str = FINANCE, files: list[tuple[str, bytes]] | None = None, **fields: str) -> str:
    """The address of a case just opened."""
    answer = send(site, email, "/cases/new", {**QUESTION, **fields}, files)
    assert answer.status_code == 303, answer.text
    address: str = answer.headers["location"]
    return address


def told(site: Site, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(site.database_url, autocommit=True) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def case_id(address: str) -> Any:
    return parse_id(address.rpartition("/")[2], "cas")


async def staff(site: Site, field: str, document: str, **values: Any) -> dict[str, Any]:
    """A payload of a mutation by the seller's desk."""
    settings = load_settings(database_url=site.database_url)
    async with open_graph(site.database_url, "cdp_app", writes=site.database_url, settings=settings) as graph:
        result = await graph.execute(document, values, STAFF, today=TODAY)
    assert not result.errors, result.errors
    assert result.data is not None
    payload: dict[str, Any] = result.data[field]
    return payload


async def answer(site: Site, address: str, message: str = "From nine to one.") -> None:
    document = """mutation($id: ID!, $message: String!) { caseReply(input: {id: $id, message: $message}) {
        case { status firstAnsweredAt } userErrors { code } } }"""
    payload = await staff(site, "caseReply", document, id=address.rpartition("/")[2], message=message)
    assert payload["userErrors"] == []
    assert payload["case"]["status"] == "ANSWERED"
    assert payload["case"]["firstAnsweredAt"]


def test_a_case_is_opened_listed_and_shown_with_its_promised_answer(site: Site) -> None:
    address = opened(site, subject="Opening hours on Saturday")
    shown = read(get(site, address, FINANCE).text)
    assert shown.one("h1").text == "Opening hours on Saturday"
    assert "Waiting for us" in shown.one("header", class_="page-head-split").text
    assert "We answer by" in shown.one("dl").text
    assert "When do you open on Saturdays?" in shown.one("ol").text
    assert "Inês Duarte" in shown.one("ol").text
    listed = rows(read(get(site, "/cases?show=open", FINANCE).text).one("table"))
    assert any("Opening hours on Saturday" in row[0] for row in listed)
    promised, opened_at = told(
        site, "SELECT respond_by, opened_at FROM customer_case WHERE case_id = %s", case_id(address)
    )[0]
    assert (promised - opened_at).total_seconds() == 24 * 3600  # a key account


def test_each_message_is_a_contact_of_the_customer_in_the_same_transaction(site: Site) -> None:
    address = opened(site, subject="A contact of ours")
    contact = told(
        site,
        """SELECT i.kind, i.direction, i.channel, i.name, i.topic, i.properties ->> 'text', i.customer_id = a.customer_id,
            i.profile_id = a.profile_id, s.name
        FROM case_message AS m JOIN interaction AS i USING (interaction_id) JOIN source AS s ON s.source_id = i.source_id
        JOIN account AS a ON a.account_id = m.account_id WHERE m.case_id = %s""",
        case_id(address),
    )
    assert contact == [
        ("chat", "inbound", "extranet", "A contact of ours", "question", QUESTION["message"], True, True, "extranet")
    ]


async def test_staff_answer_the_client_replies_closes_and_opens_again(site: Site) -> None:
    address = opened(site, subject="To and fro")
    await answer(site, address)
    assert "Answered" in read(get(site, address, FINANCE).text).one("header", class_="page-head-split").text
    assert send(site, FINANCE, address, {"message": "And on Sundays?"}).status_code == 303
    assert told(site, "SELECT status FROM customer_case WHERE case_id = %s", case_id(address)) == [("open",)]
    assert send(site, FINANCE, f"{address}/close", {"satisfied": "yes"}).status_code == 303
    closed = "SELECT status, satisfied, closed_at IS NOT NULL FROM customer_case WHERE case_id = %s"
    assert told(site, closed, case_id(address)) == [("closed", True, True)]
    assert "Closed by Inês Duarte, satisfied." in read(get(site, address, FINANCE).text).one("ol").text
    send(site, FINANCE, f"{address}/close", {"satisfied": "no"})  # closing what is closed changes nothing
    assert told(site, closed, case_id(address)) == [("closed", True, True)]
    assert send(site, FINANCE, address, {"message": "One more thing."}).status_code == 303
    assert told(site, closed, case_id(address)) == [("open", None, False)]
    events = told(
        site, "SELECT author, event FROM case_message WHERE case_id = %s ORDER BY written_at", case_id(address)
    )
    assert events == [
        ("member", "message"), ("staff", "message"), ("member", "message"), ("member", "closed"), ("member", "message"),
    ]  # fmt: skip
    assert told(
        site,
        """SELECT count(*) FROM case_message JOIN interaction USING (customer_id, interaction_id)
        WHERE case_id = %s""",
        case_id(address),
    ) == [(5,)]


async def test_a_case_is_handed_to_somebody_and_the_thread_tells(site: Site) -> None:
    address = opened(site, subject="Who is it?")
    document = """mutation($id: ID!, $email: String!) { caseAssign(input: {id: $id, email: $email}) {
        case { assignedTo { name } } userErrors { code } } }"""
    given = {"id": address.rpartition("/")[2]}
    payload = await staff(site, "caseAssign", document, **given, email="nobody@meridian.example")
    assert [each["code"] for each in payload["userErrors"]] == ["staff_not_found"]
    payload = await staff(site, "caseAssign", document, **given, email="Marta@meridian.example")
    assert payload == {"case": {"assignedTo": {"name": "Marta Kowalska"}}, "userErrors": []}
    assert "Marta Kowalska looks after this case." in read(get(site, address, FINANCE).text).one("ol").text


def test_an_invoice_is_queried_from_its_page_and_a_dispute_marks_it_without_changing_the_balance(site: Site) -> None:
    invoice = format_id("ent", site.business.entries["INV-3"])
    link = f"/cases/new?kind=invoice_query&invoice={invoice}"
    assert any(
        each.attributes["href"] == link for each in read(get(site, f"/invoices/{invoice}", FINANCE).text).all("a")
    )
    form = read(get(site, link, FINANCE).text)
    assert form.one("input", name="subject").attributes["value"] == "Invoice INV-3"
    before = told(site, "SELECT sum(amount) FROM ledger_entry WHERE account_id = %s", site.business.accounts["K-1001"])
    address = opened(site, kind="INVOICE_QUERY", subject="Invoice INV-3", invoice=invoice, dispute="yes")
    disputed = read(get(site, "/invoices?show=disputed", FINANCE).text)
    assert "INV-3" in disputed.one("table").text
    assert "Disputed" in read(get(site, address, FINANCE).text).one("dl").text
    assert (
        told(site, "SELECT sum(amount) FROM ledger_entry WHERE account_id = %s", site.business.accounts["K-1001"])
        == before
    )
    send(site, FINANCE, f"{address}/close", {})
    dispute = "SELECT opened_on, closed_on FROM dispute WHERE entry_id = %s"
    assert told(site, dispute, site.business.entries["INV-3"]) == [(TODAY, TODAY)]
    send(site, FINANCE, address, {"message": "It is still wrong."})
    assert told(site, dispute, site.business.entries["INV-3"]) == [(TODAY, None)]
    send(site, FINANCE, f"{address}/close", {})


def test_a_file_comes_back_as_it_was_to_be_kept_and_never_shown(site: Site) -> None:
    address = opened(site, files=[("Re\u202eport <1>.pdf", PDF)], subject="With a file")
    link = read(get(site, address, FINANCE).text).one("ul", class_="files").one("a")
    assert link.text == "Report <1>.pdf"
    taken = get(site, link.attributes["href"], FINANCE)
    assert taken.content == PDF
    assert taken.headers["content-type"] == "application/pdf"
    assert taken.headers["content-disposition"] == "attachment; filename*=UTF-8''Report%20%3C1%3E.pdf"
    assert taken.headers["x-content-type-options"] == "nosniff"
    for email in (BUYER, VIEWER, OTHER):
        absent = f"/cases/files/{format_id('cfi', time_ordered_id())}"
        foreign, missing = get(site, link.attributes["href"], email), get(site, absent, email)
        assert (foreign.status_code, sameness(foreign.text)) == (404, sameness(missing.text))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("page.html", b"<html></html>", "Files may be PDF"),
        ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "Files may be PDF"),
        ("photo.png", b"<svg onload='alert(1)'/>", "not what its name says"),
        ("notes.txt", b"  <!DOCTYPE html><script>alert(1)</script>", "not what its name says"),
        ("photo.jpg", PDF, "not what its name says"),
        ("empty.txt", b"", "is empty"),
        ("virus.txt", EICAR, "holds a virus"),
        ("large.txt", b"x" * 10_000_001, "10 MB"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused_and_nothing_is_opened(
    site: Site, name: str, content: bytes, says: str
) -> None:
    before = told(site, "SELECT count(*) FROM customer_case")
    given = send(site, FINANCE, "/cases/new", QUESTION, [(name, content)])
    assert given.status_code == 422
    page = read(given.text)
    assert says in page.one("span", id="files-problem").text
    assert page.one("textarea").text == QUESTION["message"]
    assert told(site, "SELECT count(*) FROM customer_case") == before


def test_too_much_is_refused_before_it_is_read(site: Site) -> None:
    assert (
        send(site, FINANCE, "/cases/new", QUESTION, [(f"{n}.txt", b"x" * 9_000_000) for n in range(3)]).status_code
        == 413
    )
    assert send(site, FINANCE, "/cases/new", QUESTION, [(f"{n}.txt", b"x") for n in range(6)]).status_code == 400


@pytest.mark.parametrize("fields", [{"subject": " "}, {"message": ""}, {"kind": "NONSENSE"}, {"subject": "x" * 151}])
def test_a_mistake_is_told_where_it_is_and_what_was_written_stays(site: Site, fields: dict[str, str]) -> None:
    given = send(site, FINANCE, "/cases/new", {**QUESTION, **fields})
    assert given.status_code == 422
    page = read(given.text)
    (name,) = fields
    assert page.one("span", id=f"{name}-problem").attributes["role"] == "alert"
    if name != "message":
        assert page.one("textarea").text == QUESTION["message"]


def test_each_role_sees_its_own_and_the_rest_looks_like_none(site: Site) -> None:
    of_finance, of_buyer = opened(site, FINANCE, subject="Of finance"), opened(site, BUYER, subject="Of the buyer")
    invoice = format_id("ent", site.business.entries["INV-4"])
    of_ledger = opened(site, ADMIN, kind="INVOICE_QUERY", subject="Of the ledger", invoice=invoice)
    absent = f"/cases/{format_id('cas', time_ordered_id())}"
    seen = {
        ADMIN: {of_finance, of_buyer, of_ledger},
        FINANCE: {of_finance, of_ledger},
        BUYER: {of_buyer},
        VIEWER: set(),
        OTHER: set(),
    }
    for email, own in seen.items():
        missing = get(site, absent, email)
        for address in (of_finance, of_buyer, of_ledger):
            found = get(site, address, email)
            assert found.status_code == (200 if address in own else 404), (email, address)
            if address not in own:
                assert sameness(found.text) == sameness(missing.text)
    assert "Of finance" not in get(site, "/cases", BUYER).text
    assert "Of the buyer" not in get(site, "/cases", FINANCE).text
    for path in ("/cases", "/cases/new"):
        assert get(site, path, VIEWER).status_code == 404
    for path in (format_id("ord", site.business.orders["SO-1001"]), "nonsense"):
        assert get(site, f"/cases/{path}", FINANCE).status_code == 404


def test_a_buyer_opens_none_about_the_ledger_whatever_the_form_says(site: Site) -> None:
    invoice = format_id("ent", site.business.entries["INV-4"])
    assert "INVOICE_QUERY" not in get(site, "/cases/new", BUYER).text
    assert "INV-4" not in get(site, f"/cases/new?invoice={invoice}", BUYER).text
    assert send(site, BUYER, "/cases/new", {**QUESTION, "kind": "INVOICE_QUERY"}).status_code == 422
    address = opened(site, BUYER, invoice=invoice, dispute="yes")
    assert told(site, "SELECT entry_id, is_dispute FROM customer_case WHERE case_id = %s", case_id(address)) == [
        (None, False)
    ]


def test_numbers_count_per_account_and_have_no_gap_that_tells_of_others(site: Site) -> None:
    for number in ("K-1001", "K-2002"):
        account = site.business.accounts[number]
        opened(site, BUYER if number == "K-1001" else OTHER)
        numbers = [
            one for (one,) in told(site, "SELECT number FROM customer_case WHERE account_id = %s ORDER BY 1", account)
        ]
        assert numbers == list(range(1, len(numbers) + 1))


def test_a_form_from_elsewhere_opens_nothing(site: Site) -> None:
    before = told(site, "SELECT count(*) FROM customer_case")
    assert send(site, FINANCE, "/cases/new", {**QUESTION, "csrf_token": "forged"}).status_code == 403
    assert send(site, FINANCE, "/cases/new", {**QUESTION, "csrf_token": "forged"}, [("a.txt", b"x")]).status_code == 403
    assert told(site, "SELECT count(*) FROM customer_case") == before


def test_the_database_lets_nobody_at_the_door_write_beyond_their_own(site: Site) -> None:
    of_finance, of_buyer = case_id(opened(site, FINANCE)), case_id(opened(site, BUYER))
    own, other = site.business.accounts["K-1001"], site.business.accounts["K-2002"]
    with psycopg.connect(site.database_url, autocommit=True) as connection:
        (member,) = connection.execute(
            "SELECT member_id FROM membership WHERE account_id = %s AND role = 'buyer'", [own]
        ).fetchone() or (None,)

        def as_buyer(statement: str, *values: object) -> int:
            with connection.transaction():
                connection.execute("SET LOCAL ROLE cdp_portal")
                connection.execute(ENTER, (member, None, own))
                return connection.execute(statement.encode(), values).rowcount

        assert as_buyer("SELECT 1 FROM customer_case WHERE case_id = %s", of_buyer) == 1
        assert as_buyer("SELECT 1 FROM customer_case WHERE case_id = %s", of_finance) == 0
        assert as_buyer("SELECT 1 FROM case_message WHERE case_id = %s", of_finance) == 0
        for statement in (
            "UPDATE customer_case SET status = 'answered' WHERE case_id = %s",
            "DELETE FROM customer_case WHERE case_id = %s",
            "UPDATE case_message SET body = '' WHERE case_id = %s",
            "SELECT opened_by FROM customer_case WHERE case_id = %s",
            "INSERT INTO interaction (customer_id) SELECT customer_id FROM customer_case WHERE case_id = %s",
            "INSERT INTO dispute (customer_id) SELECT customer_id FROM customer_case WHERE case_id = %s",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                as_buyer(statement, of_buyer)
        write = """INSERT INTO case_message (customer_id, case_id, account_id, event, author, author_id, author_name, body,
                written_at)
            SELECT c.customer_id, {case}, {account}, '{event}', '{author}', '{id}', 'x', 'x', now()
            FROM account AS c WHERE c.account_id = %s"""
        mine = {
            "case": f"'{of_buyer}'",
            "account": f"'{own}'",
            "event": "message",
            "author": "member",
            "id": f"member:{member}",
        }
        assert as_buyer(write.format(**mine), own) == 1
        for forged in (
            {"case": f"'{of_finance}'"}, {"account": f"'{other}'"}, {"author": "staff"}, {"event": "assigned"},
            {"id": "member:somebody-else"},
        ):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                as_buyer(write.format(**{**mine, **forged}), own)


def test_what_follows_from_a_message_is_done_for_its_author_alone(site: Site) -> None:
    """Asked as the portal by nobody, by a colleague and by somebody of another account, nothing follows."""
    address = opened(site, BUYER, subject="Whose message")
    people = dict(told(site, "SELECT email, member_id FROM member"))
    own, other = site.business.accounts["K-1001"], site.business.accounts["K-2002"]
    with psycopg.connect(site.database_url, autocommit=True) as connection:
        message = time_ordered_id()
        connection.execute(
            """INSERT INTO case_message (customer_id, message_id, case_id, account_id, author, author_id, author_name, body,
                written_at)
            SELECT customer_id, %s, case_id, account_id, 'member', %s, 'Rui', 'Again', now()
            FROM customer_case WHERE case_id = %s""",
            [message, f"member:{people[BUYER]}", case_id(address)],
        )
        connection.execute("UPDATE customer_case SET status = 'answered' WHERE case_id = %s", [case_id(address)])

        def status_after(*entered: object) -> str:
            with connection.transaction():
                connection.execute("SET LOCAL ROLE cdp_portal")
                connection.execute(ENTER, entered)
                connection.execute("SELECT portal_case_message_told(%s, current_date, 1, 1)", [message])
            row = connection.execute(
                "SELECT status FROM customer_case WHERE case_id = %s", [case_id(address)]
            ).fetchone()
            assert row
            return str(row[0])

        assert status_after(None, None, None) == "answered"
        assert status_after(people[FINANCE], None, own) == "answered"
        assert status_after(people[OTHER], None, other) == "answered"
        may_call = (
            "SELECT has_function_privilege('cdp_portal', 'case_message_told(uuid, date, integer, integer)', 'EXECUTE')"
        )
        assert connection.execute(may_call).fetchone() == (False,)
        assert status_after(people[BUYER], None, own) == "open"


def test_a_request_to_change_details_is_on_record_once(site: Site) -> None:
    address = opened(site, BUYER, kind="DETAILS", subject="We moved")
    assert send(site, BUYER, address, {"message": "To the docks."}).status_code == 303
    recorded = told(
        site,
        "SELECT outcome, actor = member.subject FROM audit_record, member WHERE event = 'details_change_asked'"
        " AND target = %s AND member.email = %s",
        address.rpartition("/")[2],
        BUYER,
    )
    assert recorded == [("done", True)]
    assert "Asked for a change of the account’s details." in get(site, "/activity", ADMIN).text
