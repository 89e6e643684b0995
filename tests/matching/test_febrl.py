"""FEBRL 3 by the model as it comes: nobody tuned anything to these records, and they come without labels."""

from pathlib import Path

import pytest

from cdp.identify.matching.files import FileMatch
from tests.matching.febrl import clustered_f1, febrl_file, pairwise_f1, rows

Febrl = tuple[FileMatch, Path]


def test_pairs_are_found_as_well_as_promised(febrl: Febrl) -> None:
    assert pairwise_f1(febrl[1] / "pairs.csv") >= 0.999


def test_clusters_are_found_as_well_as_promised(febrl: Febrl) -> None:
    assert clustered_f1(febrl[1] / "clusters.csv") >= 0.9995


def test_every_record_is_in_one_cluster(febrl: Febrl) -> None:
    clustered = [row["id"] for row in rows(febrl[1] / "clusters.csv")]
    assert sorted(clustered) == sorted(row["rec_id"] for row in rows(febrl_file()))
    assert febrl[0].clusters == len({row["cluster"] for row in rows(febrl[1] / "clusters.csv")})


def test_columns_are_understood_by_their_names(febrl: Febrl) -> None:
    (one,) = febrl[0].inputs
    assert dict(one.columns) == {
        "given_name": "given_name",
        "family_name": "surname",
        "date_of_birth": "date_of_birth",
        "national_id": "soc_sec_id",
        "street": "address_1",
        "house_number": "street_number",
        "address_extra": "address_2",
        "city": "suburb",
        "postcode": "postcode",
    }
    assert one.unused == ("state",)


def test_a_pair_says_what_agreed_and_the_weights_add_up(febrl: Febrl) -> None:
    told = rows(febrl[1] / "pairs.csv")
    assert [float(row["weight"]) for row in told] == sorted((float(row["weight"]) for row in told), reverse=True)
    run = febrl[0].run
    for row in told:
        parts = [part.rsplit(" ", 1) for part in row["explanation"].split("; ")]
        assert parts[0] == ["two at random:", f"{run.learned.prior + run.shift:+.1f}"]
        # Each is written with one decimal, so the sum of nine may be off by less than a half.
        assert sum(float(weight) for _, weight in parts) == pytest.approx(float(row["weight"]), abs=0.5), row
    (twins,) = [row for row in told if (row["id_1"], row["id_2"]) == ("rec-670-dup-2", "rec-670-dup-1")]
    assert twins["verdict"] == "review"
    assert twins["explanation"].split("; ")[1].startswith("name: the same +")
    assert "date of birth: different -" in twins["explanation"]
