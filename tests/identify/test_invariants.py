"""Identity's invariants through the database: however messages come, in whatever batches, the same graph stands at
the end.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from psycopg import Connection

from cdp.db.engine import connect
from cdp.db.locks import hold_customers_exclusive
from cdp.events.interactions import InteractionRecord, record_interactions
from cdp.identify import ClaimDraft, Decision, apply_claims
from cdp.identify.claims import Claim, ProfileKey, claim_id, decision_id
from cdp.identify.gathering import profile_key
from cdp.identify.identifier import Identifier
from cdp.identify.rebuilding import check as check_anew
from cdp.identify.resolution import resolve
from cdp.identify.rules import DEFAULT_RULES
from cdp.identify.ruling import set_rules
from tests.identify.world import START, check, contents, forget, graph, make_sources

SOURCES = ("web", "crm")
PEOPLE = [("user_id", f"u{n}") for n in range(5)] + [("anonymous_id", f"a{n}") for n in range(7)]
PEOPLE += [("crm_id", f"c{n}") for n in range(5)]
GROUPS = [("group_id", f"g{n}") for n in range(2)]
OTHERS = [("email", f"E{n}@Example.org") for n in range(6)] + [("phone", f"60000000{n}") for n in range(3)]
DATABASE = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

World = tuple[Connection[Any], Mapping[str, UUID]]


@pytest.fixture(scope="module")
def world(shared_database_url: str) -> Iterator[World]:
    with connect(shared_database_url, autocommit=True) as connection:
        yield connection, make_sources(connection, SOURCES, verified=["crm"])


@st.composite
def stories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Messages, each as plain words; few identifiers, so that they meet."""
    told = []
    for number in range(draw(st.integers(1, 16))):
        key = draw(st.sampled_from(PEOPLE + GROUPS))
        is_group = key[0] == "group_id"
        others = [("vat", "ESA28015865"), ("account_number", "K-1")] if is_group else OTHERS + PEOPLE[5:9]
        told.append(
            {
                "source": draw(st.sampled_from(SOURCES)),
                "key": key,
                "says": draw(st.lists(st.sampled_from(others), max_size=2, unique=True)),
                "at": draw(st.integers(0, 5)),
                "message": f"m{number:02}",
                "kind": "organisation" if is_group else "person",
                "traits": draw(
                    st.dictionaries(st.sampled_from(["name", "city", "vip"]), st.sampled_from(["x", "y", None]))
                ),
                "group": None if is_group else draw(st.sampled_from([None, None, GROUPS[0], GROUPS[1]])),
            }
        )
    return told


@st.composite
def choices(draw: st.DrawFn) -> list[Decision]:
    made = []
    for number in range(draw(st.integers(0, 2))):
        one, other = draw(st.lists(st.sampled_from(PEOPLE), min_size=2, max_size=2, unique=True))
        made.append(
            Decision(
                decision_id=decision_id("link", Identifier(*one), Identifier(*other), "alias"),
                kind="link",
                one=Identifier(*one),
                other=Identifier(*other),
                rule="alias",
                decided_at=START + timedelta(minutes=number),
            )
        )
    return made


