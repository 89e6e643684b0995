"""Claims as stored: put there, set aside where there are enough, and read again with all that is connected with them.

Inside the caller's transaction, under the customers' lock, as all of `queries`. What nobody ever heard of needs no reading:
claims of new profiles about values that no claim and no decision knows (`Put.fresh`).
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from psycopg import Connection

from cdp.db.plans import AS_USUAL, BY_INDEX
from cdp.db.rows import as_array
from cdp.identify.claims import Claim, Kind, ProfileKey, profile_node
from cdp.identify.crowding import Crowding, Order, counts_on_arrival
from cdp.identify.gathering import ToldClaim
from cdp.identify.identifier import PROFILE, Identifier
from cdp.identify.looking_ahead import Foreseen, claims_told
from cdp.identify.queries import STATEMENTS, columns, put
from cdp.identify.redrawing import StoredProfile
from cdp.identify.rules import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredClaim:
    """A claim of a component: what resolution sees, its last time, and its values as given."""

    claim: Claim
    last_at: datetime
    given: Mapping[Identifier, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """What storing claims came to. `seeds`: nodes about which what follows may change, but for those of `fresh` claims: of new
    profiles, about values that nothing stored knows, and so connected with one another at most.
    """

    seeds: set[Identifier]
    fresh: Mapping[UUID, ToldClaim]


def put_claims(
    connection: Connection[Any],
    told: Mapping[UUID, ToldClaim],
    profile_ids: Mapping[ProfileKey, UUID],
    rules: Rules,
    *,
    new: Collection[ProfileKey],
    decided: AbstractSet[Identifier] = frozenset(),
    foreseen: Foreseen | None = None,
) -> Put:
    """Store claims, and find those that say what changes what follows: new ones, and those whose first time is now earlier.

    What such a claim says of a node that has enough earlier ones is kept and set aside, and changes nothing. `new`: profiles that
    have no row yet; `decided`: nodes that decisions of the same batch are about.
    """
    known = claims_told(connection, told, foreseen)
    changed: set[UUID] = set()
    told_first: list[tuple[Any, ...]] = []
    seen_again: list[tuple[Any, ...]] = []
    for claim_id, claim in told.items():
        held = known.get(claim_id)
        first, last_at = held or (claim.first, claim.last_at)
        if held is None or claim.first < first:
            first = claim.first
            changed.add(claim_id)
        elif claim.last_at <= last_at:
            continue
        times = (*first, max(last_at, claim.last_at))
        if held is None:
            told_first.append((claim_id, claim.key.source_id, profile_ids[claim.key], *times))
        else:
            seen_again.append((claim_id, *times))
    when = ("first_at", "first_message_ids", "last_at")
    put(connection, "put_claims", ("claim_ids", "source_ids", "profile_ids", *when), told_first)
    put(connection, "see_claims", ("claim_ids", *when), seen_again)
    nodes_of = {claim_id: _nodes(told[claim_id], profile_ids) for claim_id in changed}
    alone = {one for one in changed if one not in known and told[one].key in new}
    fresh = _fresh(connection, nodes_of, alone, decided) if alone else set()
    full = full_nodes(connection, {node for one in changed - fresh for node in nodes_of[one]})
    said: list[tuple[Any, ...]] = []
    aside: list[tuple[Any, ...]] = []
    back: list[tuple[Any, ...]] = []
    seeds: set[Identifier] = set()
    for claim_id, nodes in nodes_of.items():
        late = set(late_nodes(told[claim_id], profile_ids, full, rules)) if full else set()
        if claim_id not in known:
            said.extend((*node, claim_id, given) for node, given in nodes.items() if node not in late)
            aside.extend((*node, claim_id, nodes[node]) for node in late)
        else:
            back.extend((*node, claim_id) for node in nodes if node in full and node not in late)
        if claim_id not in fresh:
            seeds |= nodes.keys() - late
    names = ("namespaces", "values", "claim_ids")
    put(connection, "put_claim_identifiers", (*names, "given"), said)
    put(connection, "put_set_aside", (*names, "given"), aside)
    put(connection, "take_back", names, back)
    return Put(seeds=seeds, fresh={one: told[one] for one in fresh})


def _fresh(
    connection: Connection[Any],
    nodes_of: Mapping[UUID, Mapping[Identifier, str]],
    alone: AbstractSet[UUID],
    decided: AbstractSet[Identifier],
) -> set[UUID]:
    """Of these new claims of new profiles, before what they say is stored: those connected with nothing but one another."""
    values = {node for one in alone for node in nodes_of[one] if node.namespace != PROFILE}
    namespaces, texts = columns(values, 2)
    connection.execute(BY_INDEX)
    rows = connection.execute(STATEMENTS["heard_of"], {"namespaces": namespaces, "values": texts}).fetchall()
    connection.execute(AS_USUAL)
    heard_of = {Identifier(namespace, value) for namespace, value in rows} | decided
    heard_of.update(node for one in nodes_of.keys() - alone for node in nodes_of[one])
    about: defaultdict[Identifier, list[UUID]] = defaultdict(list)
    for one in alone:
        for node in nodes_of[one]:
            about[node].append(one)
    # What is known spreads along the claims until it finds no more.
    fresh = set(alone)
    spreading = [node for node in heard_of if node in about]
    while spreading:
        for one in about.pop(spreading.pop(), ()):
            if one in fresh:
                fresh.remove(one)
                spreading.extend(node for node in nodes_of[one] if node in about)
    return fresh


def as_stored(
    fresh: Mapping[UUID, ToldClaim], profile_ids: Mapping[ProfileKey, UUID]
) -> tuple[dict[UUID, StoredClaim], dict[UUID, StoredProfile]]:
    """Fresh claims and their profiles, as `component` would read them."""
    claims: dict[UUID, StoredClaim] = {}
    profiles: dict[UUID, StoredProfile] = {}
    for claim_id, one in fresh.items():
        profile_id = profile_ids[one.key]
        claim = Claim(
            claim_id=claim_id,
            profile_id=profile_id,
            source_id=one.key.source_id,
            key=Identifier(*one.key[1:]),
            kind=one.profile.kind,
            first_at=one.first[0],
            first_message_id=one.first[1],
            identifiers=tuple(one.said),
        )
        claims[claim_id] = StoredClaim(claim=claim, last_at=one.last_at, given=one.said)
        profiles[profile_id] = StoredProfile(profile_id=profile_id, customer_id=None, founded_customer_id=None)
    return claims, profiles


def _nodes(claim: ToldClaim, profile_ids: Mapping[ProfileKey, UUID]) -> dict[Identifier, str]:
    """What a claim is about, with values as given: its profile, and what it says."""
    node = profile_node(profile_ids[claim.key])
    return {node: node.value, **claim.said}


def late_nodes(
    claim: ToldClaim, profile_ids: Mapping[ProfileKey, UUID], full: Mapping[Identifier, Order], rules: Rules
) -> Iterator[Identifier]:
    """The full nodes about which a new claim surely doesn't count."""
    own = profile_node(profile_ids[claim.key])
    order = (claim.first[0], claim.key.source_id, claim.first[1], claim.claim_id)
    key = Identifier(*claim.key[1:])
    for node in _nodes(claim, profile_ids):
        if node in full and not counts_on_arrival(order, node, full, own=own, key=key, rules=rules):
            yield node


