"""Which days a preset or a pair of dates means, on any day of the calendar."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extranet.periods import Kind, Period, Preset, YearStart, period_of, read_period

NOVEMBER = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("preset", "today", "first", "last"),
    [
        (Preset.THIS_MONTH, NOVEMBER, "2026-11-01", "2026-11-21"),
        (Preset.LAST_MONTH, NOVEMBER, "2026-10-01", "2026-10-31"),
        (Preset.LAST_MONTH, date(2026, 1, 31), "2025-12-01", "2025-12-31"),
        (Preset.LAST_MONTH, date(2024, 3, 31), "2024-02-01", "2024-02-29"),
        (Preset.QUARTER, NOVEMBER, "2026-10-01", "2026-11-21"),
        (Preset.QUARTER, date(2026, 3, 31), "2026-01-01", "2026-03-31"),
        (Preset.YEAR, NOVEMBER, "2026-01-01", "2026-11-21"),
        (Preset.FINANCIAL_YEAR, NOVEMBER, "2026-01-01", "2026-11-21"),
        (Preset.LAST_12_MONTHS, NOVEMBER, "2025-11-22", "2026-11-21"),
        (Preset.LAST_12_MONTHS, date(2024, 2, 29), "2023-03-01", "2024-02-29"),
        (Preset.LAST_12_MONTHS, date(2025, 2, 28), "2024-02-29", "2025-02-28"),
    ],
)
def test_a_preset_means_these_days(preset: Preset, today: date, first: str, last: str) -> None:
    assert period_of(preset, today) == Period(first=date.fromisoformat(first), last=date.fromisoformat(last))


@pytest.mark.parametrize(
    ("today", "first"),
    [
        ("2026-03-31", "2025-04-01"),
        ("2026-04-01", "2026-04-01"),
        ("2024-02-29", "2023-04-01"),
        ("2026-11-21", "2026-04-01"),
    ],
)
def test_a_financial_year_begins_when_the_sellers_does(today: str, first: str) -> None:
    found = period_of(Preset.FINANCIAL_YEAR, date.fromisoformat(today), YearStart(month=4, day=1))
    assert found == Period(first=date.fromisoformat(first), last=date.fromisoformat(today))


@given(preset=st.sampled_from(Preset), today=st.dates(date(1972, 1, 1), date(2199, 12, 31)))
def test_no_preset_ends_after_today_or_before_it_begins(preset: Preset, today: date) -> None:
    period = period_of(preset, today)
    assert period.first <= period.last <= today


@pytest.mark.parametrize(
    ("query", "kind", "preset", "first", "last"),
    [
        ({}, Kind.BALANCE_FORWARD, Preset.LAST_12_MONTHS, "2025-11-22", "2026-11-21"),
        ({"kind": "open-item"}, Kind.OPEN_ITEM, Preset.LAST_12_MONTHS, "2025-11-22", "2026-11-21"),
        ({"period": "last-month"}, Kind.BALANCE_FORWARD, Preset.LAST_MONTH, "2026-10-01", "2026-10-31"),
        ({"period": "decade", "from": "2026-01-01"}, Kind.BALANCE_FORWARD, None, "2026-01-01", "2026-11-21"),
        ({"from": " 2026-01-01 ", "to": "2026-01-31"}, Kind.BALANCE_FORWARD, None, "2026-01-01", "2026-01-31"),
        ({"to": "2024-02-29"}, Kind.BALANCE_FORWARD, None, "2023-03-01", "2024-02-29"),
        ({"to": "1970-01-01"}, Kind.BALANCE_FORWARD, None, "1970-01-01", "1970-01-01"),
        (
            {"kind": "open-item", "from": "nonsense", "to": "2026-06-30"},
            Kind.OPEN_ITEM,
            None,
            "2025-07-01",
            "2026-06-30",
        ),
        ({"from": "2026-12-01", "to": "2026-12-31"}, Kind.BALANCE_FORWARD, None, "2026-12-01", "2026-12-31"),
    ],
)
def test_a_query_means_these_days(
    query: dict[str, str], kind: Kind, preset: Preset | None, first: str, last: str
) -> None:
    asked = read_period(query, NOVEMBER)
    assert (asked.kind, asked.preset, asked.problems) == (kind, preset, {})
    assert asked.period == Period(first=date.fromisoformat(first), last=date.fromisoformat(last))
    assert (asked.first, asked.last) == (first, last)


@given(
    query=st.dictionaries(
        st.sampled_from(["kind", "period", "from", "to"]),
        st.one_of(
            st.text(max_size=30), st.from_regex(r"\d{4}-\d{2}-\d{2}", fullmatch=True), st.sampled_from([*Kind, *Preset])
        ),
    )
)
def test_any_query_means_a_period_or_says_what_is_wrong(query: dict[str, str]) -> None:
    asked = read_period(query, NOVEMBER)
    assert (asked.period is None) == bool(asked.problems)
    if asked.period:
        assert asked.period.first <= asked.period.last
