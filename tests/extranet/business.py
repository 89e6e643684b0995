"""A small business for the extranet's tests, recorded through the ledger's own functions, so that every figure is known.

Two key accounts: K-1001, whose figures the tests spell out, and K-2002, whose names are canaries that K-1001's members must
never see and whose ledger is long enough to be paged. `TODAY` is the seller's date in all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, uuid4

from psycopg import Connection

from cdp.access.passwords import hash_password
from cdp.access.viewer import ENTER, Member, Role, entry
from cdp.db.locks import hold_customers_exclusive
from cdp.db.statements import load_statements
from cdp.interact.case_files import GivenFile
from cdp.interact.cases import CaseDraft, Moment, Promise, Writer, open_case, reply
from cdp.ledger.accounts import AccountRecord, record_accounts
from cdp.ledger.allocations import AllocationRecord, DisputeRecord, record_allocations, record_disputes
from cdp.ledger.entries import EntryRecord, record_entries
from cdp.ledger.orders import OrderEventRecord, OrderLine, OrderRecord, record_orders
from cdp.ledger.shipments import ShipmentLine, ShipmentRecord, record_shipments

NOW: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TODAY: Final = NOW.date()
PASSWORD: Final = "correct horse battery staple"
CANARIES: Final = ("K-2002", "Zeppelin", "SO-9001", "INV-90", "canary")
MANY: Final = 130
CREDITS: Final = 23
UNBROKEN: Final = "0123456789" * 6  # what a careless system puts into a field; no page may burst
SOURCE: Final = uuid4()

# Who may sign in: e-mail, name, and the roles in accounts.
MEMBERS: Final = (
    ("finance@lusitania.example", "Inês Duarte", {"K-1001": "finance"}),
    ("buyer@lusitania.example", "Rui Costa", {"K-1001": "buyer"}),
    ("viewer@lusitania.example", "Ana Lopes", {"K-1001": "viewer"}),
    ("admin@lusitania.example", "Sofia Reis", {"K-1001": "client_admin"}),
    ("admin@zeppelin.example", "Zofia canary", {"K-2002": "client_admin"}),
    ("both@holding.example", "Otto Berg", {"K-1001": "finance", "K-2002": "buyer"}),
)
# The ledger of K-1001 in EUR. On TODAY: balance 2,800.00, of which open 2,950.50 and unapplied 150.50; overdue 2,650.50.
ENTRIES: Final[tuple[tuple[str, Any, str, str, str | None, dict[str, str]], ...]] = (
    (
        "2026-08-03",
        "invoice",
        "INV-1",
        "1000.00",
        "2026-09-02",
        {"purchase_order": "PO-88120", "description": "=1+1 pallets"},
    ),
    ("2026-08-20", "payment", "PAY-1", "-600.00", None, {"description": "SEPA-" + UNBROKEN}),
    ("2026-09-15", "invoice", "INV-2", "250.50", "2026-10-15", {}),
    ("2026-10-05", "credit_note", "CN-1", "-50.50", None, {}),
    ("2026-10-20", "invoice", "INV-3", "2000.00", "2026-11-19", {"purchase_order": "@PO; drop"}),
    ("2026-11-10", "invoice", "INV-4", "300.00", "2026-12-10", {}),
    ("2026-11-12", "payment", "PAY-2", "-100.00", None, {"description": "<b>without reference</b>"}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Business:
    """Ids of what was recorded, by number."""

    orders: dict[str, UUID]
    accounts: dict[str, UUID]
    entries: dict[str, UUID]
    cases: dict[str, UUID]


def record_business(connection: Connection[Any], *, issuer: str) -> Business:
    """Record all of it and let the members in, who sign in at `issuer`; the caller commits."""
    hold_customers_exclusive(connection)
    connection.execute(
        "INSERT INTO source (source_id, name, channel, identifier_namespace) VALUES (%s, 'erp', 'erp', 'erp_id')",
        [SOURCE],
    )
    people = {name: _customer(connection, name, kind) for name, kind in (
        ("Lusitânia Gráfica", "organisation"), ("Zeppelin canary AG", "organisation"), ("Beatriz Sá", "person"),
    )}  # fmt: skip
    connection.execute(
        """INSERT INTO affiliation
            (customer_id, organisation_profile_id, person_profile_id, person_customer_id, since_at, stated_at)
        VALUES (%s, %s, %s, %s, now(), now())""",
        [people["Lusitânia Gráfica"], uuid4(), uuid4(), people["Beatriz Sá"]],
    )
    access = load_statements("cdp.access")
    staff = connection.execute(
        access["save_staff"],
        {"email": "marta@meridian.example", "name": "Marta Kowalska", "title": "Key account manager",
         "phone": "+351 213 555 014", "issuer": None, "subject": None},
    ).fetchone()  # fmt: skip
    assert staff
    accounts = dict(
        record_accounts(
            connection,
            [
                _account("K-1001", people["Lusitânia Gráfica"], "Lusitânia Gráfica", staff[0]),
                _account("K-2002", people["Zeppelin canary AG"], "Zeppelin canary AG", None),
            ],
        )
    )
    orders = _orders(connection, people, accounts)
    _ledger(connection, people, accounts, orders)
    for email, name, roles in MEMBERS:
        _member(connection, email, name, {accounts[number]: role for number, role in roles.items()}, issuer)
    entries = dict(connection.execute("SELECT document_number, entry_id FROM ledger_entry").fetchall())
    cases = _cases(connection, accounts, entries)
    return Business(orders=orders, accounts=accounts, entries=entries, cases=cases)


def _cases(connection: Connection[Any], accounts: dict[str, UUID], entries: dict[str, UUID]) -> dict[str, UUID]:
    """A case of each account, by its number: an invoice's query with a file and an answer, and a canary."""
    moment = Moment(now=NOW, today=TODAY, promise=Promise(standard_hours=72, key_hours=24))
    drafts = {
        "K-1001": CaseDraft(
            account_id=accounts["K-1001"], kind="invoice_query", subject="Two pallets on INV-1",
            message="We got one pallet.\nThe delivery note is with this message.", entry_id=entries["INV-1"],
            files=(GivenFile(name=f"note-{UNBROKEN}.txt", content=b"1 pallet"),),
        ),
        "K-2002": CaseDraft(account_id=accounts["K-2002"], kind="complaint", subject="canary", message="canary"),
    }  # fmt: skip
    found: dict[str, UUID] = {}
    for number, draft in drafts.items():
        row = connection.execute(
            "SELECT member_id FROM membership WHERE account_id = %s AND role IN ('finance', 'client_admin') ORDER BY role DESC",
            [draft.account_id],
        ).fetchone()
        assert row
        member = Member(member_id=row[0], account_id=draft.account_id, role=Role.CLIENT_ADMIN)
        # As the company's own role, which is not told who the member is: the number is the account's next all the same.
        connection.execute(ENTER, entry(member))
        case_id = open_case(connection, draft, by=Writer(author_id=f"member:{row[0]}", member=member), moment=moment)
        assert isinstance(case_id, UUID)
        found[number] = case_id
    connection.execute(ENTER, (None, None, None))
    staff = Writer(author_id="client:desk")
    answered = reply(connection, found["K-1001"], "We look into it.", files=(), by=staff, moment=moment)
    assert isinstance(answered, UUID)
    return found


