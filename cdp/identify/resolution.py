"""Resolution: from claims and decisions to customers, a pure function of the *set* of claims.

The claims are considered in a canonical order (event time, source, message id), never in that of arrival, so any
permutation, batching or repetition of the same messages ends in the same clusters. Each claim is about one profile,
whose node cannot be dropped; its other identifiers are taken up from the highest priority down, each if the cluster
that would result keeps every limit, else refused. Values that somebody unlinked from a customer come last, when it is clear whose
profile is whose: so they tie nobody to that customer, and take nothing from it. Source: `identity.md`, rules 3, 4 and 6;
decisions 0010 and 0014.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from cdp.identify.claims import Claim, Decision, DecisionKind, Kind, profile_node
from cdp.identify.crowding import NOBODY_CROWDED, Crowding, Order, counting, crowding, grants_of
from cdp.identify.identifier import PROFILE, Identifier
from cdp.identify.rules import Rules

Reason = Literal["limit", "shared", "blocked", "kind", "parted", "size"]
QuarantineReason = Literal["profiles", "identifiers", "statements"]
Rule = Literal["identifier", "alias", "manual"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """Rule 5: since when, by event time, nothing merges into a customer, and of what it has or would have too many."""

    at: datetime
    reason: QuarantineReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One customer to be. `founders`: profiles that began as customers of their own, in canonical order; at least
    one.
    """

    profile_ids: tuple[UUID, ...]
    identifiers: frozenset[Identifier]
    founders: tuple[UUID, ...]
    kind: Kind
    quarantine: Quarantine | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An identifier of a claim that was not taken up, and why."""

    claim_id: UUID
    identifier: Identifier
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Two clusters became one: the founders of each, the claim that did it, and by which rule."""

    one: tuple[UUID, ...]
    other: tuple[UUID, ...]
    claim_id: UUID
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Clusters in canonical order of their first claim, refusals and joins in canonical order (those about unlinked values
    last), the values that point at nobody: shared or blocked; and of which nodes not all claims count.
    """

    clusters: tuple[Cluster, ...]
    refusals: tuple[Refusal, ...]
    joins: tuple[Join, ...]
    shared: frozenset[Identifier]
    crowding: Crowding = NOBODY_CROWDED


def resolve(
    claims: Iterable[Claim],
    decisions: Iterable[Decision],
    rules: Rules,
    *,
    shared: AbstractSet[Identifier] = frozenset(),
) -> Resolution:
    """The customers that follow from `claims`, which must be closed: all claims that share an identifier with one of
    them.

    `shared` are values already known to be shared, for which the closure need not hold. O(n log n) in claims.
    """
    ordered = sorted(claims, key=lambda claim: claim.order)
    decided = sorted(decisions, key=lambda one: (one.decided_at, one.decision_id))
    grants = grants_of(decided)
    verdicts = verdicts_of(decided)
    blocked = verdicts.blocked | _blocked_by(rules, ordered)
    found_shared = (shared | shared_values(ordered, rules)) - verdicts.unshared | verdicts.shared | blocked
    crowded = crowding(ordered, grants, rules, nobodys=found_shared)
    ordered = [claim for claim in counting(ordered, crowded) if not claim.is_set_aside]
    # What points at nobody ties nothing, whoever linked it.
    decided = [one for one in decided if one.kind != "link" or not {one.one, one.other} & found_shared]
    forest = _Forest(rules, decided, ordered, crowded=crowded, grants=grants)
    refusals: list[Refusal] = []
    joins: list[Join] = []

    def take_up(claim: Claim, identifiers: Iterable[Identifier]) -> None:
        home = profile_node(claim.profile_id)
        for identifier in sorted(set(identifiers), key=lambda one: (rules.priority(one.namespace), one.value)):
            reason: Reason | None
            if identifier in found_shared:
                reason = "blocked" if identifier in blocked else "shared"
            else:
                reason = forest.obstacle(home, identifier, claim)
            if reason is not None:
                refusals.append(Refusal(claim_id=claim.claim_id, identifier=identifier, reason=reason))
                continue
            joins.extend(forest.unite(home, identifier, claim))

    for claim in ordered:
        joins.extend(forest.admit(claim))
        take_up(claim, [one for one in claim.identifiers if one not in forest.unlinked])
        forest.found(profile_node(claim.profile_id), claim.profile_id)
    for claim in ordered if forest.unlinked else ():
        take_up(claim, [one for one in claim.identifiers if one in forest.unlinked])
    forest.vouch(found_shared)
    return Resolution(
        clusters=forest.clusters(ordered),
        refusals=tuple(refusals),
        joins=tuple(joins),
        shared=frozenset(found_shared),
        crowding=crowded,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What people decided of single values: those that point at nobody, at too many, or not at too many after all."""

    blocked: frozenset[Identifier]
    shared: frozenset[Identifier]
    unshared: frozenset[Identifier]


