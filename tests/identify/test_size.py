"""Rule 5: how large customers grow by themselves, whatever the order; and that what is beyond costs nobody anything."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import combinations
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from psycopg import Connection

from cdp.db.engine import connect
from cdp.db.locks import hold_customers_exclusive
from cdp.errors import Mistake
from cdp.identify import ClaimDraft, apply_claims
from cdp.identify.claims import Author, Claim, Decision
from cdp.identify.crowding import counting, crowding
from cdp.identify.identifier import Identifier
from cdp.identify.quarantining import Decided, Quarantined, keep_closed, let_grow
from cdp.identify.resolution import resolve
from cdp.identify.rules import Rules, Size
from tests.identify.stories import DATABASE
from tests.identify.test_resolution import claims, decisions
from tests.identify.world import START, check, contents, forget, graph, make_sources, open_world

SMALL = Rules(size=Size(profiles=3, identifiers=4, statements=5))

World = tuple[Connection[Any], Mapping[str, UUID]]


@pytest.fixture(scope="module")
def world(shared_database_url: str) -> Iterator[World]:
    with open_world(shared_database_url) as connection:
        yield connection, make_sources(connection, ("web", "crm"), verified=["crm"])


@given(claims(), decisions(), st.randoms(use_true_random=False))
def test_who_is_quarantined_does_not_depend_on_the_order(
    told: list[Claim], made: list[Decision], random: Random
) -> None:
    expected = resolve(told, made, SMALL)
    random.shuffle(told)
    assert resolve(told, made, SMALL) == expected


@given(claims())
def test_nobody_grows_beyond_the_limit_by_themselves(told: list[Claim]) -> None:
    resolution = resolve(told, [], SMALL)
    for cluster in resolution.clusters:
        assert len(cluster.profile_ids) <= 3
        assert len(cluster.identifiers) <= 4
    refused = {one.claim_id for one in resolution.refusals if one.reason == "size"}
    assert not refused or any(cluster.quarantine for cluster in resolution.clusters)


@given(claims(), st.integers(0, 25))
def test_what_is_set_aside_stays_so_whatever_else_is_told(told: list[Claim], known: int) -> None:
    """So it needs never be read again: leaving it out changes nothing, and more claims only set aside more."""

    def aside(some: list[Claim]) -> set[tuple[UUID, Any]]:
        return set(crowding(sorted(some, key=lambda one: one.order), {}, SMALL).set_aside)

    assert aside(told[:known]) <= aside(told)
    ordered = sorted(told, key=lambda one: one.order)
    whole = resolve(told, [], SMALL)
    again = resolve(counting(ordered, crowding(ordered, {}, SMALL, nobodys=whole.shared)), [], SMALL)
    assert again.clusters == whole.clusters
    assert again.refusals == whole.refusals
    assert again.crowding.last == whole.crowding.last


def stories() -> st.SearchStrategy[list[tuple[str, tuple[str, str], list[tuple[str, str]], int]]]:
    """(source, key, says, minute): few people with many devices, so that somebody is soon full."""
    keys = [("user_id", "u0"), ("user_id", "u1"), ("crm_id", "c0"), ("crm_id", "c1"), ("crm_id", "c2")]
    devices = [("anonymous_id", f"a{number}") for number in range(9)]
    others = [("email", "e0@example.org"), ("email", "e1@example.org"), *devices]
    message = st.tuples(
        st.sampled_from(["web", "web", "crm"]),
        st.sampled_from([*keys, *devices[:4]]),
        st.sampled_from([[], *map(list, combinations(others, 1)), *map(list, combinations(others, 2))]),
        st.integers(0, 9),
    )
    return st.lists(message, min_size=4, max_size=22)


@DATABASE
@given(stories(), st.randoms(use_true_random=False))
def test_any_order_and_batching_quarantines_the_same_customers(
    world: World, told: list[tuple[str, tuple[str, str], list[tuple[str, str]], int]], random: Random
) -> None:
    connection, sources = world
    drafts = [
        ClaimDraft(
            source_id=sources[source],
            namespace=key[0],
            value=key[1],
            at=START + timedelta(minutes=minute),
            message_id=f"m{number:02}",
            identifiers=says,
        )
        for number, (source, key, says, minute) in enumerate(told)
    ]
    forget(connection)
    _tell(connection, drafts)
    check(connection)
    expected = graph(connection), _quarantined(connection), _counted(connection)
    for _ in range(2):
        forget(connection)
        messages = [*drafts, *random.sample(drafts, k=len(drafts) // 2)]
        random.shuffle(messages)
        while messages:
            size = random.randint(1, 5)
            _tell(connection, messages[:size])
            messages = messages[size:]
            check(connection)
        assert (graph(connection), _quarantined(connection), _counted(connection)) == expected


def test_eight_thousand_devices_of_one_user_cost_as_much_as_few(world: World, shared_database_url: str) -> None:
    connection, sources = world
    forget(connection)
    rules = Rules(size=Size(statements=50))
    drafts = [
        ClaimDraft(
            source_id=sources["web"],
            namespace="user_id",
            value="robot",
            at=START + timedelta(minutes=number),
            message_id=f"m{number:04}",
            identifiers=[("anonymous_id", f"d{number:04}")],
        )
        for number in range(8_000)
    ]
    for start in range(0, 8_000, 1_000):
        _tell(connection, drafts[start : start + 1_000], rules)
    check(connection)
    held = "SELECT count(*) FROM {} WHERE (namespace, value) = ('user_id', 'robot')"
    assert connection.execute(held.format("claim_identifier")).fetchone() == (50,)
    assert connection.execute(held.format("claim_set_aside")).fetchone() == (7_950,)
    ((_, at, why),) = _quarantined(connection)
    assert (at, why) == (START + timedelta(minutes=49), "statements")
    with connect(shared_database_url, None, autocommit=True) as owner:  # others are told that they may not, and no more
        owner.execute("ANALYZE")
    _rows_read(connection)  # so that what it read itself is counted now, and not while the other reads
    # A connection of its own: the other has plans from when the tables were all but empty.
    with connect(shared_database_url, autocommit=True) as fresh:
        before = _rows_read(fresh)
        _tell(fresh, [_another(sources, number) for number in range(20)], rules)
        assert _rows_read(fresh) - before < 2_000


def _another(sources: Mapping[str, UUID], number: int) -> ClaimDraft:
    return ClaimDraft(
        source_id=sources["web"],
        namespace="user_id",
        value="robot",
        at=START + timedelta(days=9, minutes=number),
        message_id=f"n{number}",
        identifiers=[("anonymous_id", f"n{number}")],
    )


def _rows_read(connection: Connection[Any]) -> int:
    """Rows of claims that this connection has read so far, by any path."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    row = connection.execute(
        "SELECT sum(idx_tup_fetch + seq_tup_read)::bigint FROM pg_stat_user_tables"
        " WHERE relname IN ('claim', 'claim_identifier', 'claim_set_aside')"
    ).fetchone()
    assert row is not None
    return int(row[0])


