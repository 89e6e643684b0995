"""Screening: which customers may not be what their claims say, found over the whole graph at once with arrays. Pure.

Claims and what they mention are one graph; SciPy finds its connected components. Nearly all of them keep every limit whole, so
their claims make exactly one customer of them, and it is enough to compare. What cannot be told so is *suspect* and is
resolved one by one (`rebuilding`). Nodes, claims and customers are 64-bit hashes: should two collide, somebody is suspect without
a reason. Source: `identity.md`, invariant 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cdp.identify.rules import Rules

Hashes = NDArray[np.int64]
Places = NDArray[np.intp]
NOBODY: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Edges:
    """Which claim speaks of which node: `nodes` and `claims` once each, in order; for each edge the place of its node and of its
    claim; and the namespace of each node, by its hash.
    """

    nodes: Hashes
    claims: Hashes
    node_of: Places
    claim_of: Places
    spaces: NDArray[np.int32]

    @classmethod
    def of(cls, nodes: Hashes, claims: Hashes, spaces: NDArray[np.int32]) -> "Edges":
        """From three arrays, an element for each edge."""
        known, node_of = np.unique(nodes, return_inverse=True)
        told, claim_of = np.unique(claims, return_inverse=True)
        of_node = np.zeros(len(known), dtype=np.int32)
        of_node[node_of] = spaces
        return cls(nodes=known, claims=told, node_of=node_of, claim_of=claim_of, spaces=of_node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusions:
    """What is stored: profiles (node, customer, whether an organisation, whether the customer began with it), owners of
    identifiers and what customers show of them (node, customer), customers (hash, whether an organisation, whether in
    quarantine), claims of which something is refused.
    """

    profiles: tuple[Hashes, Hashes, NDArray[np.bool_], NDArray[np.bool_]]
    owners: tuple[Hashes, Hashes]
    shown: tuple[Hashes, Hashes]
    customers: tuple[Hashes, NDArray[np.bool_], NDArray[np.bool_]]
    refused: Hashes


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspects:
    """Profiles (one of each suspect component), and identifiers that nobody claims, as hashes; components in all."""

    profiles: Hashes
    unclaimed: Hashes
    components: int


def often_claimed(edges: Edges, most: int, *, profile_space: int) -> Places:
    """Places of the nodes of which claims of more than so many profiles speak."""
    is_profile = edges.spaces == profile_space
    told = is_profile[edges.node_of]
    profile_of = np.full(len(edges.claims), NOBODY)
    profile_of[edges.claim_of[told]] = edges.node_of[told]
    candidate = (np.bincount(edges.node_of, minlength=len(edges.nodes)) > most) & ~is_profile
    chosen = candidate[edges.node_of]
    # A claim set aside about its profile counts as one of its own.
    claim = edges.claim_of[chosen]
    profile = np.where(profile_of[claim] == NOBODY, claim + len(edges.nodes), profile_of[claim])
    pairs = np.unique(edges.node_of[chosen] * (len(edges.nodes) + len(edges.claims)) + profile)
    counts = np.bincount(pairs // (len(edges.nodes) + len(edges.claims)), minlength=len(edges.nodes))
    return np.flatnonzero(counts > most)


def claims_of(edges: Edges, places: Places) -> tuple[Hashes, Hashes]:
    """The edges of these nodes: node and claim of each."""
    chosen = np.isin(edges.node_of, places) if len(places) else np.zeros(len(edges.node_of), dtype=bool)
    return edges.nodes[edges.node_of[chosen]], edges.claims[edges.claim_of[chosen]]


def connected(edges: Edges, ties: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The component of each node, then of each claim, by those edges that tie."""
    size = len(edges.nodes) + len(edges.claims)
    left, right = edges.node_of[ties], edges.claim_of[ties] + len(edges.nodes)
    graph = coo_array((np.ones(len(left), dtype=np.int8), (left, right)), shape=(size, size))
    label: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return label


