"""Stories for identity's invariants: a handful of messages about few people, so that they meet; told, and read back.

A story is drawn as plain tuples, which is most of what makes a thousand of them cheap. In a `world` of its own each value is
another, so that many stories told at once are as many graphs.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import combinations, pairwise
from random import Random
from typing import Any, LiteralString
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from psycopg import Connection

from cdp.db.locks import hold_customers_exclusive
from cdp.events.interactions import InteractionRecord, record_interactions
from cdp.identify import ClaimDraft, Decision, apply_claims
from cdp.identify.claims import Claim, claim_id, decision_id
from cdp.identify.gathering import profile_key
from cdp.identify.identifier import EMAIL, USER_ID, Identifier
from cdp.identify.resolution import resolve
from cdp.identify.rules import DEFAULT_RULES, Limit, Rules, Size
from tests.identify.world import START, Graph, graph

INVARIANT = settings(
    max_examples=1_000,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""How each invariant of `identity.md` is tested: a thousand examples, the same each time."""

DATABASE = settings(INVARIANT, max_examples=60)
"""How what follows from the invariants, or is more than they say, is tested through the database."""

SOURCES = ("web", "crm")
PEOPLE = [("user_id", f"u{n}") for n in range(3)] + [("anonymous_id", f"a{n}") for n in range(4)]
PEOPLE += [("crm_id", f"c{n}") for n in range(4)]
GROUPS = [("group_id", f"g{n}") for n in range(2)]
OTHERS = [("email", f"E{n}@Example.org") for n in range(4)] + [("phone", f"60000000{n}") for n in range(2)]
ACCOUNTS = [("account_number", f"K-{n}") for n in range(2)]

SMALL = Rules(
    limits={USER_ID: Limit(count=1), EMAIL: Limit(count=2)},
    default_limit=Limit(count=3),
    shared_above_profiles=2,
    size=Size(profiles=4, identifiers=6, statements=5),
)
"""Rules that a story of ten messages is up against: limits, shared values and full customers."""

Pair = tuple[str, str]
Said = tuple[str, Pair, tuple[Pair, ...], int, Mapping[str, Any], Pair | None]
"""A message: source, key, what it says, minute, traits, and the organisation of a person."""

Story = Sequence[Said]
Told = ClaimDraft | Decision

_SAYABLE = (*OTHERS, *PEOPLE[3:7])
_SAYS: list[tuple[Pair, ...]] = [(), *combinations(_SAYABLE, 1), *combinations(_SAYABLE, 2)]
_TRAITS: list[Mapping[str, Any]] = [
    {},
    {"name": "x"},
    {"name": "y", "city": "x"},
    {"city": "y", "vip": None},
    {"vip": "x"},
]


def stories(least: int = 1, most: int = 8) -> st.SearchStrategy[Story]:
    """So many messages of persons and organisations, and up to two of them said again, maybe earlier."""
    message = st.tuples(
        st.sampled_from(SOURCES),
        st.sampled_from(PEOPLE + GROUPS),
        st.sampled_from(_SAYS),
        st.integers(0, 5),
        st.sampled_from(_TRAITS),
        st.sampled_from([None, None, *GROUPS]),
    )
    again = st.lists(st.tuples(st.integers(0, most), st.integers(0, 5)), max_size=2)
    return st.tuples(st.lists(message, min_size=least, max_size=most), again).map(_told)


def _told(drawn: tuple[Story, Sequence[tuple[int, int]]]) -> Story:
    messages, again = drawn
    repeated = [(messages[which % len(messages)], minute) for which, minute in again]
    return [*messages, *((*one[:3], minute, *one[4:]) for one, minute in repeated)]


def aliases() -> st.SearchStrategy[list[Decision]]:
    """Up to two calls of `alias`, each of two keys of people."""
    pairs = st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from(PEOPLE)), max_size=2)
    return pairs.map(lambda drawn: [_alias(number, *pair) for number, pair in enumerate(drawn) if pair[0] != pair[1]])


def _alias(number: int, one: Pair, other: Pair) -> Decision:
    return Decision(
        decision_id=decision_id("link", Identifier(*one), Identifier(*other), "alias"),
        kind="link",
        one=Identifier(*one),
        other=Identifier(*other),
        rule="alias",
        decided_at=START + timedelta(minutes=number),
    )


def drafts_of(sources: Mapping[str, UUID], story: Story, *, world: str = "", message: str = "m") -> list[ClaimDraft]:
    """A story's messages as the stitcher hands them over, numbered from `message`00. `world`: digits, two of them."""

    def own(pair: Pair) -> Pair:
        namespace, value = pair
        return namespace, f"6{world}{value[3:]}" if world and namespace == "phone" else world + value

    return [
        ClaimDraft(
            source_id=sources[source],
            namespace=key[0],
            value=world + key[1],
            at=START + timedelta(minutes=minute),
            message_id=f"{world}{message}{number:02}",
            kind="organisation" if key in GROUPS else "person",
            identifiers=[own(pair) for pair in (ACCOUNTS[: len(says)] if key in GROUPS else says)],
            traits=traits,
            group=own(group) if group and key not in GROUPS else None,
            role=traits.get("city") if group and key not in GROUPS else None,
        )
        for number, (source, key, says, minute, traits, group) in enumerate(story)
    ]


