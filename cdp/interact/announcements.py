"""Announcements: what the company tells clients on their home pages, and that a member put one away."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from cdp.db.statements import load_statements
from cdp.errors import Mistake

LONGEST_TITLE: Final = 120
LONGEST_BODY: Final = 2_000
_SQL: Final = load_statements("cdp.interact", "announcements.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What is told, to whom: an account, a tier, or everybody where both are None; until the end of `ends_on`, or withdrawn."""

    title: str
    body: str
    account_id: UUID | None
    tier: str | None
    ends_on: date | None
    written_by: str


def publish(connection: Connection[Any], told: Announcement) -> UUID | Mistake:
    """Tell it from now on; its id."""
    for field, text, most in (("title", told.title, LONGEST_TITLE), ("body", told.body, LONGEST_BODY)):
        if not text.strip() or len(text) > most or "\0" in text:
            return Mistake(code="text_invalid", message=f"1 to {most} characters.", field=(field,))
    values = {
        "title": told.title.strip(),
        "body": told.body.strip(),
        "tier": told.tier,
        "account_id": told.account_id,
        "written_by": told.written_by,
        "ends_on": told.ends_on,
    }
    row = connection.execute(_SQL["publish"], values).fetchone()
    if row is None:
        return Mistake(code="account_not_found", message="There is no such account.", field=("accountId",))
    made: UUID = row[0]
    return made


def withdraw(connection: Connection[Any], announcement_id: UUID) -> Mistake | None:
    """Tell it no more. The same again is harmless."""
    if connection.execute(_SQL["withdraw"], {"announcement_id": announcement_id}).fetchone() is None:
        return Mistake(
            code="announcement_not_found", message="There is no such announcement.", field=("announcementId",)
        )
    return None


def put_away(connection: Connection[Any], announcement_id: UUID, *, member_id: UUID) -> None:
    """Note that a member read it, as the portal's role; what isn't for them is passed over."""
    connection.execute(_SQL["put_away"], {"announcement_id": announcement_id, "member_id": member_id})
