"""Notices by mail, through a real mail server: who is told of what, once, in their language, as they chose."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from aiosmtpd.controller import Controller

from cdp.db.engine import connect
from cdp.db.locks import hold_customers_shared
from cdp.interact import notices
from cdp.interact.cases import Moment, Promise, Writer, reply
from cdp.interact.noticing import run_due, run_round
from cdp.ledger.shipments import ShipmentRecord, record_shipments
from cdp.settings import Settings
from tests.databases import Databases
from tests.extranet.business import NOW, SOURCE, TODAY, Business, record_business
from tests.mail.test_mail import Box

FINANCE, BUYER, BOTH = "finance@lusitania.example", "buyer@lusitania.example", "both@holding.example"
CLIENT, VIEWER, MANAGER = "admin@lusitania.example", "viewer@lusitania.example", "marta@meridian.example"


@dataclass(slots=True)
class Post:
    """A database with the extranet's business, a mail server, and a worker's rounds between them."""

    url: str
    settings: Settings
    business: Business
    box: Box
    read: int = field(default=0)

    def connection(self) -> Any:
        return connect(self.url, autocommit=True)

    def round(self, *, later: timedelta = timedelta()) -> list[EmailMessage]:
        """Whatever a worker does at NOW or later; the letters that came of it."""
        with self.connection() as connection:
            while run_round(connection, self.settings, now=NOW + later):
                pass
        new, self.read = self.box.kept[self.read :], len(self.box.kept)
        return new

    def due(self, today: date) -> None:
        with self.connection() as connection:
            notices.plan_due(connection, now=NOW, today=today)

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            done = connection.execute(statement.encode(), values)
            return done.fetchall() if done.description else []

    def choose(self, email: str, topic: str, frequency: str) -> None:
        self.execute(
            """INSERT INTO member_preference (member_id, topic, channel, frequency)
            SELECT member_id, %s, 'email', %s FROM member WHERE email = %s
            ON CONFLICT (member_id, topic, channel) DO UPDATE SET frequency = excluded.frequency""",
            topic, frequency, email,
        )  # fmt: skip

    def states(self, kind: str) -> dict[str, str]:
        return dict(
            self.execute(
                """SELECT coalesce(member.email, staff.email), state FROM notice
                LEFT JOIN member ON member.member_id = recipient_id LEFT JOIN staff ON staff.staff_id = recipient_id
                WHERE kind = %s""",
                kind,
            )
        )


@pytest.fixture(scope="module")
def recorded(databases: Databases) -> Iterator[tuple[str, Business]]:
    """A database with the business in it, of which each test has a copy."""
    with databases.copy() as url:
        with connect(url) as connection:
            business = record_business(connection, issuer=Settings().issuer)
        yield url, business


@pytest.fixture
def database_url(databases: Databases, recorded: tuple[str, Business]) -> Iterator[str]:
    with databases.copy(recorded[0]) as url:
        yield url


@pytest.fixture
def post(database_url: str, recorded: tuple[str, Business], tmp_path: Path) -> Iterator[Post]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    box = Box()
    server = Controller(box, hostname="127.0.0.1", port=port, enable_SMTPUTF8=True)
    server.start()
    settings = Settings(
        smtp_url=f"smtp://127.0.0.1:{port}", seller_name="Meridian", data_dir=tmp_path, database_url=database_url
    )
    made = Post(database_url, settings, recorded[1], box)
    made.round()  # letters about the cases that the business has
    yield made
    server.stop()


def to(letters: list[EmailMessage]) -> list[str]:
    return sorted(str(each["To"]) for each in letters)


def text(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    assert part
    return str(part.get_content())


def ship(post: Post, number: str, shipped_at: datetime) -> None:
    """A shipment of SO-1003 leaves, told by the source twice."""
    order = post.business.orders["SO-1003"]
    told = ShipmentRecord(
        source_id=SOURCE, external_id=number, customer_id=_holder(post, "K-1001"), order_id=order, number=number,
        status="shipped", carrier="Post", shipped_at=shipped_at,
        promised_on=date(2026, 12, 1), lines=(),
    )  # fmt: skip
    for _ in range(2):
        with connect(post.url) as connection:
            hold_customers_shared(connection)
            assert record_shipments(connection, [told]) == []


def _holder(post: Post, number: str) -> UUID:
    ((holder,),) = post.execute("SELECT customer_id FROM account WHERE number = %s", number)
    found: UUID = holder
    return found


def answer(post: Post, words: str = "Secret words.", writer: Writer | None = None) -> None:
    moment = Moment(now=NOW, today=TODAY, promise=Promise(standard_hours=72, key_hours=24))
    with connect(post.url) as connection:
        by = writer or Writer(author_id="client:desk")
        assert isinstance(reply(connection, post.business.cases["K-1001"], words, files=(), by=by, moment=moment), UUID)


def test_a_shipment_that_leaves_is_told_to_who_follows_orders_once(post: Post) -> None:
    ship(post, "SH-77", NOW)
    letters = post.round()
    assert to(letters) == [CLIENT, BUYER, VIEWER]
    assert {str(each["Subject"]) for each in letters} == {"Order SO-1003 is on its way"}
    assert f"{post.settings.extranet_url}/orders/ord_{post.business.orders['SO-1003'].hex}" in text(letters[0])
    assert "4500017342" in text(letters[0])
    assert post.round() == []


def test_what_left_long_ago_is_history_and_not_told(post: Post) -> None:
    ship(post, "SH-OLD", NOW - timedelta(days=30))
    assert post.round() == []
    assert post.states("order_shipped") == {}


def test_an_invoice_that_falls_due_is_told_before_it_does_with_what_is_left_of_it(post: Post) -> None:
    post.due(date(2026, 12, 6))
    assert post.round() == []
    post.due(date(2026, 12, 7))  # INV-4 is due on the 10th
    letters = post.round()
    assert to(letters) == [CLIENT, BOTH, FINANCE]
    assert str(letters[0]["Subject"]) == "Invoice INV-4 is due on December 10, 2026"
    assert "€300.00, due on December 10, 2026" in text(letters[0])
    post.due(date(2026, 12, 8))
    assert post.round() == []


def test_a_contested_invoice_is_not_asked_for(post: Post) -> None:
    post.execute(
        """INSERT INTO dispute (customer_id, account_id, entry_id, opened_on)
        SELECT customer_id, account_id, entry_id, %s FROM ledger_entry WHERE document_number = 'INV-4'""",
        TODAY,
    )
    post.due(date(2026, 12, 8))
    assert post.round() == []


def test_what_was_paid_before_the_letter_went_is_not_asked_for(post: Post) -> None:
    for email in (CLIENT, BOTH, FINANCE):
        post.choose(email, "invoices", "daily")
    post.due(date(2026, 12, 8))
    post.execute(
        """INSERT INTO allocation (customer_id, account_id, credit_entry_id, debit_entry_id, amount, allocated_on, effective_on)
        SELECT customer_id, account_id, entry_id, entry_id, amount, %s, %s FROM ledger_entry WHERE document_number = 'INV-4'""",
        TODAY, TODAY,
    )  # fmt: skip
    assert post.round(later=timedelta(days=2)) == []
    assert set(post.states("invoice_due").values()) == {"withheld"}


def test_an_answer_is_told_to_who_asked_without_its_words_with_a_link_that_ends_such_letters(post: Post) -> None:
    answer(post)
    (letter,) = post.round()
    assert str(letter["To"]) in {FINANCE, BOTH}
    assert str(letter["Subject"]) == "An answer to “Two pallets on INV-1”"
    assert "Secret words" not in letter.as_string()
    assert f"/cases/cas_{post.business.cases['K-1001'].hex}" in text(letter)
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"<{post.settings.extranet_url}/unsubscribe/" in str(letter["List-Unsubscribe"]).replace("\n ", "")
    assert ".cases." in str(letter["List-Unsubscribe"])
    assert post.round() == []


def test_what_a_client_writes_is_told_to_the_account_manager(post: Post) -> None:
    ((case_id, member_id),) = post.execute(
        "SELECT case_id, member_id FROM customer_case WHERE case_id = %s", post.business.cases["K-1001"]
    )
    post.execute(
        """INSERT INTO case_message (customer_id, case_id, account_id, author, author_id, author_name, body, written_at)
        SELECT customer_id, case_id, account_id, 'member', %s, 'Inês', 'Still one pallet.', now() FROM customer_case
        WHERE case_id = %s""",
        f"member:{member_id}", case_id,
    )  # fmt: skip
    (letter,) = post.round()
    assert str(letter["To"]) == MANAGER
    assert str(letter["Subject"]) == "Lusitânia Gráfica: Two pallets on INV-1"
    assert letter["List-Unsubscribe"] is None  # it is her work


def test_who_stands_in_for_an_account_manager_is_told_meanwhile(post: Post) -> None:
    deputy = "paulo@meridian.example"
    post.execute("INSERT INTO staff (email, name) VALUES (%s, 'Paulo Neves')", deputy)
    absence = """UPDATE staff SET away_from_on = %s, away_to_on = %s, deputy_staff_id = (
        SELECT staff_id FROM staff WHERE email = %s) WHERE email = %s"""
    client = post.business.cases["K-1001"]
    for number, (first, last, told) in enumerate((
        (TODAY, TODAY, deputy),
        (TODAY + timedelta(days=1), TODAY + timedelta(days=9), MANAGER),
        (TODAY - timedelta(days=9), TODAY - timedelta(days=1), MANAGER),
        (TODAY, TODAY, MANAGER),
    )):  # fmt: skip
        post.round()
        post.execute(absence, first, last, deputy, MANAGER)
        if number == 3:  # who stands in is away too
            post.execute(absence, first, last, MANAGER, deputy)
        post.execute(
            """INSERT INTO case_message (customer_id, case_id, account_id, author, author_id, author_name, body, written_at)
            SELECT customer_id, case_id, account_id, 'member', 'member:x', 'Inês', %s, %s
            FROM customer_case WHERE case_id = %s""",
            f"{number}", NOW, client,
        )  # fmt: skip
        assert to(post.round()) == [told]


def test_who_wants_no_letters_gets_none_and_who_wants_few_gets_one(post: Post) -> None:
    post.choose(BUYER, "orders", "never")
    post.choose(CLIENT, "orders", "daily")
    ship(post, "SH-78", NOW)
    assert to(post.round()) == [VIEWER]
    ship(post, "SH-79", NOW)
    assert to(post.round()) == [VIEWER]
    (letter,) = post.round(later=timedelta(days=1))
    assert str(letter["To"]) == CLIENT
    assert str(letter["Subject"]) == "2 shipments are on their way"
    assert post.states("order_shipped")[BUYER] == "withheld"


def test_who_stops_letters_before_one_goes_does_not_get_it(post: Post) -> None:
    post.choose(CLIENT, "orders", "daily")
    ship(post, "SH-80", NOW)
    post.round()
    post.choose(CLIENT, "orders", "never")
    assert post.round(later=timedelta(days=1)) == []
    assert post.states("order_shipped")[CLIENT] == "withheld"


def test_a_pause_puts_letters_off_until_it_ends(post: Post) -> None:
    post.execute("UPDATE member SET letters_paused_until = %s WHERE email = %s", TODAY + timedelta(days=5), BUYER)
    ship(post, "SH-81", NOW)
    assert to(post.round()) == [CLIENT, VIEWER]
    assert post.round(later=timedelta(days=4)) == []
    assert to(post.round(later=timedelta(days=6))) == [BUYER]


def test_who_was_removed_from_the_account_meanwhile_is_told_nothing(post: Post) -> None:
    post.choose(CLIENT, "orders", "daily")
    ship(post, "SH-82", NOW)
    post.round()
    post.execute("DELETE FROM membership WHERE member_id = (SELECT member_id FROM member WHERE email = %s)", CLIENT)
    assert post.round(later=timedelta(days=1)) == []


def test_who_is_limited_to_sites_is_told_of_their_orders_alone(post: Post) -> None:
    """Also where the limit came between what happened and the letter."""
    limit = "UPDATE membership SET sites = %s FROM member WHERE member.member_id = membership.member_id AND email = %s"
    post.execute("UPDATE sales_order SET location = 'Porto' WHERE number = 'SO-1003'")
    post.execute(limit, ["Porto"], BUYER)
    post.execute(limit, ["Maia"], VIEWER)
    ship(post, "SH-77", NOW)
    assert to(post.round()) == [CLIENT, BUYER]
    post.choose(BUYER, "orders", "daily")
    ship(post, "SH-78", NOW)
    assert to(post.round()) == [CLIENT]
    post.execute(limit, ["Maia"], BUYER)
    assert post.round(later=timedelta(days=2)) == []
    assert post.states("order_shipped")[BUYER] == "withheld"


def test_letters_are_in_the_language_of_their_reader(post: Post) -> None:
    said = {
        BUYER: ("es-ES", "El pedido SO-1003 está en camino", "prometido para el 1 de diciembre de 2026"),
        VIEWER: ("pt-PT", "A encomenda SO-1003 vai a caminho", "prometida para 1 de dezembro de 2026"),
        CLIENT: ("pl", "Zamówienie SO-1003 jest w drodze", "termin dostawy 1 grudnia 2026"),
    }
    for email, (locale, _subject, _promise) in said.items():
        post.execute("UPDATE member SET locale = %s WHERE email = %s", locale, email)
    ship(post, "SH-83", NOW)
    letters = {str(each["To"]): each for each in post.round()}
    for email, (_locale, subject, promise) in said.items():
        assert str(letters[email]["Subject"]) == subject
        assert promise in text(letters[email])


def test_a_server_that_is_busy_is_tried_again_and_one_that_refuses_is_not(post: Post) -> None:
    post.box.answers = {BUYER: "451 later", VIEWER: "550 no such user"}
    ship(post, "SH-84", NOW)
    assert to(post.round()) == [CLIENT]
    assert post.states("order_shipped") == {CLIENT: "sent", BUYER: "waiting", VIEWER: "failed"}
    post.box.answers = {}
    assert post.round() == []
    assert to(post.round(later=timedelta(hours=1))) == [BUYER]


def test_what_a_killed_worker_had_claimed_goes_when_the_claim_is_over(post: Post) -> None:
    ship(post, "SH-85", NOW)
    with post.connection() as connection:
        notices.plan(connection, now=NOW, today=TODAY)
        assert len(notices.claim(connection, now=NOW, lease=timedelta(minutes=10), most=100)) == 3
    assert post.round() == []
    assert to(post.round(later=timedelta(minutes=11))) == [CLIENT, BUYER, VIEWER]


def test_the_seller_s_date_decides_what_is_due(post: Post) -> None:
    with post.connection() as connection:
        run_due(connection, post.settings, now=datetime.fromisoformat("2026-12-07T00:30:00+00:00"))
    assert len(post.states("invoice_due")) == 3
