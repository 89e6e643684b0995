"""Crowding: of the claims that mention one profile or value only so many count, the earliest; the others are set aside. Pure.

It bounds what must be read and resolved again when a claim arrives: eight thousand devices of one user are a thousand claims.
Which claims count is a function of the set of claims: the first in canonical order, and of each key of people its first, so that
shared values are found all the same. Source: `identity.md`, rule 5; decision 0023.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from cdp.identify.claims import Claim, Decision, profile_node
from cdp.identify.identifier import Identifier
from cdp.identify.rules import Rules

Order = tuple[datetime, UUID, str, UUID]
"""A claim's place: event time, source, message, claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowding:
    """`last`: by full node, the place of the last claim that counts. `set_aside`: (claim, node) that don't count."""

    last: Mapping[Identifier, Order] = field(default_factory=lambda: MappingProxyType({}))
    set_aside: frozenset[tuple[UUID, Identifier]] = frozenset()


NOBODY_CROWDED = Crowding()


def crowding(
    ordered: Sequence[Claim],
    grants: Mapping[Identifier, int],
    rules: Rules,
    *,
    nobodys: AbstractSet[Identifier] = frozenset(),
) -> Crowding:
    """Which nodes are full and what is beyond. `ordered`: claims in canonical order; `grants`: what people allowed, by node.

    `nobodys` point at nobody, and tie nothing however often they are claimed: of those not all claims are read.
    """
    if len(ordered) < rules.size.statements:
        return NOBODY_CROWDED
    mentions = Counter(node for claim in ordered for node in _nodes(claim))
    full = {node for node, count in mentions.items() if count >= _most(node, grants, rules)} - nobodys
    seen: Counter[Identifier] = Counter()
    known: set[tuple[Identifier, UUID]] = set()
    last: dict[Identifier, Order] = {}
    beyond: set[tuple[UUID, Identifier]] = set()
    for claim in ordered if full else ():
        for node in _nodes(claim) & full:
            seen[node] += 1
            is_first = (node, claim.profile_id) not in known and claim.key.namespace not in rules.device_namespaces
            known.add((node, claim.profile_id))
            if seen[node] <= _most(node, grants, rules):
                last[node] = claim.order
            elif not is_first:
                beyond.add((claim.claim_id, node))
    return Crowding(last=last, set_aside=frozenset(beyond))


def counting(ordered: Iterable[Claim], crowded: Crowding) -> list[Claim]:
    """The claims, each with what counts of it."""
    if not crowded.set_aside:
        return list(ordered)
    touched = {claim_id for claim_id, _ in crowded.set_aside}
    return [_cut(claim, crowded) if claim.claim_id in touched else claim for claim in ordered]


def grants_of(decisions: Iterable[Decision]) -> dict[Identifier, int]:
    """How far people let what is about these nodes grow; of two such decisions the later counts."""
    grown = sorted((one for one in decisions if one.kind == "grow"), key=lambda one: (one.decided_at, one.decision_id))
    return {one.one: one.most for one in grown if one.most is not None}


def counts_on_arrival(
    place: Order, node: Identifier, full: Mapping[Identifier, Order], *, own: Identifier, key: Identifier, rules: Rules
) -> bool:
    """Whether what a new claim says of a full node may count. When in doubt it may, and `crowding` has the last word.

    `own`, `key`: the node of the claim's profile, and its key.
    """
    if place <= full[node]:
        return True
    # Of what a full profile says of its own key, the first is long known.
    is_own = node == own or (node == key and own in full and place > full[own])
    return not is_own and key.namespace not in rules.device_namespaces


def _nodes(claim: Claim) -> set[Identifier]:
    nodes = set(claim.identifiers)
    if not claim.is_set_aside:
        nodes.add(profile_node(claim.profile_id))
    return nodes


def _cut(claim: Claim, crowded: Crowding) -> Claim:
    left = tuple(one for one in claim.identifiers if (claim.claim_id, one) not in crowded.set_aside)
    gone = claim.is_set_aside or (claim.claim_id, profile_node(claim.profile_id)) in crowded.set_aside
    return replace(claim, identifiers=left, is_set_aside=gone)


def _most(node: Identifier, grants: Mapping[Identifier, int], rules: Rules) -> int:
    return max(rules.size.statements, grants.get(node, 0))
