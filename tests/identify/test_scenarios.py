"""Identity told in scenarios: claims in, customers out. Each is played message by message, in one batch, and twice."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg import Connection

from cdp.db.engine import connect
from tests.identify.world import check, decision, draft, forget, graph, make_sources, tell

FOLDER = Path(__file__).parent / "scenarios"
SCENARIOS = [
    pytest.param(scenario, id=f"{path.stem}: {scenario['name']}")
    for path in sorted(FOLDER.glob("*.yaml"))
    for scenario in yaml.safe_load(path.read_text(encoding="utf-8"))
]
SOURCES = ("web", "crm", "erp", "shop", "app")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: dict[str, Any], database_url: str) -> None:
    with connect(database_url, autocommit=True) as connection:
        sources = make_sources(connection, SOURCES, verified=["shop"])
        for number, told in enumerate(scenario["tell"]):
            if "key" in told:
                tell(connection, [draft(sources, told, number)])
            else:
                tell(connection, [], [decision(told, number)])
            check(connection)
        _compare(connection, scenario)
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