def full_nodes(connection: Connection[Any], nodes: Collection[Identifier]) -> dict[Identifier, Order]:
    """Which of these nodes have enough claims, and the place of the last that counts."""
    if not nodes:
        return {}
    namespaces, values = columns(nodes, 2)
    rows = connection.execute(STATEMENTS["full_nodes"], {"namespaces": namespaces, "values": values})
    return {Identifier(namespace, value): tuple(order) for namespace, value, *order in rows}


def set_aside(connection: Connection[Any], crowded: Crowding) -> None:
    """Set aside what no longer counts, and remember which nodes are full."""
    if not crowded.last:
        return
    names = ("namespaces", "values")
    put(connection, "set_aside", (*names, "claim_ids"), [(*node, claim_id) for claim_id, node in crowded.set_aside])
    held = full_nodes(connection, crowded.last.keys())
    news = [(*node, *order) for node, order in crowded.last.items() if held.get(node) != order]
    put(connection, "put_full_nodes", (*names, "at", "source_ids", "message_ids", "claim_ids"), news)


def count_again(connection: Connection[Any], nodes: Collection[Identifier], most: int) -> None:
    """Let so many claims count about each of these full nodes; `set_aside` will tell if they are full again."""
    if not nodes:
        return
    namespaces, values = columns(nodes, 2)
    given = {"namespaces": namespaces, "values": values}
    early = connection.execute(STATEMENTS["early_set_aside"], {**given, "most": most}).fetchall()
    put(connection, "take_back", ("namespaces", "values", "claim_ids"), early)
    connection.execute(STATEMENTS["delete_full_nodes"], given)


def component(
    connection: Connection[Any], seeds: Collection[Identifier], untold: Mapping[UUID, tuple[ProfileKey, Kind]]
) -> tuple[dict[UUID, StoredClaim], dict[UUID, StoredProfile]]:
    """All claims connected with the seeds, and their profiles. `untold`: new profiles, which have no row yet."""
    namespaces, values = columns(seeds, 2)
    # The working table of a recursion has no statistics; left to guess, the planner reads whole tables for a handful
    # of rows.
    connection.execute(BY_INDEX)
    rows = connection.execute(STATEMENTS["component"], {"namespaces": namespaces, "values": values}).fetchall()
    connection.execute(AS_USUAL)
    stored = connection.execute(
        STATEMENTS["profiles"], {"profile_ids": as_array(list({row[1] for row in rows}))}
    ).fetchall()
    kinds: dict[UUID, tuple[Identifier, Kind]] = {
        profile_id: (Identifier(*key[1:]), kind) for profile_id, (key, kind) in untold.items()
    }
    profiles = {
        profile_id: StoredProfile(profile_id=profile_id, customer_id=None, founded_customer_id=None)
        for profile_id in untold
    }
    for profile_id, customer_id, _, kind, *key, founded in stored:
        kinds[profile_id] = Identifier(*key), cast("Kind", kind)
        profiles[profile_id] = StoredProfile(
            profile_id=profile_id, customer_id=customer_id, founded_customer_id=founded
        )
    claims: dict[UUID, StoredClaim] = {}
    for claim_id, profile_id, source_id, first_at, message_id, last_at, *said in rows:
        identifiers = tuple(Identifier(*pair) for pair in zip(said[0] or (), said[1] or (), strict=True))
        key_identifier, kind = kinds[profile_id]
        claim = Claim(
            claim_id=claim_id,
            profile_id=profile_id,
            source_id=source_id,
            key=key_identifier,
            kind=kind,
            first_at=first_at,
            first_message_id=message_id,
            identifiers=identifiers,
            is_set_aside=said[3],
        )
        given = dict(zip(identifiers, said[2] or (), strict=True))
        claims[claim_id] = StoredClaim(claim=claim, last_at=last_at, given=given)
    # Claims set aside lead to profiles of which not all is read.
    reached = {one.claim.profile_id for one in claims.values() if not one.claim.is_set_aside}
    return claims, {profile_id: profiles[profile_id] for profile_id in reached}
