"""The six invariants of `identity.md`, each through the database with a thousand stories.

With sixteen writers at once: `test_sixteen_writers.py`. As a machine of all that may happen: `test_stateful.py`. Of the pure
function alone: `test_resolution.py`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from psycopg import Connection

from cdp.identify import Author, Decision
from cdp.identify.identifier import EMAIL, USER_ID
from cdp.identify.merging import Merged, merge
from cdp.identify.rebuilding import rebuild
from cdp.identify.rules import DEFAULT_RULES, Limit, Rules, Size
from cdp.identify.unmerging import Unmerged, unmerge
from tests.identify.stories import (
    INVARIANT,
    SMALL,
    SOURCES,
    Story,
    Told,
    aliases,
    clusters,
    clusters_by_definition,
    contacts,
    drafts_of,
    in_batches,
    standing,
    stories,
    tell_all,
)
from tests.identify.world import check, contents, forget, graph, make_sources, open_world

ANNA = Author(actor="anna", reason="She called.")
RULES = st.sampled_from([DEFAULT_RULES, SMALL])
TINY = Rules(
    limits={USER_ID: Limit(count=1), EMAIL: Limit(count=1)}, size=Size(profiles=2, identifiers=4, statements=5)
)

World = tuple[Connection[Any], Mapping[str, UUID]]


@pytest.fixture(scope="module")
def world(shared_database_url: str) -> Iterator[World]:
    with open_world(shared_database_url) as connection:
        yield connection, make_sources(connection, SOURCES, verified=["crm"])


@INVARIANT
@given(stories(2), aliases(), RULES, st.randoms(use_true_random=False))
def test_1_any_order_batching_and_repetition_ends_in_the_same_graph(
    world: World, story: Story, decided: list[Decision], rules: Rules, random: Random
) -> None:
    connection, sources = world
    told: list[Told] = [*drafts_of(sources, story), *decided]
    forget(connection)
    tell_all(connection, told, rules=rules)
    expected = standing(connection)

    forget(connection)
    told += random.sample(told, k=len(told) // 2)
    random.shuffle(told)
    for batch in in_batches(told, random, 3):
        tell_all(connection, batch, rules=rules)
    assert standing(connection) == expected


@INVARIANT
@given(stories(2), aliases(), RULES, st.randoms(use_true_random=False))
def test_2_replaying_any_prefix_changes_nothing(
    world: World, story: Story, decided: list[Decision], rules: Rules, random: Random
) -> None:
    connection, sources = world
    told: list[Told] = [*drafts_of(sources, story), *decided]
    forget(connection)
    for batch in in_batches(told, random, 2):
        tell_all(connection, batch, rules=rules)
    before = contents(connection)
    tell_all(connection, told[: random.randint(1, len(told))], rules=rules)
    assert contents(connection) == before


@INVARIANT
@given(stories(3, 7), stories(1, 5), st.integers(0, 9), st.integers(0, 9))
def test_3_unmerge_after_merge_is_the_identity_also_with_later_facts_in_between(
    world: World, early: Story, late: Story, one: int, other: int
) -> None:
    """Compared with a world in which nobody ever merged; where later claims tie the two, they stay apart all the same."""
    connection, sources = world
    drafts = drafts_of(sources, early), drafts_of(sources, late, message="late")
    forget(connection)
    tell_all(connection, drafts[0])
    founders = _founders(connection)
    assume(len(founders) > 1)
    pair = [founders.pop(one % len(founders)), founders[other % len(founders)]]
    with connection.transaction():
        made = merge(connection, [customer for customer, *_ in pair], author=ANNA)
    assert isinstance(made, Merged), made
    assert _home(connection, pair[0]) == _home(connection, pair[1])
    tell_all(connection, drafts[1])
    check(connection, is_linked=True)
    with connection.transaction():
        undone = unmerge(connection, made.merge_id, author=ANNA)
    check(connection)
    unmerged = graph(connection), contacts(connection)
    is_one = _home(connection, pair[0]) == _home(connection, pair[1])

    forget(connection)
    tell_all(connection, drafts[0])
    tell_all(connection, drafts[1])
    is_tied = _home(connection, pair[0]) == _home(connection, pair[1])
    assert not is_one
    assert isinstance(undone, Unmerged) or not is_tied, "who is apart already isn't tied"
    if not is_tied:
        assert unmerged == (graph(connection), contacts(connection))


@INVARIANT
@given(stories(2), aliases(), RULES, st.randoms(use_true_random=False))
def test_4_every_identifier_and_every_profile_has_one_customer_and_every_id_leads_to_one(
    world: World, story: Story, decided: list[Decision], rules: Rules, random: Random
) -> None:
    """At every step; and the id of the older customer survives."""
    connection, sources = world
    told: list[Told] = [*drafts_of(sources, story), *decided]
    forget(connection)
    before: set[UUID] = set()
    for batch in in_batches(told, random, 2):
        tell_all(connection, batch, rules=rules)
        check(connection, is_linked=True)
        leads = dict(connection.execute(_LEADS).fetchall())
        now = {one for one, target in leads.items() if one == target}
        assert before <= leads.keys()
        assert set(leads.values()) <= now
        assert all(leads[one] < one for one in before & (leads.keys() - now))
        before = now


_LEADS = """SELECT customer_id, customer_id FROM customer
    UNION ALL SELECT customer_id, target_customer_id FROM customer_redirect"""


@INVARIANT
@given(stories(4, 12), st.sampled_from([DEFAULT_RULES, SMALL, TINY]), st.randoms(use_true_random=False))
def test_5_no_limit_is_ever_exceeded(world: World, story: Story, rules: Rules, random: Random) -> None:
    connection, sources = world
    told = drafts_of(sources, story)
    forget(connection)
    random.shuffle(told)
    for batch in in_batches(told, random, 2):
        tell_all(connection, batch, rules=rules)
        assert beyond_limits(connection, rules) == []


@INVARIANT
@given(stories(2), aliases(), RULES, st.randoms(use_true_random=False))
def test_6_rebuilding_everything_from_the_claims_gives_what_was_built_step_by_step(
    world: World, story: Story, decided: list[Decision], rules: Rules, random: Random
) -> None:
    """By the set-wise rebuild, which finds nothing to mend, and by the pure function over all claims at once."""
    connection, sources = world
    drafts = drafts_of(sources, story)
    told: list[Told] = [*drafts, *decided]
    forget(connection)
    random.shuffle(told)
    for batch in in_batches(told, random, 3):
        tell_all(connection, batch, rules=rules)
    assert clusters(connection) == clusters_by_definition(connection, drafts, decided, rules)
    before = contents(connection)
    made = rebuild(connection, rules=rules)
    assert made.differences == ()
    assert made.components >= 1
    assert contents(connection) == before


def beyond_limits(connection: Connection[Any], rules: Rules) -> list[tuple[Any, ...]]:
    """Customers that own more than their limits or are larger than they may be."""
    owned = connection.execute(
        """SELECT customer_id, namespace, count(*), NULL FROM identifier WHERE NOT shared GROUP BY customer_id, namespace
        UNION ALL SELECT customer_id, NULL, NULL, count(*) FROM profile GROUP BY customer_id"""
    ).fetchall()
    identifiers: Counter[UUID] = Counter()
    for customer_id, _, count, _ in owned:
        identifiers[customer_id] += count or 0
    return [
        (customer_id, namespace, count, profiles)
        for customer_id, namespace, count, profiles in owned
        if (namespace is not None and count > rules.limit(namespace).count)
        or (profiles or 0) > rules.size.profiles
        or identifiers[customer_id] > rules.size.identifiers
    ]


Founder = tuple[UUID, UUID, str, str]
"""The customer, and the key of the profile that it began with: source, namespace, value."""


def _founders(connection: Connection[Any]) -> list[Founder]:
    """Persons, by their natural keys."""
    return connection.execute(
        """SELECT customer_id, source_id, key_namespace, key_value FROM profile
        WHERE founded_customer_id = customer_id AND kind = 'person' ORDER BY 2, 3, 4"""
    ).fetchall()


def _home(connection: Connection[Any], founder: Founder) -> UUID:
    """The customer that the profile with a founder's key belongs to."""
    row = connection.execute(
        "SELECT customer_id FROM profile WHERE (source_id, key_namespace, key_value) = (%s, %s, %s)", founder[1:]
    ).fetchone()
    assert row is not None
    found: UUID = row[0]
    return found
