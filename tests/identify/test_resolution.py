"""Resolution as a pure function: what must hold for any set of claims."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from cdp.identify.claims import Claim, Decision, ProfileKey, claim_id, decision_id
from cdp.identify.identifier import Identifier
from cdp.identify.resolution import Resolution, resolve, shared_values
from cdp.identify.rules import DEFAULT_RULES, Limit, Rules
from tests.identify.world import START

SOURCES = [UUID(int=number) for number in (1, 2)]
KEYS = [Identifier("user_id", f"u{n}") for n in range(6)]
KEYS += [Identifier("anonymous_id", f"a{n}") for n in range(7)]
KEYS += [Identifier("crm_id", f"c{n}") for n in range(6)]
OTHERS = [Identifier("email", f"e{n}@example.org") for n in range(7)] + [
    Identifier("phone", f"+3460000000{n}") for n in range(3)
]


def profile_id(key: ProfileKey) -> UUID:
    return claim_id(key, [])


@st.composite
def claims(draw: st.DrawFn) -> list[Claim]:
    """A set of claims over few identifiers, so that they meet often."""
    told: dict[UUID, Claim] = {}
    for number in range(draw(st.integers(1, 25))):
        source_id = draw(st.sampled_from(SOURCES))
        key = draw(st.sampled_from(KEYS))
        others = draw(st.lists(st.sampled_from(OTHERS + KEYS[6:13]), max_size=3, unique=True))
        identifiers = tuple({key, *others})
        profile = ProfileKey(source_id, *key)
        claim = Claim(
            claim_id=claim_id(profile, identifiers),
            profile_id=profile_id(profile),
            source_id=source_id,
            key=key,
            kind="organisation" if key.value == "c5" else "person",
            first_at=START + timedelta(minutes=draw(st.integers(0, 6))),
            first_message_id=f"m{number}",
            identifiers=identifiers,
        )
        held = told.get(claim.claim_id)
        if held is None or claim.order < held.order:
            told[claim.claim_id] = claim
    return list(told.values())


@st.composite
def decisions(draw: st.DrawFn) -> list[Decision]:
    made = []
    for number in range(draw(st.integers(0, 3))):
        one, other = draw(st.lists(st.sampled_from(KEYS), min_size=2, max_size=2, unique=True))
        kind = draw(st.sampled_from(["link", "part"]))
        made.append(
            Decision(
                decision_id=decision_id(kind, one, other, "manual"),
                kind="link" if kind == "link" else "part",
                one=one,
                other=other,
                rule="manual",
                decided_at=START + timedelta(minutes=number),
            )
        )
    return made


@given(claims(), decisions(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_makes_no_difference(told: list[Claim], made: list[Decision], random: Random) -> None:
    expected = resolve(told, made, DEFAULT_RULES)
    shuffled, shuffled_decisions = list(told), list(made)
    random.shuffle(shuffled)
    random.shuffle(shuffled_decisions)
    assert resolve(shuffled, shuffled_decisions, DEFAULT_RULES) == expected


@given(claims(), decisions())
def test_everything_has_exactly_one_home(told: list[Claim], made: list[Decision]) -> None:
    resolution = resolve(told, made, DEFAULT_RULES)
    profiles = [one for cluster in resolution.clusters for one in cluster.profile_ids]
    assert sorted(profiles) == sorted({claim.profile_id for claim in told})
    owned = [one for cluster in resolution.clusters for one in cluster.identifiers]
    assert len(owned) == len(set(owned))
    refused = {(one.claim_id, one.identifier) for one in resolution.refusals}
    said = {(claim.claim_id, one) for claim in told for one in claim.identifiers}
    # Whatever a claim says is either with its profile or refused, with a reason.
    home = {profile: cluster for cluster in resolution.clusters for profile in cluster.profile_ids}
    by_id = {claim.claim_id: claim for claim in told}
    for one, identifier in said:
        attached = identifier in home[by_id[one].profile_id].identifiers
        assert attached or (one, identifier) in refused
    assert not set(owned) & resolution.shared
    assert all(len(cluster.founders) >= 1 for cluster in resolution.clusters)


@given(claims())
def test_no_limit_is_exceeded(told: list[Claim]) -> None:
    for cluster in resolve(told, [], DEFAULT_RULES).clusters:
        values: defaultdict[str, set[str]] = defaultdict(set)
        for namespace, value in cluster.identifiers:
            values[namespace].add(value)
        assert all(len(found) <= DEFAULT_RULES.limit(namespace).count for namespace, found in values.items())


def test_a_limit_within_a_window_lets_the_sixth_device_in_when_the_first_is_long_gone() -> None:
    yearly = Rules(default_limit=Limit(count=5, window="year"))
    days = [0, 10, 20, 30, 40, 300, 365]
    told = [_claim("user_id", "ana", day * 1440, f"anonymous_id:d{number}") for number, day in enumerate(days)]
    told = [replace(one, first_message_id=f"m{number}") for number, one in enumerate(told)]
    (cluster,) = resolve(told, [], yearly).clusters
    devices = {value for namespace, value in cluster.identifiers if namespace == "anonymous_id"}
    assert devices == {"d0", "d1", "d2", "d3", "d4", "d6"}
    assert {one.identifier.value for one in resolve(told, [], DEFAULT_RULES).refusals} == {"d5", "d6"}


@given(claims(), st.randoms(use_true_random=False))
def test_windows_too_hold_in_any_order(told: list[Claim], random: Random) -> None:
    rules = Rules(default_limit=Limit(count=1, window="week"), limits={"user_id": Limit(count=1)})
    spread = [replace(one, first_at=START + (one.first_at - START) * 2880) for one in told]
    expected = resolve(spread, [], rules)
    random.shuffle(spread)
    assert resolve(spread, [], rules) == expected


@given(claims(), decisions())
def test_what_is_parted_is_apart(told: list[Claim], made: list[Decision]) -> None:
    latest = {frozenset((one.one, one.other)): one for one in made}
    resolution = resolve(told, made, DEFAULT_RULES)
    for cluster in resolution.clusters:
        keys = {claim.key for claim in told if claim.profile_id in cluster.profile_ids}
        for pair, decision in latest.items():
            assert decision.kind == "link" or not pair <= (keys | cluster.identifiers)


@given(claims())
def test_persons_and_organisations_never_mix(told: list[Claim]) -> None:
    kinds = {claim.profile_id: claim.kind for claim in told}
    for cluster in resolve(told, [], DEFAULT_RULES).clusters:
        assert {kinds[one] for one in cluster.profile_ids} == {cluster.kind}


@given(claims(), decisions())
def test_each_component_can_be_resolved_alone(told: list[Claim], made: list[Decision]) -> None:
    """The database resolves only what a batch touches: that must be what resolving everything would give."""
    whole = resolve(told, made, DEFAULT_RULES)
    alone = [resolve(part, made, DEFAULT_RULES, shared=whole.shared) for part in _components(told, made, whole.shared)]
    assert {cluster for one in alone for cluster in one.clusters} == set(whole.clusters)
    assert {one for part in alone for one in part.refusals} == set(whole.refusals)


@given(claims(), claims())
def test_a_shared_value_stays_shared(some: list[Claim], more: list[Claim]) -> None:
    together = {claim.claim_id: claim for claim in (*some, *more)}
    assert shared_values(some, DEFAULT_RULES) <= shared_values(list(together.values()), DEFAULT_RULES)


@given(claims())
def test_joins_tell_how_founders_came_together(told: list[Claim]) -> None:
    """The merge ledger's raw material: starting from the founders, the joins lead to the clusters."""
    resolution = resolve(told, [], DEFAULT_RULES)
    groups = {founder: {founder} for cluster in resolution.clusters for founder in cluster.founders}
    for join in resolution.joins:
        merged = groups[join.one[0]] | groups[join.other[0]]
        assert set(join.one) | set(join.other) == merged
        for founder in merged:
            groups[founder] = merged
    assert {frozenset(group) for group in groups.values()} == {frozenset(one.founders) for one in resolution.clusters}


