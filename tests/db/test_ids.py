"""Ids that follow from what they name."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from cdp.db.ids import id_of, time_ordered_id

SHOP, TILL = UUID(int=1), UUID(int=2)
AT = datetime(2026, 3, 1, 10, tzinfo=UTC)


def test_the_same_told_at_the_same_time_has_the_same_id_and_nothing_else_has() -> None:
    made = [id_of(source, name, at) for source in (SHOP, TILL) for name in ("m1", "m2") for at in (AT, _later(1))]
    again = [id_of(source, name, at) for source in (SHOP, TILL) for name in ("m1", "m2") for at in (AT, _later(1))]
    assert made == again
    assert len(set(made)) == len(made)


def test_it_is_a_version_7_uuid_of_that_time_and_sorts_by_it_to_the_microsecond() -> None:
    made = [id_of(SHOP, f"m{number % 7}", _later(number)) for number in range(3_000)]
    assert {(one.version, one.variant) for one in made} == {(7, time_ordered_id().variant)}
    assert [one.int >> 80 for one in (made[0], made[-1])] == [1_772_359_200_000, 1_772_359_200_002]
    assert made == sorted(made)


def _later(microseconds: int) -> datetime:
    return AT + timedelta(microseconds=microseconds)
