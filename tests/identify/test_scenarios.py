"""Identity told in scenarios: claims in, customers out. Each is played message by message, in one batch, and twice."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from psycopg import Connection

from cdp.db.engine import connect
from cdp.identify.rebuilding import check as check_anew
from cdp.identify.ruling import set_rules
from tests.identify.world import check, decision, draft, forget, graph, make_sources, tell

FOLDER = Path(__file__).parent / "scenarios"
SCENARIOS = [
    pytest.param(scenario, id=f"{path.stem}: {scenario['name']}")
    for path in sorted(FOLDER.glob("*.yaml"))
    for scenario in yaml.safe_load(path.read_text(encoding="utf-8"))
]
SOURCES = ("web", "crm", "erp", "shop", "app")


@pytest.fixture(scope="module")
def world(shared_database_url: str) -> Iterator[tuple[Connection[Any], Mapping[str, UUID]]]:
    with connect(shared_database_url, autocommit=True) as connection:
        yield connection, make_sources(connection, SOURCES, verified=["shop"])


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: dict[str, Any], world: tuple[Connection[Any], Mapping[str, UUID]]) -> None:
    connection, sources = world
    forget(connection)
    with connection.transaction():
        set_rules(connection, scenario.get("in_force", {}), actor="test")
    for number, told in enumerate(scenario["tell"]):
        if "key" in told:
            tell(connection, [draft(sources, told, number)])
        else:
            tell(connection, [], [decision(told, number)])
        check(connection)
    _compare(connection, scenario)
    assert check_anew(connection).differences == ()
    before = graph(connection)
    drafts = [draft(sources, told, number) for number, told in enumerate(scenario["tell"]) if "key" in told]
    decisions = [decision(told, number) for number, told in enumerate(scenario["tell"]) if "key" not in told]
    records = connection.execute("SELECT count(*) FROM customer_merge").fetchone()
    tell(connection, drafts, decisions)
    assert graph(connection) == before
    assert connection.execute("SELECT count(*) FROM customer_merge").fetchone() == records
    forget(connection)
    tell(connection, list(reversed(drafts)), decisions)
    check(connection)
    assert graph(connection) == before


def _compare(connection: Connection[Any], scenario: dict[str, Any]) -> None:
    found = {profiles: (identifiers, text) for profiles, identifiers, text in graph(connection)}
    expected = {frozenset(one["profiles"]): one for one in scenario["customers"]}
    assert set(found) == set(expected)
    for profiles, customer in expected.items():
        assert found[profiles][0] == frozenset(customer["identifiers"])
        some = min(profiles)
        row = connection.execute(
            """SELECT customer.customer_id, customer.kind, customer.name, traits FROM customer
            JOIN profile USING (customer_id) JOIN source USING (source_id)
            WHERE concat(source.name, '/', key_namespace, ':', key_value) = %s""",
            (some,),
        ).fetchone()
        assert row is not None
        assert row[1] == customer.get("kind", row[1])
        assert row[2] == customer.get("name", row[2])
        assert row[3] == customer.get("traits", row[3])
        if "contacts" in customer:
            contacts = connection.execute(
                """SELECT concat(source.name, '/', key_namespace, ':', key_value) FROM affiliation
                JOIN profile ON profile.profile_id = person_profile_id JOIN source USING (source_id)
                WHERE affiliation.customer_id = %s""",
                (row[0],),
            ).fetchall()
            assert {one for (one,) in contacts} == set(customer["contacts"])
    quarantined = connection.execute(
        """SELECT concat(source.name, '/', key_namespace, ':', key_value), quarantine FROM customer
        JOIN profile ON founded_customer_id = customer.customer_id JOIN source USING (source_id)
        WHERE quarantined_at IS NOT NULL"""
    ).fetchall()
    assert dict(quarantined) == scenario.get("quarantined", {})
    shared = connection.execute("SELECT concat(namespace, ':', value) FROM identifier WHERE shared").fetchall()
    assert {one for (one,) in shared} == set(scenario.get("shared", ()))
    if "refusals" in scenario:
        refused = connection.execute("SELECT DISTINCT concat(namespace, ':', value), reason FROM refusal").fetchall()
        assert sorted(refused) == sorted((one, reason) for one, reason in scenario["refusals"])
    for word, kind in (("merges", "merge"), ("splits", "split")):
        if word in scenario:
            count = connection.execute("SELECT count(*) FROM customer_merge WHERE kind = %s", (kind,)).fetchone()
            assert count == (scenario[word],), word
    if "rules" in scenario:
        rules = connection.execute("SELECT rule FROM customer_merge WHERE kind = 'merge'").fetchall()
        assert [one for (one,) in rules] == scenario["rules"]