def _customer(connection: Connection[Any], name: str, kind: str) -> UUID:
    row = connection.execute(
        """INSERT INTO customer (customer_id, kind, name, first_seen_at, last_seen_at)
        VALUES (new_id(), %s, %s, now(), now()) RETURNING customer_id""",
        [kind, name],
    ).fetchone()
    assert row
    found: UUID = row[0]
    return found


def _account(number: str, holder: UUID, name: str, manager: UUID | None) -> AccountRecord:
    return AccountRecord(
        source_id=SOURCE, number=number, customer_id=holder, profile_id=uuid4(), name=name, tier="key", currency="EUR",
        legal_name=f"{name}, S.A.", tax_id="PT503456789", credit_limit=Decimal("5000.00"), payment_terms_days=30,
        manager_staff_id=manager, billing_address=f"{name}\nRua do Ouro 12\n1100-063 Lisboa",
        delivery_address="Armazém 4\nMaia", bank_name="Banco Exemplo", bank_account_ending="0154",
    )  # fmt: skip


def _orders(connection: Connection[Any], people: dict[str, UUID], accounts: dict[str, UUID]) -> dict[str, UUID]:
    def order(
        number: str, account: str, placed: str, promised: str, lines: Sequence[OrderLine], **more: Any
    ) -> OrderRecord:
        holder = people["Lusitânia Gráfica" if account == "K-1001" else "Zeppelin canary AG"]
        placed_at = datetime.fromisoformat(placed + "T09:14:00+00:00")
        return OrderRecord(
            source_id=SOURCE, external_id=number, number=number, customer_id=holder, account_id=accounts[account],
            profile_id=uuid4(), channel="web", placed_at=placed_at, promised_on=date.fromisoformat(promised),
            currency="EUR", total=sum((line.amount for line in lines), Decimal(0)), lines=tuple(lines),
            events=(OrderEventRecord(kind="placed", occurred_at=placed_at, record_key=f"{number} placed"),),
            **{"status": "placed", **more},
        )  # fmt: skip

    paper = OrderLine(line_no=1, product="PAP-90", name="Coated paper, pallet", quantity=Decimal(12),
                      unit_price=Decimal("100.00"), amount=Decimal("1200.00"))  # fmt: skip
    ink = OrderLine(line_no=2, product="INK-5", name="Ink <set>", quantity=Decimal(6), quantity_cancelled=Decimal(2),
                    unit_price=Decimal("25.50"), amount=Decimal("102.00"))  # fmt: skip
    contact = people["Beatriz Sá"]
    told = [
        order("SO-1001", "K-1001", "2026-08-01", "2026-08-10", [paper], status="delivered", purchase_order="PO-88120"),
        order(
            "SO-1002",
            "K-1001",
            "2026-11-02",
            "2026-11-18",
            [paper, ink],
            status="confirmed",
            contact_customer_id=contact,
            location="Braga",
        ),
        order(
            "SO-1003",
            "K-1001",
            "2026-11-19",
            "2026-12-01",
            [ink],
            purchase_order="4500017342",
            location="Maia, Armazém 4 da Zona Industrial",
        ),
        order("SO-9001", "K-2002", "2026-11-05", "2026-11-08", [paper], purchase_order="canary"),
    ]
    told += [
        order(
            f"SO-1{number}",
            "K-1001",
            f"2026-06-{1 + number % 28:02}",
            "2026-06-30",
            [paper],
            status="cancelled",
            purchase_order=f"PO-{UNBROKEN}",
        )
        for number in range(100, 140)
    ]
    record_orders(connection, told)
    found = dict(connection.execute("SELECT number, order_id FROM sales_order").fetchall())
    delivered, split = ((people["Lusitânia Gráfica"], found[number]) for number in ("SO-1001", "SO-1002"))
    first = (ShipmentLine(line_no=1, quantity=Decimal(8)), ShipmentLine(line_no=2, quantity=Decimal(4)))
    rest = (ShipmentLine(line_no=1, quantity=Decimal(4)),)
    carrier = "https://carrier.example/"
    told_shipments = [
        _shipment(
            "SH-1", delivered, "delivered", shipped="2026-08-03", promised="2026-08-10", tracking_url=carrier + "SH-1"
        ),
        _shipment(
            "SH-2",
            split,
            "delivered",
            shipped="2026-11-05",
            promised="2026-11-18",
            tracking_url=carrier + "SH-2",
            lines=first,
        ),
        _shipment("SH-3", split, "planned", promised="2026-11-18", tracking_url="javascript:alert(1)", lines=rest),
    ]
    assert record_shipments(connection, told_shipments) == []
    return found