@DATABASE
@given(stories(), choices(), st.randoms(use_true_random=False))
def test_any_order_batching_and_repetition_ends_in_the_same_graph(
    world: World, told: list[dict[str, Any]], made: list[Decision], random: Random
) -> None:
    connection, sources = world
    drafts = [_draft(sources, one) for one in told]
    forget(connection)
    _tell(connection, _groups_told(sources, told) + drafts, made)
    check(connection)
    expected, expected_contacts = graph(connection), _contacts(connection)
    assert _clusters(connection) == _pure(connection, drafts + _groups_told(sources, told), made)

    for _ in range(2):
        forget(connection)
        messages: list[ClaimDraft | Decision] = [*drafts, *_groups_told(sources, told), *made]
        messages += random.sample(messages, k=len(messages) // 2)
        random.shuffle(messages)
        while messages:
            size = random.randint(1, 5)
            batch, messages = messages[:size], messages[size:]
            _tell(
                connection,
                [one for one in batch if isinstance(one, ClaimDraft)],
                [one for one in batch if isinstance(one, Decision)],
            )
            check(connection)
        assert graph(connection) == expected
        assert _contacts(connection) == expected_contacts


@DATABASE
@given(stories(), st.data())
def test_replaying_any_prefix_changes_nothing(world: World, told: list[dict[str, Any]], data: st.DataObject) -> None:
    connection, sources = world
    forget(connection)
    drafts = _groups_told(sources, told) + [_draft(sources, one) for one in told]
    for draft in drafts:
        _tell(connection, [draft])
    before = contents(connection)
    _tell(connection, drafts[: data.draw(st.integers(1, len(drafts)))])
    assert contents(connection) == before


@DATABASE
@given(stories())
def test_ids_are_stable_and_every_id_ever_given_still_leads_to_its_customer(
    world: World, told: list[dict[str, Any]]
) -> None:
    connection, sources = world
    forget(connection)
    ever: set[UUID] = set()
    for draft in _groups_told(sources, told) + [_draft(sources, one) for one in told]:
        before = dict(connection.execute("SELECT customer_id, customer_id FROM customer").fetchall())
        _tell(connection, [draft])
        now = {one for (one,) in connection.execute("SELECT customer_id FROM customer")}
        leads = dict(connection.execute("SELECT customer_id, target_customer_id FROM customer_redirect").fetchall())
        ever |= now
        assert ever <= now | leads.keys()
        assert set(leads.values()) <= now
        ended = before.keys() - now
        recorded = connection.execute("SELECT unnest(other_customer_ids) FROM customer_merge WHERE kind = 'merge'")
        assert ended <= {one for (one,) in recorded.fetchall()}
        for one in ended:
            assert leads[one] < one, "the older id survives"


@pytest.mark.parametrize("in_force", [{}, {"size": {"profiles": 4, "identifiers": 8, "statements": 10}}])
def test_sixteen_writers_at_once_end_as_one_would(
    world: World, shared_database_url: str, in_force: dict[str, Any]
) -> None:
    connection, sources = world
    with connection.transaction():
        set_rules(connection, in_force, actor="test")
    random = Random(20260301)
    told = [
        {
            "source": random.choice(SOURCES),
            "key": random.choice(PEOPLE),
            "says": random.sample(OTHERS + PEOPLE[5:9], k=2),
            "at": random.randint(0, 50),
            "message": f"m{number:03}",
            "kind": "person",
            "traits": {"city": random.choice(["x", "y"])},
            "group": None,
        }
        for number in range(320)
    ]
    drafts = [_draft(sources, one) for one in told]
    forget(connection)
    _tell(connection, drafts)
    expected, expected_contacts = graph(connection), _contacts(connection)
    closed = _quarantined(connection)
    assert bool(closed) == bool(in_force)
    forget(connection)

    def write(mine: Sequence[ClaimDraft]) -> None:
        with connect(shared_database_url, autocommit=True) as own:
            for start in range(0, len(mine), 4):
                _tell(own, mine[start : start + 4])

    random.shuffle(drafts)
    with ThreadPoolExecutor(16) as writers:
        # Each writer has its twenty messages, and the next writer has half of them too.
        list(writers.map(write, [(drafts + drafts)[start : start + 30] for start in range(0, 320, 20)]))
    check(connection)
    assert graph(connection) == expected
    assert _contacts(connection) == expected_contacts
    assert _quarantined(connection) == closed
    assert check_anew(connection).differences == ()
    with connection.transaction():
        set_rules(connection, {}, actor="test")


def _quarantined(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """Since when and why, by each profile of those in quarantine."""
    return connection.execute(
        """SELECT source_id::text, key_value, quarantined_at, quarantine FROM customer JOIN profile USING (customer_id)
        WHERE quarantined_at IS NOT NULL ORDER BY 1, 2"""
    ).fetchall()


def _draft(sources: Mapping[str, UUID], told: Mapping[str, Any]) -> ClaimDraft:
    return ClaimDraft(
        source_id=sources[told["source"]],
        namespace=told["key"][0],
        value=told["key"][1],
        at=START + timedelta(minutes=told["at"]),
        message_id=told["message"],
        kind=told["kind"],
        identifiers=told["says"],
        traits=told["traits"],
        group=told["group"],
        role=told["traits"].get("city") if told["group"] else None,
    )


def _groups_told(sources: Mapping[str, UUID], told: Sequence[Mapping[str, Any]]) -> list[ClaimDraft]:
    """Each affiliation's organisation, told by the same message, as `group` does."""
    return [
        replace(
            _draft(sources, one),
            namespace=one["group"][0],
            value=one["group"][1],
            kind="organisation",
            identifiers=(),
            traits={},
            group=None,
            role=None,
        )
        for one in told
        if one["group"]
    ]


def _tell(connection: Connection[Any], drafts: Sequence[ClaimDraft], decisions: Sequence[Decision] = ()) -> None:
    """As the stitcher does: claims, then a contact per message."""
    # A person and the organisation they name come in one message, so an affiliation's organisation is always known.
    extra = [
        replace(
            one,
            namespace=one.group[0],
            value=one.group[1],
            kind="organisation",
            identifiers=(),
            traits={},
            group=None,
            role=None,
        )
        for one in drafts
        if one.group
    ]
    with connection.transaction():
        hold_customers_exclusive(connection)
        attached = apply_claims(connection, [*drafts, *extra], decisions=decisions)
        record_interactions(
            connection,
            [
                InteractionRecord(
                    source_id=one.source_id,
                    external_id=f"{one.message_id}-{one.namespace}",
                    customer_id=attached[profile_key(one)].customer_id,
                    profile_id=attached[profile_key(one)].profile_id,
                    kind="page",
                    channel="web",
                    occurred_at=one.at,
                )
                for one in drafts
            ],
        )


def _contacts(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """Interactions and affiliations by natural keys, with whose they are."""
    return connection.execute(
        """SELECT source_id::text, key_value, occurred_at::text, count(*) FROM interaction
        JOIN profile USING (customer_id, profile_id, source_id) GROUP BY 1, 2, 3
        UNION ALL
        SELECT org.key_value, person.key_value || coalesce(role, ''), since_at::text, 1 FROM affiliation
        JOIN profile AS org ON org.profile_id = organisation_profile_id
        JOIN profile AS person ON person.profile_id = person_profile_id
        ORDER BY 1, 2, 3"""
    ).fetchall()


def _clusters(connection: Connection[Any]) -> set[tuple[frozenset[UUID], frozenset[str]]]:
    profiles = connection.execute("SELECT customer_id, array_agg(profile_id) FROM profile GROUP BY 1").fetchall()
    owned = dict(
        connection.execute(
            "SELECT customer_id, array_agg(namespace || ':' || value) FROM identifier WHERE NOT shared GROUP BY 1"
        ).fetchall()
    )
    return {(frozenset(members), frozenset(owned.get(one, ()))) for one, members in profiles}


def _pure(
    connection: Connection[Any], drafts: Sequence[ClaimDraft], decisions: Sequence[Decision]
) -> set[tuple[frozenset[UUID], frozenset[str]]]:
    """Invariant 6: rebuilding everything from the claims gives what was built step by step."""
    profiles = {
        ProfileKey(source_id, namespace, value): profile_id
        for source_id, namespace, value, profile_id in connection.execute(
            "SELECT source_id, namespace, value, profile_id FROM profile_key"
        )
    }
    rows = connection.execute(
        """SELECT claim_id, profile_id, source_id, first_at, first_message_id,
            (SELECT array_agg(ARRAY[namespace, value]) FROM claim_identifier AS one
             WHERE one.claim_id = claim.claim_id AND namespace <> 'profile') FROM claim"""
    ).fetchall()
    kinds = dict(connection.execute("SELECT profile_id, kind FROM profile").fetchall())
    keys = {profile_id: key for key, profile_id in profiles.items()}
    told = [
        Claim(
            claim_id=one,
            profile_id=profile_id,
            source_id=source_id,
            key=Identifier(*keys[profile_id][1:]),
            kind=kinds[profile_id],
            first_at=first_at,
            first_message_id=message_id,
            identifiers=tuple(Identifier(*pair) for pair in said),
        )
        for one, profile_id, source_id, first_at, message_id, said in rows
    ]
    assert {one.claim_id for one in told} == {
        claim_id(profile_key(one), list({Identifier(*profile_key(one)[1:]), *_said(one)})) for one in drafts
    }
    return {
        (frozenset(cluster.profile_ids), frozenset(f"{a}:{b}" for a, b in cluster.identifiers))
        for cluster in resolve(told, decisions, DEFAULT_RULES).clusters
    }


def _said(draft: ClaimDraft) -> set[Identifier]:
    normal: dict[str, Callable[[str], str]] = {"phone": "+34{}".format, "email": str.lower}
    return {Identifier(namespace, normal.get(namespace, str)(value)) for namespace, value in draft.identifiers}