def test_a_family_mailbox_goes_to_whom_it_came_first_however_late_that_is_told() -> None:
    ana = _claim("user_id", "ana", 10, "email:family@example.org")
    ben = _claim("user_id", "ben", 20, "email:family@example.org")
    assert _owner(resolve([ben, ana], [], DEFAULT_RULES), "email:family@example.org") == ana.profile_id
    earlier = replace(ben, first_at=START)
    assert _owner(resolve([ana, earlier], [], DEFAULT_RULES), "email:family@example.org") == ben.profile_id


def _claim(namespace: str, value: str, minute: int, *says: str) -> Claim:
    key = Identifier(namespace, value)
    profile = ProfileKey(SOURCES[0], *key)
    identifiers = (key, *(Identifier(*one.split(":", 1)) for one in says))
    return Claim(
        claim_id=claim_id(profile, identifiers),
        profile_id=profile_id(profile),
        source_id=SOURCES[0],
        key=key,
        kind="person",
        first_at=START + timedelta(minutes=minute),
        first_message_id=value,
        identifiers=identifiers,
    )


def _owner(resolution: Resolution, identifier: str) -> UUID:
    wanted = Identifier(*identifier.split(":", 1))
    return next(cluster.profile_ids[0] for cluster in resolution.clusters if wanted in cluster.identifiers)


def _components(told: Sequence[Claim], made: Iterable[Decision], shared: frozenset[Identifier]) -> list[list[Claim]]:
    """Claims connected through unshared identifiers, profiles and decisions, the plain way: sets merged until none meet."""
    profile = {claim.claim_id: Identifier("profile", claim.profile_id.hex) for claim in told}
    groups = [{*claim.identifiers, claim.key} - shared | {profile[claim.claim_id]} for claim in told]
    groups += [{one.one, one.other} - shared for one in made]
    while True:
        meeting = next(((one, other) for one, other in combinations(groups, 2) if one & other), None)
        if meeting is None:
            break
        groups = [group for group in groups if group not in meeting] + [meeting[0] | meeting[1]]
    parts = [[claim for claim in told if profile[claim.claim_id] in group] for group in groups]
    return [part for part in parts if part]
