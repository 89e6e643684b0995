"""Resolving everything anew gives the customers that were built step by step; what differs is found and mended."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection

from cdp.db.locks import hold_customers_exclusive
from cdp.identify import ClaimDraft, Decision, apply_claims
from cdp.identify.rebuilding import check, rebuild
from cdp.identify.rules import DEFAULT_RULES, Rules, Size
from cdp.identify.ruling import read_rules
from tests.identify.stories import DATABASE, SOURCES, Story, aliases, drafts_of, stories, tell_all
from tests.identify.world import check as check_tables
from tests.identify.world import contents, draft, forget, graph, make_sources, open_world, tell

SMALL = Rules(size=Size(profiles=3, identifiers=6, statements=4))

World = tuple[Connection[Any], Mapping[str, UUID]]


@pytest.fixture(scope="module")
def world(shared_database_url: str) -> Iterator[World]:
    with open_world(shared_database_url) as connection:
        yield connection, make_sources(connection, SOURCES, verified=["crm"])


@DATABASE
@given(stories(2), aliases(), st.sampled_from([SMALL, DEFAULT_RULES]))
def test_a_check_of_what_was_built_message_by_message_finds_and_changes_nothing(
    world: World, story: Story, decided: list[Decision], rules: Rules
) -> None:
    connection, sources = world
    forget(connection)
    for one in drafts_of(sources, story):
        tell_all(connection, [one], rules=rules)
    tell_all(connection, decided, rules=rules)
    before = contents(connection)
    found = check(connection, rules=rules)
    assert found.differences == ()
    assert found.components >= 1
    assert contents(connection) == before


CORRUPTIONS = {
    "a profile at another's customer": (
        "UPDATE profile SET customer_id = (SELECT customer_id FROM customer WHERE name = 'Ben') WHERE key_value = 'a1'",
        {"key": 1, "profile": 1},
    ),
    "an identifier that is another's": (
        "UPDATE identifier SET customer_id = (SELECT customer_id FROM customer WHERE name = 'Ben') WHERE value = 'a1'",
        {"identifier": 1},
    ),
    "an identifier that nobody owns": ("DELETE FROM identifier WHERE value = 'a1'", {"identifier": 1}),
    "an identifier that nobody claims": (
        """WITH mine AS (INSERT INTO identifier (namespace, value, customer_id)
            SELECT 'email', 'nobody@example.org', customer_id FROM customer WHERE name = 'Ben' RETURNING customer_id)
        INSERT INTO customer_identifier (customer_id, namespace, value, value_given, source_id, first_seen_at, last_seen_at)
            SELECT customer_id, 'email', 'nobody@example.org', '', new_id(), now(), now() FROM mine""",
        {"description": 1, "identifier": 2},
    ),
    "a value marked as shared": (
        "UPDATE identifier SET customer_id = NULL, shared = true WHERE value = 'family@example.org'",
        {"identifier": 2},
    ),
    "a shared value that somebody owns": (
        """UPDATE identifier SET shared = false, customer_id = (SELECT customer_id FROM customer WHERE name = 'Ben')
        WHERE value = 'info@example.org'""",
        {"identifier": 2},
    ),
    "an identifier not shown": ("DELETE FROM customer_identifier WHERE value = 'a1'", {"identifier": 1}),
    "an identifier shown by another": (
        """INSERT INTO customer_identifier (customer_id, namespace, value, value_given, source_id, first_seen_at, last_seen_at)
        SELECT customer.customer_id, namespace, value, value_given, source_id, customer.first_seen_at, customer.last_seen_at
        FROM customer_identifier, customer WHERE value = 'a1' AND customer.name = 'Ben'""",
        {"identifier": 1},
    ),
    "a refusal forgotten": ("DELETE FROM refusal WHERE value = 'family@example.org'", {"refusal": 1}),
    "a quarantine forgotten": ("UPDATE customer SET quarantined_at = NULL, quarantine = NULL", {"quarantine": 1}),
    "a quarantine without a reason": (
        "UPDATE customer SET quarantined_at = now(), quarantine = 'profiles' WHERE name = 'Ben'",
        {"quarantine": 1},
    ),
    "a golden value that nobody stated": (
        """UPDATE customer SET traits = '{"city": "Atlantis"}' WHERE name = 'Ben'""",
        {"description": 1},
    ),
    "a customer of another kind": (
        "UPDATE customer SET kind = 'organisation' WHERE name = 'Ben'",
        {"description": 1},
    ),
    "a customer without its row": ("DELETE FROM customer WHERE name = 'Ben'", {"customer": 1}),
    "a customer of nobody": (
        "INSERT INTO customer (first_seen_at, last_seen_at) VALUES (now(), now())",
        {"customer": 1},
    ),
    "a key that leads elsewhere": (
        "UPDATE profile_key SET customer_id = (SELECT customer_id FROM customer WHERE name = 'Ben') WHERE value = 'a1'",
        {"key": 1},
    ),
}

STORY: list[dict[str, Any]] = [
    {"key": "anonymous_id:a1"},
    {"key": "user_id:ana", "says": ["anonymous_id:a1", "email:family@example.org"], "traits": {"name": "Ana"}},
    {"key": "user_id:ben", "says": ["email:family@example.org"], "traits": {"name": "Ben", "city": "Vigo"}},
    *({"source": "crm", "key": f"crm_id:c{number}", "says": ["email:info@example.org"]} for number in range(4)),
    *({"key": f"anonymous_id:r{number}", "says": ["email:robot@example.org"]} for number in range(4)),
    {"key": "group_id:acme", "kind": "organisation", "says": ["vat:ESA28015865"], "traits": {"name": "Acme"}},
]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_what_does_not_follow_from_the_claims_is_found_and_mended(world: World, name: str) -> None:
    connection, sources = world
    rules = Rules(size=Size(profiles=3))
    forget(connection)
    _tell(connection, [draft(sources, one, number) for number, one in enumerate(STORY)], [], rules)
    check_tables(connection)
    sound, before = contents(connection), graph(connection)
    assert check(connection, rules=rules).differences == ()
    statement, counts = CORRUPTIONS[name]
    connection.execute(statement)
    corrupted = contents(connection)
    assert corrupted != sound
    found = check(connection, rules=rules).counts
    if "shared" in name:
        # Where the mark parts what belongs together, either part may be the one that is looked at.
        assert found.keys() == counts.keys()
    else:
        assert found == counts
    assert contents(connection) == corrupted
    # What was found is mended in the order found, so that some of it is gone before it is looked at again.
    assert rebuild(connection, rules=rules).counts.keys() & counts.keys()
    assert check(connection, rules=rules).differences == ()
    check_tables(connection)
    assert graph(connection) == before


def test_an_empty_graph_is_what_its_claims_say(world: World) -> None:
    connection, _ = world
    forget(connection)
    found = check(connection)
    assert (found.components, found.resolved, found.differences) == (0, 0, ())


def test_what_a_mend_moves_is_in_the_ledger_and_in_the_feed(world: World) -> None:
    connection, sources = world
    forget(connection)
    tell(connection, [draft(sources, one, number) for number, one in enumerate(STORY)])
    connection.execute(CORRUPTIONS["a profile at another's customer"][0])
    (changes,) = connection.execute("SELECT count(*) FROM change").fetchone() or (0,)
    rebuild(connection)
    kinds = connection.execute("SELECT kind, actor FROM customer_merge").fetchall()
    assert kinds == [("split", "system")]
    told = connection.execute("SELECT kind FROM change ORDER BY transaction_id, seq OFFSET %s", (changes,)).fetchall()
    assert ("customer.unmerged",) in told


def test_a_rebuild_brings_what_is_known_in_line_with_other_rules_and_back(world: World) -> None:
    connection, sources = world
    forget(connection)
    drafts = [draft(sources, one, number) for number, one in enumerate(STORY)]
    _tell(connection, drafts, [], DEFAULT_RULES)
    before = graph(connection)
    strict = read_rules(
        {
            "limits": {"anonymous_id": 1},
            "blocked": {"email": {"patterns": ["robot@.*"]}},
            "shared": {"above_profiles": 2},
        }
    )
    assert check(connection, rules=strict).differences
    rebuild(connection, rules=strict)
    assert check(connection, rules=strict).differences == ()
    parted = graph(connection)
    forget(connection)
    _tell(connection, drafts, [], strict)
    assert graph(connection) == parted != before
    rebuild(connection, rules=DEFAULT_RULES)
    assert check(connection, rules=DEFAULT_RULES).differences == ()
    assert graph(connection) == before


def _tell(connection: Connection[Any], drafts: list[ClaimDraft], made: list[Decision], rules: Rules) -> None:
    with connection.transaction():
        hold_customers_exclusive(connection)
        apply_claims(connection, drafts, decisions=made, rules=rules)
