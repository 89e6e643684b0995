"""Deciding: what people say of who is who, and what every such decision needs to know.

A decision is one more input of the pure function that finds customers (`resolution`), so it is tried there first, in memory:
what would not come out as meant is a `Mistake`, and nothing has changed. `merging` makes two customers one, `unmerging` makes
them two again. Source: `identity.md`, merge ledger; decision 0014.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from cdp.db.ids import time_ordered_id
from cdp.db.statements import load_statements
from cdp.errors import Mistake
from cdp.identify import queries, stored_decisions
from cdp.identify.claims import Author, Claim, Decision, DecisionKind, profile_node
from cdp.identify.identifier import PROFILE, Identifier, identify
from cdp.identify.redrawing import StoredProfile
from cdp.identify.resolution import Cluster, Resolution, resolve
from cdp.identify.rules import Rules
from cdp.identify.stored_claims import component

STATEMENTS: Final = load_statements("cdp.identify", "deciding.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Living:
    """A customer as it is: its id, kind, and the profile it began with."""

    customer_id: UUID
    kind: str
    founder: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A line of the merge ledger."""

    merge_id: UUID
    kind: str
    customer_id: UUID
    other_customer_id: UUID
    profile_ids: frozenset[UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """All that the two customers follow from: claims, profiles as stored, decisions in force, owners of identifiers."""

    claims: Mapping[UUID, Claim]
    stored: Mapping[UUID, StoredProfile]
    decisions: Sequence[Decision]
    owners: Mapping[Identifier, UUID | None]

    def resolve(self, decisions: Iterable[Decision], rules: Rules) -> Resolution:
        """The customers that would follow from other decisions."""
        shared = frozenset(one for one, owner in self.owners.items() if owner is None)
        return resolve(self.claims.values(), decisions, rules, shared=shared)

    def customer_of(self, node: Identifier) -> UUID | None:
        """Whose a node is now: an identifier's owner, or a profile's customer."""
        if node in self.owners:
            return self.owners[node]
        return next((one.customer_id for one in self.stored.values() if profile_node(one.profile_id) == node), None)


def component_of(connection: Connection[Any], seeds: Sequence[Identifier]) -> Component:
    """All that is connected with these nodes, and so can change with a decision about them."""
    stored_claims, stored = component(connection, seeds, {})
    claims = {claim_id: one.claim for claim_id, one in stored_claims.items()}
    nodes = {identifier for claim in claims.values() for identifier in claim.identifiers}
    nodes |= {*seeds, *(profile_node(one) for one in stored)}
    decisions = stored_decisions.decisions_about(connection, nodes)
    nodes |= {node for one in decisions for node in (one.one, one.other)}
    return Component(
        claims=claims,
        stored=stored,
        decisions=decisions,
        owners=queries.owners(connection, {one for one in nodes if one.namespace != PROFILE}),
    )


def living(connection: Connection[Any], customer_ids: Sequence[UUID]) -> dict[UUID, Living]:
    """Customers by the id asked for; none for ids that nobody ever had."""
    rows = connection.execute(STATEMENTS["living"], {"customer_ids": list(customer_ids)})
    return {asked: Living(customer_id=now, kind=kind, founder=founder) for asked, now, kind, founder in rows}


def named(namespace: str, value: str) -> Identifier | Mistake:
    """The identifier that somebody speaks of, in its normal form."""
    found = identify(namespace, value)
    if found is None:
        message = "This points at nobody, or is no such value: an e-mail with @, a phone number with + and country."
        return Mistake(code="identifier_invalid", message=message, field=("identifier",))
    return found


def is_made(
    connection: Connection[Any], decision_id: UUID, kind: DecisionKind, identifier: Identifier
) -> bool | Mistake:
    """Whether a request with this decision's id was carried out already; a mistake when that decided something else."""
    found = row(connection, "is_made", decision_id=decision_id)
    if found is None:
        return False
    made, *ends = found
    if made == kind and identifier in {Identifier(*ends[:2]), Identifier(*ends[2:])}:
        return True
    return key_reused("This key was used for another decision.")


def key_reused(message: str) -> Mistake:
    """A request whose key stands for another."""
    return Mistake(code="idempotency_key_reused", message=message, field=("idempotencyKey",))


def set_down(connection: Connection[Any], decision: Decision) -> None:
    """Put on record that somebody took a decision back: who, when and why. It is not itself in force."""
    stored_decisions.put_decisions(connection, [decision])
    stored_decisions.withdraw_decisions(connection, [decision.decision_id])


def recorded(connection: Connection[Any], statement: str, **given: UUID) -> Record | None:
    """The record that a statement of `deciding.sql` finds."""
    found = row(connection, statement, **given)
    if found is None:
        return None
    merge_id, kind, customer_id, other, profile_ids = found
    return Record(
        merge_id=merge_id,
        kind=kind,
        customer_id=customer_id,
        other_customer_id=other,
        profile_ids=frozenset(profile_ids),
    )


def now(connection: Connection[Any]) -> datetime:
    """When a decision is made. Asked under the lock, so of two decisions the later one is the one made later."""
    told = row(connection, "now")
    assert told is not None  # noqa: S101 — a clock always answers
    found: datetime = told[0]
    return found


def row(connection: Connection[Any], statement: str, **given: UUID) -> tuple[Any, ...] | None:
    """The one row of a statement of `deciding.sql`."""
    return connection.execute(STATEMENTS[statement], given).fetchone()


def cluster_of(resolution: Resolution, profile_id: UUID) -> Cluster:
    """The cluster that a profile is in."""
    return next(one for one in resolution.clusters if profile_id in one.profile_ids)


def decided(  # noqa: PLR0917 — what a decision is made of
    kind: DecisionKind,
    one: Identifier,
    other: Identifier,
    author: Author,
    at: datetime,
    decision_id: UUID | None = None,
) -> Decision:
    """A decision of its own: the same pair may be linked, parted and linked again, and the last of these counts."""
    return Decision(
        decision_id=decision_id or time_ordered_id(),
        kind=kind,
        one=one,
        other=other,
        rule="manual",
        decided_at=at,
        actor=author.actor,
        reason=author.reason,
    )
