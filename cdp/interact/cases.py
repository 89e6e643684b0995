"""Cases: what a client asks of us, and how it goes on until it is closed.

The thread only grows; what follows from a message (state, promised answer, dispute, the contact in the customer's conversation)
is done in the same transaction, by the database (`case_message_told`), for members and staff alike. As a member's work this
runs in the portal's role, whose policies are the second wall.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from psycopg import Connection

from cdp.access.viewer import Member
from cdp.db.ids import time_ordered_id
from cdp.db.locks import hold_customers_shared
from cdp.db.statements import load_statements
from cdp.errors import Mistake
from cdp.interact.case_files import MOST_FILES, CheckedFile, GivenFile, check_file

CaseKind = Literal["question", "invoice_query", "complaint", "return", "reorder", "details"]
LONGEST_SUBJECT: Final = 150
LONGEST_MESSAGE: Final = 10_000
MOST_MESSAGES: Final = 500
MOST_OPENED_A_DAY: Final = 50
"""Cases that one member may open in 24 hours."""
_SQL: Final = load_statements("cdp.interact", "cases.sql")

NO_CASE: Final = Mistake(
    code="case_not_found", message="There is no such case, or it is not yours to see.", field=("id",)
)
NOTHING_TO_NAME: Final = Mistake(
    code="about_not_found", message="There is no such account, invoice or order, or it is not yours to see."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes: a member, or a tool, with the subject of the staff person it acts for. `author_id` is on record.

    `name`: what a tool is called that acts for nobody whom we know by a subject.
    """

    author_id: str
    member: Member | None = None
    subject: str | None = None
    name: str = ""

    @property
    def author(self) -> str:
        """Member or staff."""
        return "member" if self.member else "staff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Hours until an answer, by the account's tier."""

    standard_hours: int
    key_hours: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When it is: the instant, the seller's day, and what is promised."""

    now: datetime
    today: date
    promise: Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDraft:
    """A case about to be opened. `is_dispute`: it contests the entry it is about, which is marked until the case is closed."""

    account_id: UUID
    kind: CaseKind
    subject: str
    message: str
    entry_id: UUID | None = None
    order_id: UUID | None = None
    is_dispute: bool = False
    files: Sequence[GivenFile] = ()


def open_case(connection: Connection[Any], draft: CaseDraft, *, by: Writer, moment: Moment) -> UUID | Mistake:
    """Open a case with its first message, under the account's next number; its id, or why not."""
    files = _checked(draft.files)
    if isinstance(files, Mistake):
        return files
    wrong = _unfit_text(draft.subject, "subject", LONGEST_SUBJECT) or _unfit_text(
        draft.message, "message", LONGEST_MESSAGE
    )
    if wrong is None and draft.is_dispute and draft.entry_id is None:
        wrong = Mistake(code="dispute_about_nothing", message="Say which invoice is contested.", field=("entryId",))
    if wrong is not None:
        return wrong
    hold_customers_shared(connection)
    own = {"account_id": draft.account_id, "member_id": by.member.member_id if by.member else None}
    if (
        by.member
        and _one(connection, "opened_lately", since=moment.now - timedelta(days=1), **own) >= MOST_OPENED_A_DAY
    ):
        return Mistake(code="too_many_cases", message=f"At most {MOST_OPENED_A_DAY} cases a day.")
    number = _one(connection, "next_number_of_own" if by.member else "next_number", **own)
    case_id, name = time_ordered_id(), _name(connection, by)
    given = {
        **own,
        "case_id": case_id,
        "number": number,
        "kind": draft.kind,
        "subject": draft.subject.strip(),
        "entry_id": draft.entry_id,
        "order_id": draft.order_id,
        "is_dispute": draft.is_dispute,
        "author_id": by.author_id,
        "author_name": name,
        "sites": _sites(by),
        "now": moment.now,
    }
    row = connection.execute(_SQL["open_case"], given).fetchone()
    if row is None:
        return NOTHING_TO_NAME
    home = _Home(customer_id=row[0], account_id=draft.account_id, case_id=case_id)
    _add(connection, home, by, moment, name=name, body=draft.message.strip(), files=files)
    return case_id


def reply(
    connection: Connection[Any], case_id: UUID, message: str, *, files: Sequence[GivenFile], by: Writer, moment: Moment
) -> UUID | Mistake:
    """Add a message; a closed case is open again. The case's id, or why not."""
    checked = _checked(files)
    if isinstance(checked, Mistake):
        return checked
    wrong = _unfit_text(message, "message", LONGEST_MESSAGE)
    if wrong is not None:
        return wrong
    found = _find(connection, case_id, by)
    if isinstance(found, Mistake):
        return found
    if found.messages >= MOST_MESSAGES:
        return Mistake(code="case_full", message=f"A case holds {MOST_MESSAGES} messages; open another.")
    _add(connection, found, by, moment, name=_name(connection, by), body=message.strip(), files=checked)
    return case_id