def _shipment(
    number: str,
    order: tuple[UUID, UUID],
    status: Any,
    *,
    promised: str,
    tracking_url: str,
    shipped: str | None = None,
    lines: tuple[ShipmentLine, ...] = (),
) -> ShipmentRecord:
    shipped_at = datetime.fromisoformat(shipped + "T07:00:00+00:00") if shipped else None
    return ShipmentRecord(
        source_id=SOURCE, external_id=number, customer_id=order[0], order_id=order[1], number=number,
        status=status, carrier="Rail & Road", tracking_number=f"RR{number}", tracking_url=tracking_url,
        promised_on=date.fromisoformat(promised), shipped_at=shipped_at,
        delivered_at=shipped_at + timedelta(days=1) if shipped_at and status == "delivered" else None, lines=lines,
    )  # fmt: skip


def _ledger(
    connection: Connection[Any], people: dict[str, UUID], accounts: dict[str, UUID], orders: dict[str, UUID]
) -> None:
    def entry(
        account: str, words: tuple[str, Any, str, str, str | None], currency: str = "EUR", **more: Any
    ) -> EntryRecord:
        posted_on, kind, number, amount, due_on = words
        holder = people["Lusitânia Gráfica" if account == "K-1001" else "Zeppelin canary AG"]
        return EntryRecord(
            source_id=SOURCE, external_id=number, customer_id=holder, account_id=accounts[account], kind=kind,
            document_number=number, currency=currency, amount=Decimal(amount), posted_on=date.fromisoformat(posted_on),
            due_on=date.fromisoformat(due_on) if due_on else None, **more,
        )  # fmt: skip

    entries = [
        entry("K-1001", told[:5], order_id=orders["SO-1001"] if told[2] == "INV-1" else None, **told[5])
        for told in ENTRIES
    ]
    entries.append(entry("K-1001", ("2026-10-01", "invoice", "US-1", "99.99", "2026-10-31"), "USD"))
    for number in range(MANY):
        day = date(2026, 1, 1) + timedelta(days=number)
        entries.append(
            entry("K-2002", (f"{day}", "invoice", f"INV-90{number:03}", "10.01", f"{day + timedelta(days=30)}"))
        )
    entries += [
        entry("K-2002", (f"2026-05-{number:02}", "payment", f"canary-{number:02}", "-1.00", None), "GBP")
        for number in range(1, CREDITS + 1)
    ]
    # Two years ago, and over: one paid in two parts, one cancelled.
    entries += [
        entry("K-1001", ("2024-01-10", "invoice", "OLD-1", "50.00", "2024-02-09"), purchase_order="PO-OLD"),
        entry("K-1001", ("2024-01-20", "payment", "OLD-PAY", "-50.00", None), description="SEPA <old>"),
        entry("K-1001", ("2024-03-01", "invoice", "OLD-2", "70.00", "2024-03-31")),
        entry("K-1001", ("2024-03-05", "invoice", "OLD-2-R", "-70.00", None), reverses="OLD-2"),
    ]
    assert record_entries(connection, entries) == []
    allocations = [
        AllocationRecord(
            source_id=SOURCE, external_id=f"A-{number}", credit=credit, debit=debit, amount=Decimal(amount),
            allocated_on=date.fromisoformat(day),
        )
        for number, (credit, debit, amount, day) in enumerate((
            ("PAY-1", "INV-1", "600.00", "2026-08-20"),
            ("OLD-PAY", "OLD-1", "20.00", "2024-01-20"),
            ("OLD-PAY", "OLD-1", "30.00", "2024-02-01"),
        ), start=1)
    ]  # fmt: skip
    assert record_allocations(connection, allocations) == []
    dispute = DisputeRecord(
        source_id=SOURCE, external_id="D-1", entry="INV-2", reason="Torn", opened_on=date(2026, 10, 1)
    )
    assert record_disputes(connection, [dispute]) == []


def _member(connection: Connection[Any], email: str, name: str, roles: dict[UUID, str], issuer: str) -> None:
    known, people = load_statements("cdp.access"), load_statements("cdp.access.issuer")
    person = {"email": email, "name": name, "locale": "en", "password_hash": hash_password(PASSWORD)}
    row = connection.execute(people["save_person"], person).fetchone()
    assert row
    member = {"issuer": issuer, "subject": str(row[0]), "email": email, "name": name, "locale": "en"}
    row = connection.execute(known["save_member"], member).fetchone()
    assert row
    for account_id, role in roles.items():
        values = {"account_id": account_id, "member_id": row[0], "role": role, "sites": None}
        connection.execute(known["save_membership"], values)
