"""Administering the company's staff. Synchronous, in the caller's transaction; every change is on record."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from psycopg import Connection
from psycopg.rows import dict_row

from cdp.access.audit import Actor, record
from cdp.db.ids import format_id
from cdp.db.statements import load_statements
from cdp.errors import Mistake

LONGEST_TEXT: Final = 200
MOST_LISTED: Final = 1_000
_SQL: Final = load_statements("cdp.access", "managing.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffDetails:
    """What clients are told of somebody: their account manager."""

    name: str
    title: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Days away, the last included, by the seller's date, and who stands in meanwhile."""

    from_on: date
    to_on: date
    deputy_id: UUID


class StaffDesk:
    """Where staff are administered by `actor`."""

    def __init__(self, connection: Connection[Any], actor: Actor) -> None:
        self._connection = connection
        self._actor = actor

    def add(self, email: str, details: StaffDetails, *, issuer: str, subject: str | None) -> UUID | Mistake:
        """Somebody new. `subject`: whom the issuer calls so may let tools act for them."""
        wrong = _wrong(details, subject=subject)
        if wrong:
            return wrong
        try:
            checked = validate_email(email, check_deliverability=False)
        except EmailNotValidError:
            return Mistake(code="email_invalid", message="This is no e-mail address.", field=("email",))
        row = self._row(
            "add_staff",
            email=checked.normalized,
            name=details.name,
            title=details.title,
            phone=details.phone,
            issuer=issuer if subject else None,
            subject=subject,
        )
        if row is None:
            message = "Somebody of the staff has this e-mail or signs in with this subject already."
            return Mistake(code="staff_exists", message=message, field=("email",))
        staff_id: UUID = row["staff_id"]
        self._note("staff_added", staff_id, signs_in=subject is not None)
        return staff_id

    def change(self, staff_id: UUID, details: StaffDetails) -> UUID | Mistake:
        """Other details of somebody."""
        before = self._person(staff_id)
        wrong = before if isinstance(before, Mistake) else _wrong(details)
        if wrong:
            return wrong
        values = {"staff_id": staff_id, "name": details.name, "title": details.title, "phone": details.phone}
        self._connection.execute(_SQL["change_staff"], values)
        self._note("staff_changed", staff_id)
        return staff_id

    def disable(self, staff_id: UUID) -> UUID | Mistake:
        """Somebody left: no tool may act for them any more; their sessions at the embedded issuer end, and tokens with them."""
        before = self._person(staff_id)
        if isinstance(before, Mistake):
            return before
        self._connection.execute(_SQL["disable_staff"], {"staff_id": staff_id, "is_disabled": True})
        if before["subject"]:
            self._connection.execute(_SQL["end_issuer_sessions"], {"subject": before["subject"]})
        if not before["is_disabled"]:
            self._note("staff_disabled", staff_id)
        return staff_id

    def enable(self, staff_id: UUID) -> UUID | Mistake:
        """Somebody came back."""
        before = self._person(staff_id)
        if isinstance(before, Mistake):
            return before
        self._connection.execute(_SQL["disable_staff"], {"staff_id": staff_id, "is_disabled": False})
        if before["is_disabled"]:
            self._note("staff_enabled", staff_id)
        return staff_id

    def set_absence(self, staff_id: UUID, absence: Absence | None) -> UUID | Mistake:
        """Say when somebody is away and who stands in, in place of what was said before; None: they are back."""
        before = self._person(staff_id)
        if isinstance(before, Mistake):
            return before
        if absence is None:
            given: dict[str, Any] = {"from_on": None, "to_on": None, "deputy_id": None}
        else:
            deputy = self._row("staff_person", staff_id=absence.deputy_id)
            if deputy is None or deputy["is_disabled"] or absence.deputy_id == staff_id:
                message = "Somebody else, who is still with the company, stands in."
                return Mistake(code="deputy_unfit", message=message, field=("deputyId",))
            if absence.from_on > absence.to_on:
                message = "The first day away comes after the last."
                return Mistake(code="period_backwards", message=message, field=("from",))
            given = {"from_on": absence.from_on, "to_on": absence.to_on, "deputy_id": absence.deputy_id}
        self._connection.execute(_SQL["set_absence"], {"staff_id": staff_id, **given})
        if absence is None:
            self._note("staff_absence_ended", staff_id)
        else:
            days = {"from": absence.from_on.isoformat(), "to": absence.to_on.isoformat()}
            self._note("staff_absence_set", staff_id, **days, deputy=format_id("stf", absence.deputy_id))
        return staff_id

    def _person(self, staff_id: UUID) -> dict[str, Any] | Mistake:
        found = self._row("staff_person", staff_id=staff_id)
        return found or Mistake(code="staff_not_found", message="There is nobody of this id.", field=("staffId",))

    def _row(self, statement: str, **values: object) -> dict[str, Any] | None:
        with self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(_SQL[statement], values).fetchone()

    def _note(self, event: str, staff_id: UUID, **details: Any) -> None:
        record(self._connection, self._actor.did(event, format_id("stf", staff_id), **details))


def staff_by_email(connection: Connection[Any], email: str) -> UUID | None:
    """Somebody of the staff, by e-mail."""
    row = connection.execute(_SQL["staff_by_email"], {"email": email.strip()}).fetchone()
    return None if row is None else row[0]


def list_staff(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """Rows of `staff_people`, at most `MOST_LISTED`."""
    return connection.execute(_SQL["staff_people"], {"most": MOST_LISTED}).fetchall()


def _wrong(details: StaffDetails, *, subject: str | None = None) -> Mistake | None:
    texts = {"name": details.name, "title": details.title, "phone": details.phone, "subject": subject}
    for name, text in texts.items():
        if text is not None and (not text.strip() or len(text) > LONGEST_TEXT or not text.isprintable()):
            return Mistake(code="text_invalid", message=f"1 to {LONGEST_TEXT} printable characters.", field=(name,))
    return None
