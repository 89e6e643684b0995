"""Which days a statement covers: presets, any from-to, and what to say beside a field that is wrong. Pure.

Dates are the seller's (statement rule 9); `today` is an argument. An open-item statement is as at one date, `to`.
"""

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from extranet.texts import _

EARLIEST: Final = date(1970, 1, 1)
LATEST: Final = date(2199, 12, 31)
MONTHS_A_YEAR: Final = 12
MONTHS_A_QUARTER: Final = 3
_ISO_DATE: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_LONGEST_ECHO: Final = 24
Choice = TypeVar("Choice", bound=StrEnum)


class Kind(StrEnum):
    """Activity in a period with a running balance, or what is owed as at one date."""

    BALANCE_FORWARD = "balance-forward"
    OPEN_ITEM = "open-item"


class Preset(StrEnum):
    """Periods with a name, which move with the days; bookmarks stay true."""

    THIS_MONTH = "this-month"
    LAST_MONTH = "last-month"
    QUARTER = "quarter"
    YEAR = "year"
    FINANCIAL_YEAR = "financial-year"
    LAST_12_MONTHS = "last-12-months"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Days from `first` to `last`, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form holds: texts as typed, the period they mean, or else `problems` by field name."""

    kind: Kind
    preset: Preset | None = None
    first: str = ""
    last: str = ""
    period: Period | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class YearStart:
    """The day on which the seller's financial year begins."""

    month: int = 1
    day: int = 1


def period_of(preset: Preset, today: date, year_start: YearStart = YearStart()) -> Period:
    """The days a preset means on `today`; those not finished end today."""
    match preset:
        case Preset.THIS_MONTH:
            return Period(first=today.replace(day=1), last=today)
        case Preset.LAST_MONTH:
            last = today.replace(day=1) - timedelta(days=1)
            return Period(first=last.replace(day=1), last=last)
        case Preset.QUARTER:
            month = today.month - (today.month - 1) % MONTHS_A_QUARTER
            return Period(first=today.replace(month=month, day=1), last=today)
        case Preset.YEAR:
            return Period(first=today.replace(month=1, day=1), last=today)
        case Preset.FINANCIAL_YEAR:
            first = today.replace(month=year_start.month, day=year_start.day)
            return Period(first=first if first <= today else first.replace(year=today.year - 1), last=today)
        case Preset.LAST_12_MONTHS:
            return Period(first=day_after_year_before(today), last=today)


def day_after_year_before(last: date) -> date:
    """The first of the twelve months that end on `last`; a year before 29 February is the 28th."""
    before = last.replace(year=last.year - 1, day=min(last.day, monthrange(last.year - 1, last.month)[1]))
    return before + timedelta(days=1)


def read_period(
    params: Mapping[str, str],
    today: date,
    year_start: YearStart = YearStart(),
) -> Asked:
    """What `kind`, `period`, `from` and `to` of a query mean on `today`.

    Dates that are given win over a preset. Without either: the last twelve months (open-item: today).
    """
    problems: dict[str, str] = {}
    kind = _read_choice(Kind, params.get("kind", ""), Kind.BALANCE_FORWARD, "kind", problems)
    first_text, last_text = params.get("from", "").strip(), params.get("to", "").strip()
    if kind is Kind.OPEN_ITEM:
        first_text = ""
    preset = None
    if not first_text and not last_text:
        preset = _read_choice(Preset, params.get("period", ""), Preset.LAST_12_MONTHS, "period", problems)
    if problems:
        return Asked(kind=kind, first=first_text, last=last_text, problems=problems)
    if preset:
        period = period_of(preset, today, year_start)
        return Asked(
            kind=kind, preset=preset, first=period.first.isoformat(), last=period.last.isoformat(), period=period
        )
    last = read_day(last_text, "to", problems) if last_text else today
    first = (
        read_day(first_text, "from", problems) if first_text else last and max(EARLIEST, day_after_year_before(last))
    )
    if first and last and first > last:
        problems["from"] = _("This is after the end date, %(last)s.") % {"last": last.isoformat()}
    if problems or first is None or last is None:
        return Asked(kind=kind, first=first_text, last=last_text, problems=problems)
    return Asked(kind=kind, first=first.isoformat(), last=last.isoformat(), period=Period(first=first, last=last))


def read_day(text: str, name: str, problems: dict[str, str]) -> date | None:
    """The day an ISO text names; None and an entry in `problems` when it names none."""
    shown = text if len(text) <= _LONGEST_ECHO else text[:_LONGEST_ECHO] + "…"
    match = _ISO_DATE.fullmatch(text)
    if not match:
        problems[name] = _("“%(text)s” is not a date. Write it as 2026-01-31: year, month, day.") % {"text": shown}
        return None
    year, month, day = (int(part) for part in match.groups())
    if not 1 <= month <= MONTHS_A_YEAR:
        problems[name] = _("“%(text)s” is not a date: there is no month %(month)d.") % {"text": shown, "month": month}
        return None
    if not EARLIEST.year <= year <= LATEST.year:
        problems[name] = _("Give a year from %(first)d to %(last)d.") % {"first": EARLIEST.year, "last": LATEST.year}
        return None
    days = monthrange(year, month)[1]
    if not 1 <= day <= days:
        problems[name] = _("“%(text)s” is not a date: that month has %(days)d days.") % {"text": shown, "days": days}
        return None
    return date(year, month, day)


def _read_choice(choices: type[Choice], text: str, default: Choice, name: str, problems: dict[str, str]) -> Choice:
    if not text:
        return default
    try:
        return choices(text)
    except ValueError:
        problems[name] = _("Choose one of: %(choices)s.") % {"choices": ", ".join(choices)}
        return default