def _tell(connection: Connection[Any], drafts: list[ClaimDraft], rules: Rules = SMALL) -> None:
    with connection.transaction():
        hold_customers_exclusive(connection)
        apply_claims(connection, drafts, rules=rules)


def _quarantined(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    return connection.execute(
        """SELECT array_agg(concat(source.name, '/', key_namespace, ':', key_value) ORDER BY source.name, key_value),
            quarantined_at, quarantine
        FROM customer JOIN profile USING (customer_id) JOIN source USING (source_id)
        WHERE quarantined_at IS NOT NULL GROUP BY customer_id, quarantined_at, quarantine ORDER BY 1"""
    ).fetchall()


def _counted(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """What of which claim counts, and what doesn't; and which nodes are full since when."""
    profile = "CASE namespace WHEN 'profile' THEN 'its profile' ELSE value END"
    return connection.execute(
        f"""SELECT claim_id, namespace, {profile}, is_counted FROM (
            SELECT claim_id, namespace, value, true AS is_counted FROM claim_identifier
            UNION ALL SELECT claim_id, namespace, value, false FROM claim_set_aside
            UNION ALL SELECT last_claim_id, namespace, value, NULL FROM full_node
        ) AS said WHERE (namespace, value) NOT IN (SELECT namespace, value FROM identifier WHERE shared)
        ORDER BY 1, 2, 3, 4"""
    ).fetchall()


GROWN = Author(actor="staff:ida", reason="A shop of ours signs in with it.")


def test_what_somebody_lets_grow_counts_again_and_what_is_kept_closed_stays_so(world: World) -> None:
    connection, sources = world
    forget(connection)
    drafts = [
        ClaimDraft(
            source_id=sources["web"],
            namespace="anonymous_id",
            value=f"d{number:02}",
            at=START + timedelta(minutes=number),
            message_id=f"m{number:02}",
            identifiers=[("email", "shop@example.org")],
        )
        for number in range(20)
    ]
    rules = Rules(size=Size(profiles=4, identifiers=50, statements=8))
    _tell(connection, drafts, rules)
    ((profiles, at, why),) = _quarantined(connection)
    assert profiles == [f"web/anonymous_id:d{number:02}" for number in range(4)]
    assert (at, why) == (START + timedelta(minutes=4), "profiles")
    row = connection.execute("SELECT customer_id FROM customer WHERE quarantined_at IS NOT NULL").fetchone()
    assert row is not None
    (customer_id,) = row

    before = contents(connection)
    with connection.transaction():
        kept = keep_closed(connection, customer_id, author=GROWN)
    assert isinstance(kept, Decided)
    assert [one for one in contents(connection) if one[0] != "decision"] == [
        one for one in before if one[0] != "decision"
    ]
    assert kept.quarantined == Quarantined(customer_id=customer_id, at=at, reason=why)
    with connection.transaction():
        grown = let_grow(connection, customer_id, author=GROWN, most=51, rules=rules)
    assert isinstance(grown, Decided)
    assert grown.quarantined is None
    assert _quarantined(connection) == []
    expected = connection.execute("SELECT count(*), count(DISTINCT customer_id) FROM profile").fetchone()
    assert expected == (20, 1), "all twenty are one by now, and at most 51 may be"
    check(connection)
    with connection.transaction():
        again = let_grow(connection, customer_id, author=GROWN, most=60, rules=rules)
    assert again == Mistake(
        code="not_quarantined", message="This customer is not in quarantine.", field=("customerId",)
    )
    # Whatever the order, the decision included, it would have come out so.
    grants = [
        Decision(
            decision_id=one,
            kind="grow",
            one=node,
            other=node,
            rule="manual",
            decided_at=START,
            actor="staff:ida",
            most=51,
        )
        for one, node in zip(grown.decision_ids, _granted(connection), strict=True)
    ]
    after = graph(connection)
    forget(connection)
    with connection.transaction():
        hold_customers_exclusive(connection)
        apply_claims(connection, list(reversed(drafts)), decisions=grants, rules=rules)
    assert graph(connection) == after


def test_how_far_somebody_lets_grow_is_more_than_so_far_and_not_without_end(world: World) -> None:
    connection, sources = world
    forget(connection)
    says = [("anonymous_id", "a1"), ("anonymous_id", "a2"), ("email", "ana@example.org"), ("phone", "600123456")]
    _tell(connection, [replace(_another(sources, 0), identifiers=says), _another(sources, 1)])
    row = connection.execute("SELECT customer_id FROM customer WHERE quarantined_at IS NOT NULL").fetchone()
    assert row is not None
    before = contents(connection)
    for most in (5, 100_001):
        with connection.transaction():
            refused = let_grow(connection, row[0], author=GROWN, most=most, rules=SMALL)
        message = "It may have 5 by now: say a number above that, at most 100000."
        assert refused == Mistake(code="not_a_larger_limit", message=message, field=("most",))
    with connection.transaction():
        nobody = let_grow(connection, UUID(int=7), author=GROWN, rules=SMALL)
    assert isinstance(nobody, Mistake)
    assert nobody.code == "customer_not_found"
    assert contents(connection) == before


def _granted(connection: Connection[Any]) -> list[Identifier]:
    rows = connection.execute(
        "SELECT one_namespace, one_value FROM decision WHERE kind = 'grow' ORDER BY one_namespace, one_value"
    )
    return [Identifier(*one) for one in rows]