def verdicts_of(decided: Iterable[Decision]) -> Verdicts:
    """The verdicts among decisions in force, given in the order in which they were made: of a value the latest counts."""
    blocked: set[Identifier] = set()
    sharing: dict[Identifier, DecisionKind] = {}
    for decision in decided:
        if decision.kind == "block":
            blocked.add(decision.one)
        elif decision.kind in {"shared", "unshared"}:
            sharing[decision.one] = decision.kind
    return Verdicts(
        blocked=frozenset(blocked),
        shared=frozenset(one for one, kind in sharing.items() if kind == "shared"),
        unshared=frozenset(one for one, kind in sharing.items() if kind == "unshared"),
    )


def shared_values(claims: Sequence[Claim], rules: Rules) -> frozenset[Identifier]:
    """Rule 4: values that some one source shows under more than N of its own keys of people (or organisations).

    Counted per source, because several systems that know one person under one key each are what recognition is for;
    and by keys, not by customers, because how many customers there are depends on the answer. It can only grow with
    more claims.
    """
    keys: defaultdict[tuple[Identifier, UUID], set[UUID]] = defaultdict(set)
    for claim in claims:
        if claim.key.namespace not in rules.device_namespaces:
            for identifier in claim.identifiers:
                keys[identifier, claim.source_id].add(claim.profile_id)
    return frozenset(
        identifier for (identifier, _), profiles in keys.items() if len(profiles) > rules.shared_above_profiles
    )


def _blocked_by(rules: Rules, claims: Iterable[Claim]) -> frozenset[Identifier]:
    """Rule 2, as far as operators have set it; what programs send when they mean nobody never becomes a claim."""
    if not rules.blocked:
        return frozenset()
    said = {identifier for claim in claims for identifier in claim.identifiers}
    return frozenset(identifier for identifier in said if rules.blocked.holds(identifier))


def _kinds(claims: Sequence[Claim]) -> dict[Identifier, Kind]:
    """Kind by profile node; a profile that was ever said to be an organisation is one."""
    kinds: dict[Identifier, Kind] = {}
    for claim in claims:
        node = profile_node(claim.profile_id)
        if kinds.get(node) != "organisation":
            kinds[node] = claim.kind
    return kinds


