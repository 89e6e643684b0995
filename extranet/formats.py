"""Numbers, amounts, days and instants as the member's locale writes them (CLDR, by babel).

A page gets one `Formats` and formats nothing itself. Days are the seller's accounting dates and are shown as they are; instants
are shown in the member's time zone, which is named (statement rule 9).
"""

from copy import copy
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_timezone_name
from babel.numbers import NumberPattern, format_currency, get_currency_name, get_currency_precision

from cdp.languages import formats_of

FALLBACK_LOCALE: Final = "en"
FALLBACK_TIME_ZONE: Final = "UTC"

# Babel has no name in words for these.
_UNIVERSAL: Final = frozenset({"UTC", "Etc/UTC", "Zulu", "Universal", "UCT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """How one member reads figures and dates."""

    locale: Locale
    time_zone: ZoneInfo

    @property
    def zone_name(self) -> str:
        """The time zone in words, such as `Western European Time (Europe/Lisbon)`."""
        if self.time_zone.key in _UNIVERSAL:
            return self.time_zone.key
        return f"{get_timezone_name(self.time_zone, locale=self.locale)} ({self.time_zone.key})"

    def money(self, amount: Decimal, currency: str) -> str:
        """An amount with its currency's sign, at the currency's own number of decimals."""
        return format_currency(amount, currency, locale=self.locale)

    def amount(self, amount: Decimal, currency: str) -> str:
        """An amount without the sign, for columns whose heading names the currency."""
        return self._plain(amount, get_currency_precision(currency))

    def currency_name(self, currency: str) -> str:
        """The currency in words, such as `Euro`."""
        return get_currency_name(currency, locale=self.locale)

    def number(self, value: Decimal | int) -> str:
        """A count or a quantity, without decimals that say nothing."""
        exact = Decimal(value).normalize()
        return self._plain(exact, max(0, -int(exact.as_tuple().exponent)))

    def day(self, day: date) -> str:
        """A day, such as `Nov 21, 2026`."""
        return _day(day, self.locale)

    def instant(self, at: datetime) -> str:
        """An instant to the minute in the member's time zone, which the page names once: `Nov 21, 2026, 2:05 PM`."""
        return f"{self.day_of(at)}, {format_time(at, 'short', tzinfo=self.time_zone, locale=self.locale)}"

    def day_of(self, at: datetime) -> str:
        """The day an instant falls on in the member's time zone."""
        return self.day(at.astimezone(self.time_zone).date())

    def _plain(self, value: Decimal, decimals: int) -> str:
        return str(_pattern(decimals, self.locale).apply(value, self.locale))


def formats_for(locale: str, time_zone: str) -> Formats:
    """Formats of a member; an unknown locale or zone falls back to English and UTC rather than fail a page."""
    try:
        known_locale = Locale.parse(formats_of(locale).replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        known_locale = Locale.parse(FALLBACK_LOCALE)
    try:
        known_zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        known_zone = ZoneInfo(FALLBACK_TIME_ZONE)
    return Formats(locale=known_locale, time_zone=known_zone)


# A statement shows some hundred days, and each of its figures has as many decimals as the others.


@lru_cache(maxsize=4_096)
def _day(day: date, locale: Locale) -> str:
    return format_date(day, "medium", locale=locale)


@lru_cache(maxsize=256)
def _pattern(decimals: int, locale: Locale) -> NumberPattern:
    pattern: NumberPattern = copy(locale.decimal_formats[None])
    pattern.frac_prec = (decimals, decimals)
    return pattern