def in_batches(told: Sequence[Told], random: Random, most: int) -> list[Sequence[Told]]:
    """What is told, in at most so many batches, cut anywhere."""
    cuts = sorted({0, len(told), *(random.randint(0, len(told)) for _ in range(most - 1))})
    return [told[start:end] for start, end in pairwise(cuts)]


def tell_all(connection: Connection[Any], told: Sequence[Told], *, rules: Rules | None = None) -> None:
    """One batch, one transaction: claims, then a contact per message."""
    drafts = [one for one in told if isinstance(one, ClaimDraft)]
    decisions = [one for one in told if isinstance(one, Decision)]
    with connection.transaction():
        hold_customers_exclusive(connection)
        attached = apply_claims(connection, with_organisations(drafts), decisions=decisions, rules=rules)
        homes = [attached[profile_key(one)] for one in drafts]
        record_interactions(
            connection,
            [
                InteractionRecord(
                    source_id=one.source_id,
                    external_id=one.message_id,
                    customer_id=home.customer_id,
                    profile_id=home.profile_id,
                    kind="page",
                    channel="web",
                    occurred_at=one.at,
                )
                for one, home in zip(drafts, homes, strict=True)
            ],
        )


def with_organisations(drafts: Sequence[ClaimDraft]) -> list[ClaimDraft]:
    """And the organisations that persons belong to: each is told by the same message, so that it is always known."""
    return [
        *drafts,
        *(
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
        ),
    ]


_CONTACTS: LiteralString = """
    SELECT source_id::text, key_value, occurred_at::text, count(*) FROM interaction
    JOIN profile USING (customer_id, profile_id, source_id) GROUP BY 1, 2, 3
    UNION ALL
    SELECT org.key_value, person.key_value || coalesce(role, ''), since_at::text, 1 FROM affiliation
    JOIN profile AS org ON org.profile_id = organisation_profile_id
    JOIN profile AS person ON person.profile_id = person_profile_id
    ORDER BY 1, 2, 3"""
_QUARANTINED: LiteralString = """
    SELECT source_id::text, key_value, quarantined_at, quarantine FROM customer JOIN profile USING (customer_id)
    WHERE quarantined_at IS NOT NULL ORDER BY 1, 2"""


def contacts(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """Interactions and affiliations by natural keys, with whose they are."""
    return connection.execute(_CONTACTS).fetchall()


def quarantined(connection: Connection[Any]) -> list[tuple[Any, ...]]:
    """Since when and why, by each profile of those in quarantine."""
    return connection.execute(_QUARANTINED).fetchall()


def standing(connection: Connection[Any]) -> tuple[Graph, list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """All that follows from what was told: customers, their contacts, and who is in quarantine."""
    return graph(connection), contacts(connection), quarantined(connection)


Clusters = set[tuple[frozenset[UUID], frozenset[str]]]
"""Profiles, and the identifiers that they own together."""


def clusters(connection: Connection[Any]) -> Clusters:
    """The customers as stored."""
    profiles = connection.execute("SELECT customer_id, array_agg(profile_id) FROM profile GROUP BY 1").fetchall()
    owned = dict(
        connection.execute(
            "SELECT customer_id, array_agg(namespace || ':' || value) FROM identifier WHERE NOT shared GROUP BY 1"
        ).fetchall()
    )
    return {(frozenset(members), frozenset(owned.get(one, ()))) for one, members in profiles}


def clusters_by_definition(
    connection: Connection[Any],
    drafts: Sequence[ClaimDraft],
    decisions: Sequence[Decision],
    rules: Rules = DEFAULT_RULES,
) -> Clusters:
    """The customers that follow from all claims stored, which are those of the drafts, by the pure function alone."""
    profiles = {
        profile_id: (Identifier(namespace, value), kind)
        for profile_id, namespace, value, kind in connection.execute(
            "SELECT profile_id, key_namespace, key_value, kind FROM profile"
        )
    }
    told = [
        Claim(
            claim_id=one,
            profile_id=profile_id,
            source_id=source_id,
            key=profiles[profile_id][0],
            kind=profiles[profile_id][1],
            first_at=first_at,
            first_message_id=message_id,
            identifiers=tuple(Identifier(*pair) for pair in said),
        )
        for one, profile_id, source_id, first_at, message_id, said in connection.execute(
            """SELECT claim_id, profile_id, source_id, first_at, first_message_id,
                (SELECT array_agg(ARRAY[namespace, value]) FROM (
                    SELECT namespace, value, claim_id FROM claim_identifier
                    UNION ALL SELECT namespace, value, claim_id FROM claim_set_aside
                ) AS one WHERE one.claim_id = claim.claim_id AND namespace <> 'profile') FROM claim"""
        )
    ]
    assert {one.claim_id for one in told} == {
        claim_id(profile_key(one), list({Identifier(*profile_key(one)[1:]), *_said(one)}))
        for one in with_organisations(drafts)
    }
    return {
        (frozenset(cluster.profile_ids), frozenset(f"{one.namespace}:{one.value}" for one in cluster.identifiers))
        for cluster in resolve(told, decisions, rules).clusters
    }


def _said(draft: ClaimDraft) -> set[Identifier]:
    normal: dict[str, Callable[[str], str]] = {"phone": "+34{}".format, "email": str.lower}
    return {Identifier(namespace, normal.get(namespace, str)(value)) for namespace, value in draft.identifiers}
