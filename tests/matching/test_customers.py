"""The database's customers: found though no source ties them, listed with why, decided once, merged only when told to."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection

from cdp.db.engine import connect
from cdp.identify import Author
from cdp.identify.matching.customers import CustomerMatch, NoCustomers, match_customers
from cdp.identify.matching.running import Options
from cdp.identify.reviewing import Review, accept, listed, refuse
from cdp.identify.unmerging import unmerge
from tests.identify.world import check, draft, forget, make_sources, tell

ANNA = Author(actor="anna", reason="Father and son.")
World = tuple[Connection[Any], Mapping[str, UUID]]


@pytest.fixture(scope="module")
def sources(shared_database_url: str) -> Iterator[World]:
    with connect(shared_database_url, autocommit=True) as connection:
        yield connection, make_sources(connection, ["web", "crm"])


@pytest.fixture
def world(sources: World) -> World:
    """Ana, told twice by sources that share no key, Bruno, told twice with a slip, and some who are alone."""
    forget(sources[0])
    sources[0].execute("DELETE FROM review")
    say(sources, "web", "user_id:ana", name="Ana García", birthday="1980-04-02", street="Calle Mayor 7", city="Madrid")
    say(sources, "crm", "crm_id:1", name="ANA GARCIA", birthday="02.04.1980", street="calle mayor, 7", city="madrid")
    say(sources, "web", "user_id:bruno", name="Bruno Keller", birthday="1975-11-30", city="Berlin")
    say(sources, "crm", "crm_id:2", name="Bruno Kellr", birthday="1975-11-30", city="Berlin")
    for number, name in enumerate(("Carla Rossi", "Dora Novak", "Erik Dahl", "Fay Moore", "Gil Roth", "Ida Holm")):
        say(sources, "web", f"user_id:u{number}", name=name, birthday=f"19{60 + number}-07-2{number}", city="Oslo")
    return sources


def say(world: World, source: str, key: str, **traits: str) -> None:
    tell(world[0], [draft(world[1], {"source": source, "key": key, "traits": traits}, 1)])


def who(world: World, key: str) -> UUID:
    row = (
        world[0]
        .execute("SELECT customer_id FROM profile WHERE key_namespace || ':' || key_value = %s", (key,))
        .fetchone()
    )
    assert row is not None, key
    found: UUID = row[0]
    return found


def match(world: World, *, merges: bool = False, **options: Any) -> CustomerMatch:
    found = match_customers(world[0], merges=merges, options=Options(**options), tell=lambda _: None)
    check(world[0])
    return found


def queue(world: World) -> list[Review]:
    return listed(world[0], kinds=("match",))


def pair(world: World, one: str, other: str) -> tuple[UUID, ...]:
    return tuple(sorted((who(world, one), who(world, other))))


def test_customers_that_share_no_key_are_listed_with_why(world: World) -> None:
    found = match(world)
    assert (found.merged, found.listed, found.run.prepared.records) == (0, 2, 10)
    lines = {line.customer_ids: line for line in queue(world)}
    assert lines.keys() == {pair(world, "user_id:ana", "crm_id:1"), pair(world, "user_id:bruno", "crm_id:2")}
    ana = lines[pair(world, "user_id:ana", "crm_id:1")]
    assert ana.weight is not None
    assert ana.explanation["model"] == "person-1"
    told = [(one["comparison"], one["found"]) for one in ana.explanation["comparisons"]]
    assert told == [(what, "the same") for what in ("name", "date of birth", "street", "city")]
    parts = [one["weight"] for one in ana.explanation["comparisons"]]
    assert ana.explanation["startsAt"] + sum(parts) == pytest.approx(ana.weight, abs=0.03)
    assert 0.99 < ana.explanation["probability"] <= 1
    bruno = lines[pair(world, "user_id:bruno", "crm_id:2")]
    assert [one["found"] for one in bruno.explanation["comparisons"]] == ["nearly the same", "the same", "the same"]


def test_matching_again_lists_nothing_twice(world: World) -> None:
    match(world)
    assert match(world).listed == 0
    assert len(queue(world)) == 2


def test_a_refused_pair_never_comes_back(world: World) -> None:
    match(world)
    for line in queue(world):
        with world[0].transaction():
            assert isinstance(refuse(world[0], line.review_id, author=ANNA), Review)
    again = match(world, merges=True)
    assert (again.run.matches, again.run.reviews, again.merged, again.listed) == (0, 0, 0, 0)
    assert queue(world) == []
    assert who(world, "user_id:ana") != who(world, "crm_id:1")


def test_an_accepted_pair_is_one_customer_and_no_pair_any_more(world: World) -> None:
    match(world)
    line = next(one for one in queue(world) if one.customer_ids == pair(world, "user_id:ana", "crm_id:1"))
    with world[0].transaction():
        assert isinstance(accept(world[0], line.review_id, author=ANNA), Review)
    assert who(world, "user_id:ana") == who(world, "crm_id:1")
    again = match(world)
    assert (again.run.prepared.records, again.listed) == (9, 0)
    assert [one.customer_ids for one in queue(world)] == [pair(world, "user_id:bruno", "crm_id:2")]


def test_heavy_pairs_are_merged_only_when_told_to_and_can_be_undone(world: World) -> None:
    match(world)
    weights = {line.customer_ids: line.weight or 0 for line in queue(world)}
    assert weights[pair(world, "user_id:ana", "crm_id:1")] > weights[pair(world, "user_id:bruno", "crm_id:2")] + 2
    upper = max(weights.values()) - 1
    found = match(world, merges=True, upper=upper)
    assert (found.merged, found.listed, len(queue(world))) == (1, 0, 1)
    assert who(world, "user_id:ana") == who(world, "crm_id:1")
    ((merge_id, rule, actor, reason),) = world[0].execute(
        "SELECT merge_id, rule, actor, reason FROM customer_merge WHERE kind = 'merge'"
    )
    assert (rule, actor) == ("manual", "match:person-1")
    assert reason.startswith("Match weight ")
    assert "name: the same +" in reason
    with world[0].transaction():
        unmerge(world[0], merge_id, author=ANNA)
    assert who(world, "user_id:ana") != who(world, "crm_id:1")
    assert match(world, merges=True, upper=upper).merged == 0


def test_what_a_person_parted_no_chain_of_matches_ties_together(world: World) -> None:
    """Ana is told a third time; two of the three were refused, so only one of the two other pairs may be merged."""
    say(world, "crm", "crm_id:3", name="Ana Garcia", birthday="1980-04-02", street="Calle Mayor 7", city="Madrid")
    match(world)
    refused = pair(world, "user_id:ana", "crm_id:1")
    line = next(one for one in queue(world) if one.customer_ids == refused)
    with world[0].transaction():
        refuse(world[0], line.review_id, author=ANNA)
    found = match(world, merges=True, upper=5)
    assert who(world, "user_id:ana") != who(world, "crm_id:1")
    assert who(world, "crm_id:3") in {who(world, "user_id:ana"), who(world, "crm_id:1")}
    assert found.kept_apart == 1


def test_a_source_that_spells_differently_and_organisations(world: World) -> None:
    say(world, "web", "user_id:x", firstName="Zoe", lastName="Quist", dateOfBirth="1988-08-08")
    say(world, "crm", "crm_id:x", first_name="Zoë", last_name="Quist", dob="19880808")
    match(world)
    assert pair(world, "user_id:x", "crm_id:x") in {line.customer_ids for line in queue(world)}
    with pytest.raises(NoCustomers):
        match(world, kind="organisation")
    for source, key, name in (("web", "group_id:a", "Díaz Hermanos S.L."), ("crm", "crm_id:d", "DIAZ HERMANOS")):
        told = {
            "source": source,
            "key": key,
            "kind": "organisation",
            "traits": {"name": name, "website": "diaz.example"},
        }
        tell(world[0], [draft(world[1], told, 1)])
    told = {
        "source": "web",
        "key": "group_id:b",
        "kind": "organisation",
        "traits": {"name": "Acme", "website": "acme.example"},
    }
    tell(world[0], [draft(world[1], told, 1)])
    match(world, kind="organisation", lower=0)
    assert pair(world, "group_id:a", "crm_id:d") in {line.customer_ids for line in queue(world)}


def test_the_command_lists_and_writes_a_summary(world: World, shared_database_url: str, tmp_path: Path) -> None:
    result = subprocess.run(
        [Path(sys.executable).with_name("cdp"), "match", "--summary", tmp_path / "persons.html"],
        env={**os.environ, "CDP_DATABASE_URL": shared_database_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "10 records" in result.stdout
    assert "2 pairs listed for the first time: see `cdp review`" in result.stdout
    assert len(queue(world)) == 2
    assert "<h1>Persons</h1>" in (tmp_path / "persons.html").read_text("utf-8")