def screen(
    edges: Edges,
    stored: Conclusions,
    rules: Rules,
    *,
    spaces: Mapping[int, str | None],
    nobodys: Hashes,
    decided: Hashes,
    full: Hashes,
) -> Suspects:
    """Who may not be what their claims say. `spaces`: namespace by its hash, None for that of profiles' nodes. `nobodys`,
    `decided`, `full`: nodes that point at nobody, that people decided about, that have enough claims.
    """
    nodes, claims, node_of, claim_of, space = edges.nodes, edges.claims, edges.node_of, edges.claim_of, edges.spaces
    is_nobodys = _among(nodes, nobodys)
    label = connected(edges, ~is_nobodys[node_of])
    count = int(label.max(initial=-1)) + 1
    at, of = label[: len(nodes)], label[len(nodes) :]
    profile_space = next((code for code, name in spaces.items() if name is None), 0)
    is_profile = space == profile_space
    counted = ~is_profile & ~is_nobodys
    suspect = np.zeros(count, dtype=bool)

    for code, name in spaces.items():
        if name is not None:
            held = np.bincount(at[counted & (space == code)], minlength=count)
            suspect |= held > min(rules.limit(name).count, rules.size.identifiers - 1)
    suspect |= np.bincount(at[counted], minlength=count) >= rules.size.identifiers
    suspect |= np.bincount(at[is_profile], minlength=count) >= rules.size.profiles
    suspect[at[np.bincount(node_of, minlength=len(nodes)) >= rules.size.statements]] = True
    suspect[of[np.unique(claim_of[is_nobodys[node_of]])]] = True
    suspect[at[_among(nodes, decided) | _among(nodes, full)]] = True
    suspect[of[_among(claims, stored.refused)]] = True

    place, found = _places(nodes, stored.profiles[0])
    customers = np.unique(stored.profiles[1])
    owner = np.searchsorted(customers, stored.profiles[1])
    home = np.full(count, NOBODY)
    where = at[place[found]]
    home[where] = owner[found]
    lives = np.full(len(customers), NOBODY)
    lives[owner[found]] = where
    suspect[where[home[where] != owner[found]]] = True
    elsewhere = lives[owner[found]] != where
    suspect[where[elsewhere]] = True
    suspect[lives[owner[found]][elsewhere]] = True
    organisations = np.bincount(where[stored.profiles[2][found]], minlength=count)
    profiles = np.bincount(where, minlength=count)
    suspect |= (organisations > 0) & (organisations < profiles)
    suspect |= (profiles > 0) & (np.bincount(where[stored.profiles[3][found]], minlength=count) != 1)
    is_profile_lost = is_profile.copy()
    is_profile_lost[place[found]] = False
    suspect[at[is_profile_lost]] = True

    lost = _compare_customers(stored, customers, lives, organisations > 0, suspect)
    suspect[lives[lost]] = True
    unclaimed, is_owned = _compare_owners(stored, (nodes, at), (home, customers, lives), suspect)
    unclaimed = np.setdiff1d(unclaimed, decided)
    suspect[at[counted & ~is_owned & (home[at] != NOBODY)]] = True

    first = np.full(count, NOBODY)
    first[at[is_profile][::-1]] = np.flatnonzero(is_profile)[::-1]
    chosen = first[suspect]
    return Suspects(profiles=nodes[chosen[chosen != NOBODY]], unclaimed=unclaimed, components=count)


def _compare_customers(
    stored: Conclusions, customers: Hashes, lives: Any, is_organisation: Any, suspect: NDArray[np.bool_]
) -> Any:
    """Mark components whose customer is of another kind or in quarantine; places of customers that have no row."""
    place, found = _places(customers, stored.customers[0])
    where = lives[place[found]]
    wrong = (is_organisation[where] != stored.customers[1][found]) | stored.customers[2][found]
    suspect[where[wrong & (where != NOBODY)]] = True
    lost = np.flatnonzero(~_among(customers, stored.customers[0]))
    return lost[lives[lost] != NOBODY]


def _compare_owners(
    stored: Conclusions, of_nodes: tuple[Hashes, Any], of_customers: tuple[Any, Hashes, Any], suspect: NDArray[np.bool_]
) -> tuple[Hashes, NDArray[np.bool_]]:
    """Mark components whose identifiers are another's, or shown otherwise than owned. Identifiers that nobody claims, and which
    nodes are owned.
    """
    (nodes, at), (home, customers, lives) = of_nodes, of_customers
    unclaimed, held = [], []
    for told in (stored.owners, stored.shown):
        place, found = _places(nodes, told[0])
        owner, known = _places(customers, told[1][found])
        where = at[place[found]]
        wrong = (home[where] == NOBODY) | ~known | (home[where] != owner)
        suspect[where[wrong & (home[where] != NOBODY)]] = True
        elsewhere = lives[owner[wrong & known]]
        suspect[elsewhere[elsewhere != NOBODY]] = True
        unclaimed += [told[0][~found], told[0][found][(home[where] == NOBODY) | ~known]]
        is_held = np.zeros(len(nodes), dtype=bool)
        is_held[place[found]] = True
        held.append(is_held)
    is_owned, is_shown = held
    suspect[at[is_owned != is_shown]] = True
    return np.unique(np.concatenate(unclaimed)), is_owned


def _among(ordered: Hashes, wanted: Hashes) -> NDArray[np.bool_]:
    """Which of the ordered values are wanted."""
    place, found = _places(ordered, wanted)
    chosen = np.zeros(len(ordered), dtype=bool)
    chosen[place[found]] = True
    return chosen


def _places(ordered: Hashes, wanted: Hashes) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Where each wanted value stands among the ordered ones, and whether it does."""
    if len(ordered) == 0:
        return np.zeros(len(wanted), dtype=np.intp), np.zeros(len(wanted), dtype=bool)
    place = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return place, ordered[place] == wanted
