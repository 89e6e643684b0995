"""What members want to be told, how and how often, and what they consented to: the customer decides (permission marketing).

Senders ask `letter_choices` for many pairs of member and topic at once, and `LetterChoice.send_at` when one letter may go.
Consents are only ever added: what was shown, in which language and wording, when, how and by whom.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from psycopg import Connection
from psycopg.rows import class_row

from cdp.db.statements import load_statements
from cdp.errors import Mistake
from cdp.languages import LANGUAGES

MORNING: Final = time(8)
"""When collected letters go, by the reader's own clock."""
LONGEST_WORDING: Final = 4_000
LONGEST_PAUSE_DAYS: Final = 366
_SQL: Final = load_statements("cdp.interact", "preferences.sql")


class Frequency(StrEnum):
    """How often somebody wants letters about a topic."""

    AT_ONCE = "at_once"
    DAILY = "daily"
    WEEKLY = "weekly"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterChoice:
    """What a member chose about letters on a topic, and how to write to them. `paused_until`: none before that day.

    `is_permitted`: nobody need consent to it, or they did.
    """

    member_id: UUID
    topic: str
    email: str
    name: str
    locale: str
    time_zone: str
    frequency: str
    paused_until: date | None
    is_permitted: bool

    def send_at(self, now: datetime) -> datetime | None:
        """When a letter that is due now may go: now, with the next collection, after a pause; None: not at all.

        Collections go at eight in the morning by their clock, weekly ones on Mondays.
        """
        frequency = Frequency(self.frequency)
        if frequency is Frequency.NEVER or not self.is_permitted:
            return None
        here = now.astimezone(ZoneInfo(self.time_zone))
        first = self._morning(self.paused_until) if self.paused_until and self.paused_until > here.date() else None
        if frequency is Frequency.AT_ONCE:
            return first or now
        morning = first or self._morning(here.date())
        if morning < now:
            morning = self._morning(morning.date() + timedelta(days=1))
        if frequency is Frequency.WEEKLY:
            morning = self._morning(morning.date() + timedelta(days=-morning.weekday() % 7))
        return morning

    def _morning(self, day: date) -> datetime:
        return datetime.combine(day, MORNING, ZoneInfo(self.time_zone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """How often about what, by which channel."""

    topic: str
    channel: str
    frequency: Frequency


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """A member grants or withdraws consent to a purpose, having read `wording`."""

    purpose: str
    is_granted: bool
    wording_version: str
    wording: str
    language: str


def letter_choices(
    connection: Connection[Any], wanted: Collection[tuple[UUID, str]]
) -> dict[tuple[UUID, str], LetterChoice]:
    """The choices of members on topics; pairs of members who may not sign in, and of unknown topics, are left out."""
    values = {"members": [member for member, _ in wanted], "topics": [topic for _, topic in wanted]}
    with connection.cursor(row_factory=class_row(LetterChoice)) as cursor:
        rows = cursor.execute(_SQL["letter_choices"], values).fetchall()
    return {(row.member_id, row.topic): row for row in rows}


def save_preferences(
    connection: Connection[Any],
    choices: Sequence[Choice],
    *,
    paused_until: date | None,
    language: str,
    time_zone: str,
    today: date,
) -> Mistake | None:
    """Save the current member's preferences, as the portal's role; topics and channels that there are not are passed over."""
    if language not in LANGUAGES:
        return Mistake(code="language_unknown", message="There are no texts in this language.", field=("language",))
    if time_zone not in available_timezones():
        return Mistake(
            code="time_zone_unknown",
            message="There is no such IANA time zone, such as Europe/Lisbon.",
            field=("timeZone",),
        )
    if paused_until is not None and not today < paused_until <= today + timedelta(days=LONGEST_PAUSE_DAYS):
        message = f"A pause ends on a day to come, at most {LONGEST_PAUSE_DAYS} days away."
        return Mistake(code="pause_invalid", message=message, field=("pausedUntil",))
    values = {
        "topics": [each.topic for each in choices],
        "channels": [each.channel for each in choices],
        "frequencies": [each.frequency.value for each in choices],
        "until": paused_until,
        "locale": language,
        "time_zone": time_zone,
    }
    row = connection.execute(_SQL["save"], values).fetchone()
    if row is None or not row[0]:
        return Mistake(code="member_not_found", message="There is no such member.")
    return None


def record_consent(connection: Connection[Any], member_id: UUID, saying: Saying) -> Mistake | None:
    """Append what a member says, as the portal's role."""
    if not saying.wording.strip() or len(saying.wording) > LONGEST_WORDING or "\0" in saying.wording:
        message = f"The wording that was shown has 1 to {LONGEST_WORDING} characters."
        return Mistake(code="text_invalid", message=message, field=("wording",))
    connection.execute(
        _SQL["record_consent"],
        {
            "member_id": member_id,
            "purpose": saying.purpose,
            "is_granted": saying.is_granted,
            "wording_version": saying.wording_version,
            "wording": saying.wording,
            "language": saying.language,
        },
    )
    return None