class _Forest:
    """Disjoint sets of nodes (profiles and identifiers), each set with what the limits need to know of it."""

    def __init__(
        self,
        rules: Rules,
        decided: Sequence[Decision],
        claims: Sequence[Claim],
        *,
        crowded: Crowding,
        grants: Mapping[Identifier, int],
    ) -> None:
        self._rules = rules
        # What people let sets grow to, and the sets that take up nobody any more: since when, and why.
        self._granted: dict[Identifier, int] = dict(grants)
        self._closed: dict[Identifier, tuple[Order, QuarantineReason]] = {
            node: (order, "statements") for node, order in crowded.last.items()
        }
        self._parent: dict[Identifier, Identifier] = {}
        self._label: dict[Identifier, Identifier] = {}
        self._linked_by: dict[Identifier, Literal["alias", "manual"]] = {}
        self._kind: dict[Identifier, Kind] = _kinds(claims)
        self._keyed: defaultdict[Identifier, set[Identifier]] = defaultdict(set)
        for claim in claims:
            self._keyed[claim.key].add(profile_node(claim.profile_id))
        # When each value (by its label) was first taken up, by namespace.
        self._values: defaultdict[Identifier, defaultdict[str, dict[Identifier, datetime]]]
        self._values = defaultdict(lambda: defaultdict(dict))
        self._present: defaultdict[Identifier, set[Identifier]] = defaultdict(set)
        self._profiles: defaultdict[Identifier, dict[UUID, None]] = defaultdict(dict)
        self._founders: defaultdict[Identifier, tuple[UUID, ...]] = defaultdict(tuple)
        self._parts: list[tuple[Identifier, Identifier]] = []
        self._vouched: set[Identifier] = set()
        self.unlinked: frozenset[Identifier] = frozenset()
        self._link([one for one in decided if one.kind in {"link", "part", "unlink"}])

    def _link(self, decided: Sequence[Decision]) -> None:
        """Decisions come before all claims. Of two about the same pair the later counts; what is parted is never
        linked.
        """
        latest: dict[frozenset[Identifier], Decision] = {}
        for decision in decided:
            latest[frozenset((decision.one, decision.other))] = decision
        # To part a profile's key is to part the profile, even where the key itself could not be taken up.
        self._parts = [
            (one, other)
            for part in latest.values()
            if part.kind != "link"
            for one in {part.one} | self._keyed[part.one]
            for other in {part.other} | self._keyed[part.other]
        ]
        self.unlinked = frozenset(
            node
            for unlink in latest.values()
            if unlink.kind == "unlink"
            for node in (unlink.one, unlink.other)
            if node.namespace != PROFILE
        )
        links = [one for one in latest.values() if one.kind == "link"]
        linked: dict[Identifier, int] = {}
        for link in sorted(links, key=lambda one: (one.decided_at, one.decision_id)):
            one, other = self._root(link.one), self._root(link.other)
            if one != other and self._between(one, other) is None:
                together = linked.get(one, 1) + linked.get(other, 1)
                if link.rule == "alias" and together > self._most(self._rules.size.identifiers, one, other):
                    full = one if linked.get(one, 1) > linked.get(other, 1) else other
                    self._close(full, (link.decided_at, link.decision_id, "", link.decision_id), "identifiers")
                    continue
                self._absorb(min(one, other), max(one, other))
                linked[self._root(one)] = together
                self._linked_by[link.one] = self._linked_by[link.other] = link.rule
            if link.rule == "manual" and PROFILE in {link.one.namespace, link.other.namespace}:
                self._vouched |= {node for node in (link.one, link.other) if node.namespace != PROFILE}
        # Linked values are one value under several names: they count once against a limit.
        self._label = {node: self._root(node) for node in self._parent}

    def admit(self, claim: Claim) -> Sequence[Join]:
        """Make the claim's profile a member of its set; a join when a decision had linked it to others."""
        node = profile_node(claim.profile_id)
        root = self._root(node)
        joins: Sequence[Join] = ()
        if self._founders[root] and claim.profile_id not in self._profiles[root]:
            joins = [self._join(self._founders[root], (claim.profile_id,), claim, self._linked_by.get(node, "manual"))]
            self._founders[root] += (claim.profile_id,)
        self._profiles[root].setdefault(claim.profile_id)
        return joins

    def obstacle(self, home: Identifier, identifier: Identifier, claim: Claim) -> Reason | None:
        """Why the home's set may not take up the identifier with the whole set that owns it; None when it may.

        A set that would become too large by it takes up nobody from then on.
        """
        one, other = self._root(home), self._root(identifier)
        if one != other:
            reason = self._between(one, other)
            if reason is not None:
                return reason
        ours, theirs = self._values[one], self._values[other]
        for namespace in {identifier.namespace, *(() if one == other else theirs)}:
            taken_at = {**theirs.get(namespace, {}), **ours.get(namespace, {})}
            if namespace == identifier.namespace:
                taken_at.setdefault(self._label.get(identifier, identifier), claim.first_at)
            if not self._rules.limit(namespace).holds(taken_at.values()):
                return "limit"
        return "size" if one != other and self._would_be_too_large(one, other, identifier, claim) else None

    def unite(self, home: Identifier, identifier: Identifier, claim: Claim) -> Sequence[Join]:
        """Take up the identifier; a join when that made one cluster of two."""
        one, other = self._root(home), self._root(identifier)
        joins: Sequence[Join] = ()
        if one != other:
            linked = identifier not in self._present[other]
            if linked and self._founders[other]:
                # What only a decision ties together were two customers until it did.
                self._founders[one] = self._founders[one] or (claim.profile_id,)
            if self._founders[one] and self._founders[other]:
                rule = self._linked_by.get(identifier, "manual") if linked else "identifier"
                joins = [self._join(self._founders[one], self._founders[other], claim, rule)]
            self._absorb(one, other)
        root = self._root(home)
        self._present[root].add(identifier)
        label = self._label.get(identifier, identifier)
        self._values[root][identifier.namespace].setdefault(label, claim.first_at)
        return joins

    def found(self, home: Identifier, profile_id: UUID) -> None:
        """After a profile's claim: if nobody else is in its set, it began as a customer of its own."""
        root = self._root(home)
        if not self._founders[root]:
            self._founders[root] = (profile_id,)

    def vouch(self, nobodys: AbstractSet[Identifier]) -> None:
        """Values that somebody linked to a profile point at its customer, even if no source claims them."""
        for identifier in self._vouched - nobodys:
            root = self._root(identifier)
            if self._profiles[root]:
                self._present[root].add(identifier)

    def clusters(self, ordered: Sequence[Claim]) -> tuple[Cluster, ...]:
        """All sets that hold a profile."""
        roots = dict.fromkeys(self._root(profile_node(claim.profile_id)) for claim in ordered)
        first = {claim.profile_id: rank for rank, claim in reversed(list(enumerate(ordered)))}
        return tuple(
            Cluster(
                profile_ids=tuple(sorted(self._profiles[root], key=first.__getitem__)),
                identifiers=frozenset(self._present[root]),
                founders=tuple(sorted(self._founders[root], key=first.__getitem__)),
                kind=self._kind[root],
                quarantine=self._quarantine(root),
            )
            for root in roots
        )

    def _would_be_too_large(self, one: Identifier, other: Identifier, identifier: Identifier, claim: Claim) -> bool:
        """Rule 5, of two sets. Nobody joins a closed set, and none grows beyond the limit by itself."""
        ours, theirs = self._profiles.get(one, {}), self._profiles.get(other, {})
        if self._closed and ours and theirs:
            for root in (one, other):
                if root in self._closed and self._closed[root][0] < claim.order:
                    return True
        profiles = len(ours) + len(theirs)
        held = self._present.get(other, set())
        identifiers = len(self._present.get(one, ())) + len(held) + (identifier not in held)
        size = self._rules.size
        reason: QuarantineReason
        if profiles > size.profiles and profiles > self._most(size.profiles, one, other):
            reason = "profiles"
        elif identifiers > size.identifiers and identifiers > self._most(size.identifiers, one, other):
            reason = "identifiers"
        else:
            return False
        larger = one if (len(ours), len(self._present.get(one, ()))) > (len(theirs), len(held)) else other
        self._close(larger, claim.order, reason)
        return True

    def _close(self, root: Identifier, since: Order, reason: QuarantineReason) -> None:
        self._closed[root] = min(self._closed.get(root, (since, reason)), (since, reason))

    def _most(self, usual: int, *roots: Identifier) -> int:
        return max(usual, *(self._granted.get(root, 0) for root in roots))

    def _quarantine(self, root: Identifier) -> Quarantine | None:
        closed = self._closed.get(root)
        return None if closed is None else Quarantine(at=closed[0][0], reason=closed[1])

    def _between(self, one: Identifier, other: Identifier) -> Reason | None:
        kinds = {self._kind[root] for root in (one, other) if root in self._kind}
        if len(kinds) > 1:
            return "kind"
        for left, right in self._parts:
            if {self._root(left), self._root(right)} == {one, other}:
                return "parted"
        return None

    @staticmethod
    def _join(one: tuple[UUID, ...], other: tuple[UUID, ...], claim: Claim, rule: Rule) -> Join:
        return Join(one=one, other=other, claim_id=claim.claim_id, rule=rule)

    def _root(self, node: Identifier) -> Identifier:
        parent = self._parent
        path = []
        while (above := parent.setdefault(node, node)) != node:
            path.append(node)
            node = above
        for passed in path:
            parent[passed] = node
        return node

    def _absorb(self, one: Identifier, other: Identifier) -> None:
        """Make one set of two roots', the smaller under the larger."""
        if len(self._present[one]) + len(self._profiles[one]) < len(self._present[other]) + len(self._profiles[other]):
            one, other = other, one
        self._parent[other] = one
        if other in self._closed:
            self._close(one, *self._closed.pop(other))
        if other in self._granted:
            self._granted[one] = max(self._granted.pop(other), self._granted.get(one, 0))
        if other in self._kind:
            self._kind.setdefault(one, self._kind[other])
        for namespace, taken_at in self._values.pop(other, {}).items():
            self._values[one][namespace].update(taken_at)
        self._present[one] |= self._present.pop(other, set())
        self._profiles[one].update(self._profiles.pop(other, {}))
        self._founders[one] += self._founders.pop(other, ())
