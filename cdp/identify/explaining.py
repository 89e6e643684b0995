"""Explaining: why two identifiers are one customer's, as the shortest path of claims and decisions between them.

Claims tie the profile they are about with the identifiers they say, as far as these were taken up; decisions tie two of either.
Pure but for its statements, which are read by whoever asks, with a bound. Source: `identity.md`, merge ledger.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from cdp.db.statements import load_statements
from cdp.identify.claims import Decision, profile_node
from cdp.identify.identifier import PROFILE, Identifier
from cdp.identify.stored_decisions import decisions_from

STATEMENTS: Final = load_statements("cdp.identify", "explaining.sql")

MOST_CLAIMS: Final = 20_000
"""That are read for a path, the earliest. A customer with more is in quarantine, and explained by them all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """What ties identifiers: a claim (source, message, what it says) or a decision. `nodes` may hold the profile's own."""

    at: datetime
    nodes: tuple[Identifier, ...]
    source: str | None = None
    message_id: str | None = None
    decision: Decision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a path: by this tie from one identifier to the next. A profile stands as its key."""

    origin: Identifier
    target: Identifier
    tie: Tie


@dataclass(frozen=True, slots=True, kw_only=True)
class Ties:
    """All that holds a customer together, and the keys of its profiles by their nodes."""

    ties: Sequence[Tie]
    keys: Mapping[Identifier, Identifier]


def ties_of(statements: Iterable[Sequence[Any]], decisions: Iterable[Sequence[Any]]) -> Ties:
    """From rows of `statements_of` and of `decisions_about`."""
    found, keys = [], {}
    for _, profile_id, key_namespace, key_value, source, at, message_id, namespaces, values in statements:
        node = profile_node(profile_id)
        keys[node] = Identifier(key_namespace, key_value)
        said = sorted(Identifier(*pair) for pair in zip(namespaces or (), values or (), strict=True))
        found.append(Tie(at=at, nodes=(*said, node), source=source, message_id=message_id))
    links = (one for one in decisions_from(decisions) if one.kind == "link")
    found.extend(
        Tie(at=one.decided_at, nodes=(one.one, one.other), decision=one)
        for one in sorted(links, key=lambda one: (one.decided_at, one.decision_id))
    )
    return Ties(ties=found, keys=keys)


def nodes_of(statements: Iterable[Sequence[Any]], *asked: Identifier) -> list[Identifier]:
    """What decisions about the customer may be about: its profiles, what they say, and what was asked."""
    nodes = set(asked)
    for row in statements:
        nodes.add(profile_node(row[1]))
        nodes.update(Identifier(*pair) for pair in zip(row[7] or (), row[8] or (), strict=True))
    return sorted(nodes)


def path(held: Ties, one: Identifier, other: Identifier) -> tuple[Step, ...] | None:
    """The fewest ties that lead from one to the other, the earliest of several; None when they don't.

    An identifier leads to itself by the first tie that has it. O(what the ties hold).
    """
    by_node: defaultdict[Identifier, list[int]] = defaultdict(list)
    for rank, tie in enumerate(held.ties):
        for node in tie.nodes:
            by_node[node].append(rank)
    if one == other:
        return tuple(Step(origin=one, target=one, tie=held.ties[rank]) for rank in by_node[one][:1]) or None
    came = _reached(held, by_node, one, other)
    if other not in came:
        return None
    steps: list[Step] = []
    node = other
    while node != one:
        before, rank = came[node]
        steps.append(Step(origin=_named(held, before), target=_named(held, node), tie=held.ties[rank]))
        node = before
    return tuple(reversed(steps))


def _reached(
    held: Ties, by_node: Mapping[Identifier, Sequence[int]], one: Identifier, other: Identifier
) -> dict[Identifier, tuple[Identifier, int]]:
    """Breadth first from `one` until `other` is met: from where, and by which tie, each node was reached."""
    came: dict[Identifier, tuple[Identifier, int]] = {}
    used: set[int] = set()
    ahead = deque([one])
    while ahead and other not in came:
        here = ahead.popleft()
        for rank in by_node[here]:
            if rank in used:
                continue
            used.add(rank)
            for node in held.ties[rank].nodes:
                if node != one and node not in came:
                    came[node] = here, rank
                    ahead.append(node)
    return came


def shown(tie: Tie) -> list[Identifier]:
    """The identifiers that a tie is about, as people know them."""
    return [node for node in tie.nodes if node.namespace != PROFILE]


def asked_of(one: Identifier, other: Identifier) -> dict[str, str]:
    """Parameters of `owners_of_two`."""
    return {
        "one_namespace": one.namespace,
        "one_value": one.value,
        "other_namespace": other.namespace,
        "other_value": other.value,
    }


def statements_asked(customer_id: UUID) -> dict[str, Any]:
    """Parameters of `statements_of`."""
    return {"customer_id": customer_id, "most": MOST_CLAIMS}


def _named(held: Ties, node: Identifier) -> Identifier:
    return held.keys.get(node, node)
