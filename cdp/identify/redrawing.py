"""Redrawing: the difference between the customers stored and those resolution finds, as a plan of changes. Pure.

Ids are stable: each profile that began as a customer of its own keeps that id for ever, and a cluster is called by
the oldest of its profiles' ids. So a merge keeps the older customer's id, the other leads there by a redirect, and a
split revives it.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from cdp.identify.claims import Claim, Kind
from cdp.identify.identifier import Identifier
from cdp.identify.resolution import Cluster, Quarantine, Resolution

Move = tuple[UUID, UUID, UUID]
"""Profile, old customer, new customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProfile:
    """Where a profile is. `customer_id` is None for a new one, `founded_customer_id` if it began at another's."""

    profile_id: UUID
    customer_id: UUID | None
    founded_customer_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRecord:
    """A line of the merge ledger: `other_customer_id` was merged into, or split from, `customer_id`.

    `identifiers`: those that went along, filled in by `history`.
    """

    merge_id: UUID
    kind: Literal["merge", "split"]
    customer_id: UUID
    other_customer_id: UUID
    profile_ids: tuple[UUID, ...]
    rule: str
    claim_id: UUID | None
    actor: str = "system"
    reason: str | None = None
    identifiers: tuple[Identifier, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrawing:
    """What to change.

    `homes`: customer by profile, all of the component. `founded`: newly given ids by profile. `created`, `ended`:
    customers that must come to be or cease to (revived ones are created). `redirects`: ended id → where it leads, all
    of the component. `quarantined`: customers of the component into which nothing merges, and why.
    """

    homes: Mapping[UUID, UUID]
    founded: Mapping[UUID, UUID]
    created: Mapping[UUID, tuple[Kind, datetime]]
    ended: frozenset[UUID]
    redirects: Mapping[UUID, UUID]
    moves: tuple[Move, ...]
    merges: tuple[MergeRecord, ...]
    owners: Mapping[Identifier, UUID | None]
    quarantined: Mapping[UUID, Quarantine]


def redraw(
    resolution: Resolution,
    claims: Mapping[UUID, Claim],
    stored: Mapping[UUID, StoredProfile],
    new_id: Callable[[], UUID],
) -> Redrawing:
    """The changes that make the stored customers what `resolution` says; none when they already are.

    `claims` and `stored` hold every claim and profile of the component. `new_id` must give ids that sort as made.
    """
    live = {profile.customer_id for profile in stored.values() if profile.customer_id is not None}
    founded: dict[UUID, UUID] = {}
    homes: dict[UUID, UUID] = {}
    created: dict[UUID, tuple[Kind, datetime]] = {}
    redirects: dict[UUID, UUID] = {}
    owners: dict[Identifier, UUID | None] = dict.fromkeys(resolution.shared)
    merges: list[MergeRecord] = []
    quarantined: dict[UUID, Quarantine] = {}
    first_at = _first_times(claims)
    moved_from = _moved_from(resolution, stored)
    joined = _Joins(resolution)
    for cluster in resolution.clusters:
        names: dict[UUID, UUID] = {}
        for profile_id in cluster.profile_ids:
            known = stored[profile_id].founded_customer_id
            if known is None and profile_id in cluster.founders:
                known = founded[profile_id] = new_id()
            if known is not None:
                names[known] = profile_id
        home = min(names)
        homes.update(dict.fromkeys(cluster.profile_ids, home))
        owners.update(dict.fromkeys(cluster.identifiers, home))
        if cluster.quarantine is not None:
            quarantined[home] = cluster.quarantine
        if home not in live:
            created[home] = cluster.kind, min(first_at[profile_id] for profile_id in cluster.profile_ids)
        for name, founder in names.items():
            if name == home:
                continue
            redirects[name] = home
            if name in live or founder in founded:
                rule, claim_id = joined.cause(cluster, founder, names[home], claims)
                merges.append(
                    MergeRecord(
                        merge_id=new_id(),
                        kind="merge",
                        customer_id=home,
                        other_customer_id=name,
                        profile_ids=tuple(one for one in moved_from[name] if one in cluster.profile_ids) or (founder,),
                        rule=rule,
                        claim_id=claim_id,
                    )
                )
    moves = tuple(
        (profile.profile_id, profile.customer_id, homes[profile.profile_id])
        for profile in stored.values()
        if profile.customer_id is not None and profile.customer_id != homes[profile.profile_id]
    )
    merges.extend(_splits(moves, redirects, new_id))
    return Redrawing(
        homes=homes,
        founded=founded,
        created=created,
        ended=frozenset(live - set(homes.values())),
        redirects=redirects,
        moves=moves,
        merges=tuple(merges),
        owners=owners,
        quarantined=quarantined,
    )


class _Joins:
    """Which join first put two founders into one cluster."""

    def __init__(self, resolution: Resolution) -> None:
        self._by_founder: defaultdict[UUID, list[int]] = defaultdict(list)
        self._joins = resolution.joins
        for rank, join in enumerate(resolution.joins):
            for founder in (*join.one, *join.other):
                self._by_founder[founder].append(rank)

    def cause(
        self, cluster: Cluster, founder: UUID, survivor: UUID, claims: Mapping[UUID, Claim]
    ) -> tuple[str, UUID | None]:
        """Rule and claim of the merge of `founder`'s customer into `survivor`'s."""
        for rank in self._by_founder[founder]:
            join = self._joins[rank]
            sides = (join.one, join.other) if founder in join.one else (join.other, join.one)
            if survivor in sides[1]:
                return join.rule, join.claim_id
        # Seen in canonical order it never was a customer of its own: its first claim already ties it to the cluster.
        own = [claim for claim in claims.values() if claim.profile_id == founder]
        first = min(own, key=lambda claim: claim.order, default=None)
        return "identifier", first.claim_id if first and founder in cluster.profile_ids else None


def _first_times(claims: Mapping[UUID, Claim]) -> dict[UUID, datetime]:
    first: dict[UUID, datetime] = {}
    for claim in claims.values():
        first[claim.profile_id] = min(first.get(claim.profile_id, claim.first_at), claim.first_at)
    return first


def _moved_from(resolution: Resolution, stored: Mapping[UUID, StoredProfile]) -> Mapping[UUID | None, list[UUID]]:
    of_customer: defaultdict[UUID | None, list[UUID]] = defaultdict(list)
    for cluster in resolution.clusters:
        for profile_id in cluster.profile_ids:
            of_customer[stored[profile_id].customer_id].append(profile_id)
    return of_customer


def _splits(moves: tuple[Move, ...], redirects: Mapping[UUID, UUID], new_id: Callable[[], UUID]) -> list[MergeRecord]:
    """Moves that no merge explains: profiles that left a customer for another or for one of their own."""
    parted: defaultdict[tuple[UUID, UUID], list[UUID]] = defaultdict(list)
    for profile_id, old, new in moves:
        if redirects.get(old) != new:
            parted[old, new].append(profile_id)
    return [
        MergeRecord(
            merge_id=new_id(),
            kind="split",
            customer_id=old,
            other_customer_id=new,
            profile_ids=tuple(profile_ids),
            rule="identifier",
            claim_id=None,
            reason="Claims known by now tie these profiles elsewhere.",
        )
        for (old, new), profile_ids in parted.items()
    ]
