"""What clients of the demo asked of the company: a few cases, as they and their account managers would write them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from cdp.access.viewer import ENTER, Member, Role, entry
from cdp.db.engine import connect
from cdp.interact.case_files import GivenFile
from cdp.interact.cases import CaseDraft, CaseKind, Moment, Promise, Writer, close, open_case, reply

_PROMISE: Final = Promise(standard_hours=72, key_hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A case of the demo: `about` is invoice, order or nothing; `thread` goes on in turns, ours first, ten hours apart."""

    role: Role
    kind: CaseKind
    subject: str
    message: str
    about: str = ""
    days_ago: int
    thread: tuple[str, ...] = ()
    is_closed: bool = False
    file: GivenFile | None = None


ASKED: Final = (
    Asked(
        role=Role.FINANCE, kind="invoice_query", about="invoice", days_ago=1,
        subject="Freight on our latest invoice",
        message="The offer said free delivery above 500. Could you check the freight line, please? Our copy is attached.",
        file=GivenFile(name="offer.csv", content=b"position;text;amount\r\n1;Goods;as ordered\r\n2;Freight;free above 500\r\n"),
        thread=("Thank you, you are right. I have asked for a credit note; it will be on your next statement.",
                "Great. We pay the rest on the due date then."),
    ),
    Asked(
        role=Role.BUYER, kind="question", about="order", days_ago=9, is_closed=True,
        subject="Can the pallets come on Thursday?",
        message="Our warehouse is closed on Friday. Is Thursday morning possible?",
        thread=("Thursday before noon is booked with the carrier.",),
    ),
    Asked(
        role=Role.CLIENT_ADMIN, kind="complaint", about="order", days_ago=0,
        subject="Two boxes arrived wet",
        message="The driver noted it. We can use the rest; what shall we do with these two?",
    ),
)  # fmt: skip


def ask(database_url: str, emails: Sequence[str], *, now: datetime) -> None:
    """Open the demo's cases for whoever of these members has the role. Taken again, it adds nothing."""
    with connect(database_url) as connection:
        if connection.execute("SELECT FROM customer_case LIMIT 1").fetchone():
            return
        for asked in ASKED:
            _open(connection, asked, emails, now=now - timedelta(days=asked.days_ago, hours=4))
        connection.execute(ENTER, (None, None, None))
        connection.execute("UPDATE case_message SET noticed_at = written_at")  # nobody waits for letters about these


def _open(connection: Connection[Any], asked: Asked, emails: Sequence[str], *, now: datetime) -> None:
    row = connection.execute(
        """SELECT membership.member_id, account.account_id, coalesce(staff.name, '') FROM membership
            JOIN member USING (member_id) JOIN account USING (account_id)
            LEFT JOIN staff ON staff.staff_id = account.manager_staff_id
        WHERE member.email = ANY (%s) AND membership.role = %s ORDER BY account.number, member.email LIMIT 1""",
        [list(emails), asked.role.value],
    ).fetchone()
    if row is None:
        return
    member_id, account_id, manager = row
    by = Member(member_id=member_id, account_id=account_id, role=asked.role)
    connection.execute(ENTER, entry(by))
    member = Writer(author_id=f"member:{member_id}", member=by)
    staff = Writer(author_id="client:desk", name=manager)
    draft = CaseDraft(
        account_id=account_id,
        kind=asked.kind,
        subject=asked.subject,
        message=asked.message,
        entry_id=_latest(connection, account_id, "invoice") if asked.about == "invoice" else None,
        order_id=_latest(connection, account_id, "order") if asked.about == "order" else None,
        files=(asked.file,) if asked.file else (),
    )
    case_id = open_case(connection, draft, by=member, moment=_at(now))
    assert isinstance(case_id, UUID), case_id  # noqa: S101 — a case of ours that the room refuses is a fault of ours
    for turn, words in enumerate(asked.thread, start=1):
        writer = staff if turn % 2 else member
        reply(connection, case_id, words, files=(), by=writer, moment=_at(now + timedelta(hours=10 * turn)))
    if asked.is_closed:
        close(connection, case_id, satisfied=True, by=member, moment=_at(now + timedelta(hours=24)))


def _latest(connection: Connection[Any], account_id: UUID, what: str) -> UUID | None:
    statement = (
        "SELECT entry_id FROM ledger_entry WHERE account_id = %s AND kind = 'invoice' AND reverses_entry_id IS NULL"
        " ORDER BY posted_on DESC, entry_id LIMIT 1"
        if what == "invoice"
        else "SELECT order_id FROM sales_order WHERE account_id = %s AND status IN ('shipped', 'delivered')"
        " ORDER BY placed_at DESC, order_id LIMIT 1"
    )
    row = connection.execute(statement, [account_id]).fetchone()
    return row[0] if row else None


def _at(now: datetime) -> Moment:
    return Moment(now=now, today=now.date(), promise=_PROMISE)
