"""Figures, days and instants as each locale writes them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from extranet import texts
from extranet.formats import formats_for
from extranet.svg import meter, stacked_bar
from extranet.texts import ORDER_STATUS, named

NOON = datetime(2026, 7, 21, 12, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("locale", "money", "amount", "day", "instant"),
    [
        ("en", "-€1,234.50", "-1,234.50", "Nov 21, 2026", "Jul 21, 2026, 2:05\u202fPM"),
        ("pl", "-1\xa0234,50\xa0€", "-1\xa0234,50", "21 lis 2026", "21 lip 2026, 14:05"),
        ("pt-PT", "-1\xa0234,50\xa0€", "-1\xa0234,50", "21/11/2026", "21/07/2026, 14:05"),
        ("tlh", "-€1,234.50", "-1,234.50", "Nov 21, 2026", "Jul 21, 2026, 2:05\u202fPM"),
    ],
)
def test_a_member_reads_figures_as_their_locale_writes_them(
    locale: str, money: str, amount: str, day: str, instant: str
) -> None:
    formats = formats_for(locale, "Europe/Warsaw")
    value = Decimal("-1234.50")
    assert formats.money(value, "EUR") == money
    assert formats.amount(value, "EUR") == amount
    assert formats.day(date(2026, 11, 21)) == day
    assert formats.instant(NOON) == instant


@pytest.mark.parametrize(
    ("locale", "zone", "name"),
    [
        ("en", "Europe/Lisbon", "Western European Time (Europe/Lisbon)"),
        ("pl", "Europe/Warsaw", "czas środkowoeuropejski (Europe/Warsaw)"),
        ("en", "UTC", "UTC"),
        ("en", "Mars/Olympus", "UTC"),
    ],
)
def test_the_time_zone_is_named(locale: str, zone: str, name: str) -> None:
    assert formats_for(locale, zone).zone_name == name


@pytest.mark.parametrize(("currency", "amount"), [("EUR", "12.00"), ("JPY", "12"), ("KWD", "12.000")])
def test_an_amount_has_its_currencys_decimals(currency: str, amount: str) -> None:
    assert formats_for("en", "UTC").amount(Decimal(12), currency) == amount


@pytest.mark.parametrize(
    ("value", "text"), [("12.50", "12.5"), ("12.000", "12"), ("1200", "1,200"), ("1E+3", "1,000"), ("0", "0")]
)
def test_a_quantity_has_no_decimals_that_say_nothing(value: str, text: str) -> None:
    assert formats_for("en", "UTC").number(Decimal(value)) == text


def test_an_unknown_constant_is_shown_in_plain_words() -> None:
    assert named(ORDER_STATUS, "PARTLY_SHIPPED") == "Partly shipped"
    assert named(ORDER_STATUS, "HELD_AT_CUSTOMS") == "Held at customs"


def test_a_bar_is_filled_whatever_its_parts() -> None:
    bar = stacked_bar([("a", Decimal(1000000)), ("none", Decimal(0)), ("b", Decimal("0.01")), ("less", Decimal(-5))])
    assert bar == (
        '<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="a" x="0" y="0" width="990" height="10"/><rect class="b" x="994" y="0" width="6" height="10"/></svg>'
    )
    assert '<rect class="track"' in stacked_bar([])


@pytest.mark.parametrize(
    ("used", "limit", "drawn"),
    [
        ("250", "1000", 'class="used" x="0" y="0" width="250"'),
        ("-5", "1000", 'class="used" x="0" y="0" width="0"'),
        ("1001", "1000", 'class="over" x="0" y="0" width="1000"'),
        ("0", "0", 'class="used" x="0" y="0" width="1000"'),
    ],
)
def test_a_meter_shows_what_is_used_of_a_limit(used: str, limit: str, drawn: str) -> None:
    assert drawn in meter(Decimal(used), Decimal(limit))


@pytest.mark.parametrize(
    ("bucket", "first", "last", "name"),
    [
        ("CURRENT", None, 0, "Not yet due"),
        ("DAYS_31_60", 8, 45, "8–45 days"),
        ("OVER_90", 61, None, "Over 60 days"),
        ("DAYS_61_90", None, None, "61–90 days"),
        ("OVER_90", None, None, "Over 90 days"),
    ],
)
def test_an_ageing_bucket_is_called_after_its_days(bucket: str, first: int | None, last: int | None, name: str) -> None:
    assert texts.age(bucket, first, last) == name
