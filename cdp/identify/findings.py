"""Findings: what resolution, or a comparison of records, leaves for people to decide. Listed once, whoever finds it again.

A finding is named by what it says (`review_id` is its hash): found again it is the same line of the queue, and one that was
decided never comes back. `reviewing` is what people do with them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal
from uuid import UUID

from psycopg import Connection

from cdp.db.rows import as_rows
from cdp.db.statements import load_statements
from cdp.identify.claims import Claim, finding_id
from cdp.identify.identifier import Identifier
from cdp.identify.redrawing import Redrawing
from cdp.identify.resolution import Cluster, Resolution

STATEMENTS: Final = load_statements("cdp.identify", "findings.sql")

Kind = Literal["shared", "quarantine", "refusal", "match"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something for people to decide.

    - shared: `identifier` is on more customers than one person is; it ties nobody together.
    - quarantine: `customer_ids` (one) is larger than customers are; nothing merges into it.
    - refusal: `customer_ids` (two) share `identifier`, and together would break a rule; named by the two alone.
    - match: `customer_ids` (two) look alike, by `weight` (log2 of the odds) and an `explanation` for people to read.

    Customers by any id they ever had, in any order. `explanation` is a small JSON object.
    """

    kind: Kind
    customer_ids: tuple[UUID, ...] = ()
    identifier: Identifier | None = None
    weight: float | None = None
    explanation: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def review_id(self) -> UUID:
        """The line of the queue that this is, whenever and by whomever it is found."""
        about = self.identifier if self.kind == "shared" and self.identifier else ()
        return finding_id(self.kind, *about, *(one.hex for one in sorted(self.customer_ids)))


def findings_of(
    resolution: Resolution,
    claims: Mapping[UUID, Claim],
    before: Mapping[Identifier, UUID | None],
    drawn: Redrawing,
) -> list[Finding]:
    """What resolution leaves to decide: values shared from now on, customers too large, and those a limit keeps apart. Pure.

    `before`: owners as stored, None of what was shared already.
    """
    shared: dict[Identifier, None] = {}
    apart: dict[tuple[UUID, UUID], Identifier] = {}
    for refusal in resolution.refusals:
        identifier = refusal.identifier
        if refusal.reason == "shared" and before.get(identifier, ()) is not None:
            shared[identifier] = None
        elif refusal.reason == "limit":
            owner, home = drawn.owners.get(identifier), drawn.homes[claims[refusal.claim_id].profile_id]
            if owner is not None and owner != home:
                apart.setdefault((min(owner, home), max(owner, home)), identifier)
    crowded = [one for one in resolution.clusters if one.quarantine is not None]
    return [
        *(Finding(kind="shared", identifier=one) for one in shared),
        *(_crowded(one, drawn.homes[one.founders[0]]) for one in crowded),
        *(Finding(kind="refusal", customer_ids=pair, identifier=one) for pair, one in apart.items()),
    ]


def _crowded(cluster: Cluster, customer_id: UUID) -> Finding:
    """A quarantined customer, and of what it has or would have too many."""
    told = {
        "reason": cluster.quarantine.reason if cluster.quarantine else None,
        "profiles": len(cluster.profile_ids),
        "identifiers": len(cluster.identifiers),
    }
    return Finding(kind="quarantine", customer_ids=(customer_id,), explanation=told)


def open_reviews(connection: Connection[Any], findings: Iterable[Finding]) -> int:
    """List what is found, in one statement; how many of them were never listed before.

    Open matches take the newest weight and explanation; what was accepted or refused stays as it is. The caller commits.
    """
    rows = {one.review_id: _row(one) for one in findings}
    if not rows:
        return 0
    # By id, so that two who list the same wait for one another instead of deadlocking.
    listed = connection.execute(STATEMENTS["open_reviews"], {"findings": as_rows(rows[one] for one in sorted(rows))})
    return sum(is_new for (is_new,) in listed)


def keep_listed(
    connection: Connection[Any],
    resolution: Resolution,
    claims: Mapping[UUID, Claim],
    before: Mapping[Identifier, UUID | None],
    drawn: Redrawing,
    *,
    is_less_refused: bool,
) -> None:
    """Make the queue what resolution leaves to decide of this component: list what is new, take away what is no longer so.

    Three statements at most, none where nothing was refused and nothing moved.
    """
    found = findings_of(resolution, claims, before, drawn)
    open_reviews(connection, found)
    if is_less_refused or drawn.moves or drawn.merges:
        customer_ids = {*drawn.homes.values(), *drawn.redirects, *(old for _, old, _ in drawn.moves)}
        given = {"customer_ids": list(customer_ids), "review_ids": [one.review_id for one in found]}
        connection.execute(STATEMENTS["close_vanished"], given)
        if drawn.redirects:
            connection.execute(STATEMENTS["close_merged"], {"customer_ids": list(drawn.redirects)})


def _row(finding: Finding) -> Mapping[str, Any]:
    one, other = (*sorted(finding.customer_ids), None, None)[:2]
    namespace, value = finding.identifier or (None, None)
    return {
        "review_id": finding.review_id,
        "kind": finding.kind,
        "namespace": namespace,
        "value": value,
        "one_customer_id": one,
        "other_customer_id": other,
        "weight": finding.weight,
        "explanation": dict(finding.explanation),
    }
