"""What people type becomes comparable, and what so many share that it says nothing is passed over."""

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from cdp.identify.matching.learning import calibrate, probability
from cdp.identify.matching.models import MODELS
from cdp.identify.matching.preparing import PAIRS_PER_RECORD, _define, prepare

PERSON = (
    "record BIGINT, source INTEGER, id VARCHAR, name VARCHAR, given_name VARCHAR, family_name VARCHAR, date_of_birth VARCHAR, \
national_id VARCHAR, email VARCHAR, phone VARCHAR, street VARCHAR, house_number VARCHAR, address_extra VARCHAR, city VARCHAR, \
postcode VARCHAR"
)


@pytest.fixture
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        _define(connection)
        yield connection


@pytest.mark.parametrize(
    ("function", "given", "becomes"),
    [
        ("plain", "  Goodwin-St. ", "goodwinst"),
        ("plain", "José Ángel", "joseangel"),
        ("plain", "Ольга", "ольга"),
        ("plain", "N/A", "na"),  # a family name in Korea; a placeholder only as "not available"
        ("plain", "Unknown", None),
        ("plain", " - ", None),
        ("code", "DE 811 907 980", "de811907980"),
        ("code", "0000000", None),
        ("telephone", "+34 600 11 22 33", "600112233"),
        ("telephone", "0034 600112233", "600112233"),
        ("telephone", "112", None),
        ("mailbox", " Ana@Example.com ", "ana@example.com"),
        ("mailbox", "none@none.com", None),
        ("mailbox", "no mail", None),
        ("day", "1980-04-02", "19800402"),
        ("day", "1980-04-02T00:00:00Z", "19800402"),
        ("day", "19800402", "19800402"),
        ("day", "2.4.1980", "19800402"),
        ("day", "02/04/1980", "19800402"),
        ("day", "04/22/1980", "19800422"),
        ("day", "1900-01-01", None),
        ("given_part", "Ana María García", "Ana María"),
        ("family_part", "García, Ana María", "García"),
        ("company", "Müller & Söhne GmbH & Co. KG", "mullersohne"),
        ("company", "Construcciones Díaz, S.L.", "construccionesdiaz"),
        ("company", "SE", "se"),
        ("domain_of", "https://www.Example.com/start?x", "example.com"),
        ("domain_of", "shop.example.com", "shop.example.com"),
    ],
)
def test_values_become_comparable(
    duck: duckdb.DuckDBPyConnection, function: str, given: str, becomes: str | None
) -> None:
    assert duck.execute(f"SELECT {function}(?)", [given]).fetchall() == [(becomes,)]


def _people(duck: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]]) -> None:
    duck.execute(f"CREATE TABLE given ({PERSON})")
    for number, row in enumerate(rows, start=1):
        names = ", ".join(row)
        marks = ", ".join("?" for _ in row)
        duck.execute(
            f"INSERT INTO given (record, source, id, {names}) VALUES (?, 0, ?, {marks})",
            [number, str(number), *row.values()],
        )


def test_a_value_that_too_many_share_is_passed_over_and_told(duck: duckdb.DuckDBPyConnection) -> None:
    crowd = [{"phone": "900 100 200", "name": f"Person{number} Nobody{number}"} for number in range(30)]
    twins = [{"phone": "600 700 800", "name": "Ana García"}, {"phone": "600 700 800", "name": "Ana Garcia"}]
    _people(duck, [*crowd, *twins])
    prepared = prepare(duck, MODELS["person"], "person")
    phone = next(one for one in prepared.rules if one.rule.columns == ("phone",))
    assert PAIRS_PER_RECORD * 32 < 30 * 29 / 2
    assert (phone.pairs, phone.left_out) == (1, 30)
    assert duck.execute(f"SELECT count({phone.column}) FROM record").fetchall() == [(2,)]


def test_only_what_somebody_tells_is_compared(duck: duckdb.DuckDBPyConnection) -> None:
    _people(duck, [{"name": "Ana García", "date_of_birth": "1980-04-02", "city": "unknown"}, {"name": "Ana Garcia"}])
    prepared = prepare(duck, MODELS["person"], "person")
    assert [one.name for one in prepared.comparisons] == ["name", "date_of_birth"]
    assert [one.rule.title for one in prepared.rules] == [
        "both names", "date of birth and given name", "date of birth and family name",
    ]  # fmt: skip


def test_a_model_s_chances_are_chances() -> None:
    for model in MODELS.values():
        for one in model.comparisons:
            assert sum(level.m for level in one.levels) == pytest.approx(1), (model.name, one.name)
            assert [level.when for level in one.levels if level.when == "ELSE"] == [one.levels[-1].when]
            assert all(0 < level.u < 1 for level in one.levels), (model.name, one.name)


def test_calibration_expects_as_many_matches_as_the_weights_do() -> None:
    scores = [(-6.0, 1_000), (8.0, 90), (20.0, 10)]
    possible, records, prior = 1_000 * 999 / 2, 1_000, -12.3
    shift = calibrate(scores, prior, possible, records)
    expected = sum(pairs * probability(weight + shift) for weight, pairs in scores)
    assert expected / possible == pytest.approx(probability(prior + shift), rel=1e-3)
    assert 90 < expected < 200


def test_calibration_stays_within_bounds_where_nothing_matches_or_all_does() -> None:
    possible, records, prior = 1_000 * 999 / 2, 1_000, -12.3
    none = calibrate([], prior, possible, records)
    every = calibrate([(50.0, 400_000)], prior, possible, records)
    assert probability(prior + none) * possible == pytest.approx(0.0005 * records)
    assert probability(prior + every) * possible == pytest.approx(5 * records)