def close(
    connection: Connection[Any], case_id: UUID, *, satisfied: bool | None, by: Writer, moment: Moment
) -> UUID | Mistake:
    """Close a case; closing a closed one changes nothing. The case's id, or why not."""
    found = _find(connection, case_id, by)
    if isinstance(found, Mistake):
        return found
    if found.status != "closed":
        name = _name(connection, by)
        _add(connection, found, by, moment, name=name, event="closed", satisfied=satisfied if by.member else None)
    return case_id


def assign(connection: Connection[Any], case_id: UUID, email: str, *, by: Writer, moment: Moment) -> UUID | Mistake:
    """Hand a case to somebody of the staff, by e-mail; the thread tells. The case's id, or why not."""
    found = _find(connection, case_id, by)
    if isinstance(found, Mistake):
        return found
    staff = connection.execute(_SQL["staff_by_email"], {"email": email}).fetchone()
    if staff is None:
        return Mistake(code="staff_not_found", message="Nobody of the staff has this e-mail address.", field=("email",))
    given = {"customer_id": found.customer_id, "case_id": case_id, "staff_id": staff[0]}
    if connection.execute(_SQL["assign"], given).fetchone():
        _add(connection, found, by, moment, name=_name(connection, by), event="assigned", body=staff[1])
    return case_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Home:
    customer_id: UUID
    account_id: UUID
    case_id: UUID
    status: str = "open"
    messages: int = 0


def _find(connection: Connection[Any], case_id: UUID, by: Writer) -> _Home | Mistake:
    hold_customers_shared(connection)
    me = by.member
    given = {
        "case_id": case_id,
        "role": me.role.value if me else None,
        "account_id": me.account_id if me else None,
        "member_id": me.member_id if me else None,
        "sites": _sites(by),
    }
    row = connection.execute(_SQL["find_case"], given).fetchone()
    if row is None:
        return NO_CASE
    customer_id, account_id, status, messages = row
    return _Home(customer_id=customer_id, account_id=account_id, case_id=case_id, status=status, messages=messages)


def _sites(by: Writer) -> list[str] | None:
    """Sites that a member is limited to; None for whoever sees every one."""
    return None if by.member is None or by.member.sites is None else list(by.member.sites)


def _add(
    connection: Connection[Any],
    home: _Home,
    by: Writer,
    moment: Moment,
    *,
    name: str,
    event: str = "message",
    body: str = "",
    satisfied: bool | None = None,
    files: Sequence[CheckedFile] = (),
) -> None:
    where = {"customer_id": home.customer_id, "account_id": home.account_id, "case_id": home.case_id}
    message = {
        **where,
        "message_id": time_ordered_id(),
        "event": event,
        "author": by.author,
        "author_id": by.author_id,
        "author_name": name,
        "body": body,
        "satisfied": satisfied,
        "now": moment.now,
    }
    connection.execute(_SQL["add_message"], message)
    if files:
        kept = {
            **where,
            "message_id": message["message_id"],
            "names": [one.name for one in files],
            "media_types": [one.media_type for one in files],
            "contents": [one.content for one in files],
        }
        connection.execute(_SQL["add_files"], kept)
    told = {
        "message_id": message["message_id"],
        "today": moment.today,
        "hours_standard": moment.promise.standard_hours,
        "hours_key": moment.promise.key_hours,
    }
    connection.execute(_SQL["told_of_own" if by.member else "told"], told)


def _checked(files: Sequence[GivenFile]) -> list[CheckedFile] | Mistake:
    if len(files) > MOST_FILES:
        return Mistake(code="too_many_files", message=f"At most {MOST_FILES} files a message.", field=("files",))
    checked: list[CheckedFile] = []
    for place, given in enumerate(files):
        one = check_file(given)
        if isinstance(one, Mistake):
            return Mistake(code=one.code, message=one.message, field=("files", str(place)))
        checked.append(one)
    return checked


def _unfit_text(text: str, field: str, most: int) -> Mistake | None:
    if not text.strip():
        return Mistake(code="text_missing", message="Is required.", field=(field,))
    if len(text) > most or "\0" in text:
        return Mistake(code="text_invalid", message=f"At most {most} characters, none of them U+0000.", field=(field,))
    return None


def _name(connection: Connection[Any], by: Writer) -> str:
    """What the writer is called; empty for a tool that acts for nobody whom we know."""
    if by.member:
        return str(_one(connection, "name_of_member", member_id=by.member.member_id) or "")
    return str(_one(connection, "name_of_staff", subject=by.subject) or by.name) if by.subject else by.name


def _one(connection: Connection[Any], statement: str, **given: Any) -> Any:
    row = connection.execute(_SQL[statement], given).fetchone()
    return None if row is None else row[0]
