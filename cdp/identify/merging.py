"""Merging: two customers are one after all, because somebody says so.

A merge links the profiles that the two customers began with, and values that would exceed a limit to these, so that they
count once. It withdraws what once parted the two, or an identifier of one from the other; that is in force again when the
merge is undone. Source: `identity.md`, merge ledger; decision 0014.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from cdp.db.ids import format_id, time_ordered_id
from cdp.db.locks import hold_customers_exclusive
from cdp.errors import Mistake
from cdp.identify.applying import apply_decisions
from cdp.identify.claims import Author, Decision, profile_node, request_id
from cdp.identify.deciding import (
    STATEMENTS,
    Component,
    Living,
    Record,
    cluster_of,
    component_of,
    decided,
    key_reused,
    living,
    now,
    recorded,
    row,
)
from cdp.identify.identifier import Identifier
from cdp.identify.resolution import Cluster, Resolution
from cdp.identify.rules import Rules
from cdp.identify.ruling import rules_in_force

MOST_PROFILES: Final = 1_000
"""Of a customer that people make. Nobody is known under a thousand keys; a merge that says so is a mistake with a filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergePreview:
    """What a merge would do: who survives, what comes to it from the other, and the traits of which the newest will count."""

    customer_id: UUID
    other_customer_id: UUID
    profiles: int
    identifiers: int
    accounts: int
    orders: int
    interactions: int
    conflicting_traits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Two customers are one: the survivor, and the merge's record."""

    customer_id: UUID
    merge_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class _MergePlan:
    """A merge that comes out as meant: the survivor and the other, the links to make and the partings to withdraw."""

    survivor: Living
    other: Living
    links: tuple[Decision, ...]
    withdrawn: tuple[Decision, ...]
    profiles: int
    identifiers: int


def merge(
    connection: Connection[Any],
    customer_ids: Sequence[UUID],
    *,
    author: Author,
    request_key: str | None = None,
    overrules: bool = True,
    rules: Rules | None = None,
) -> Merged | Mistake:
    """Make one customer of two, given by any id they ever had; the older id survives, the other leads there.

    A person who merges overrules what parted the two before; a program that proposes merges doesn't (`overrules`), and gets
    the Mistake `kept_apart`. The same `request_key` of the same actor again answers what it made and does nothing. Takes the
    customers' lock; the caller commits. On a Mistake nothing has changed.
    """
    hold_customers_exclusive(connection)
    decision_id = request_id(author.actor, request_key) if request_key is not None else time_ordered_id()
    if request_key is not None and (made := recorded(connection, "merge_of_request", decision_id=decision_id)):
        return _replayed(connection, made, customer_ids)
    if request_key is not None and row(connection, "was_made", decision_id=decision_id):
        return key_reused("This key was used for another decision.")
    rules = rules or rules_in_force(connection)
    plan = _plan_merge(connection, customer_ids, author=author, decision_id=decision_id, rules=rules)
    if isinstance(plan, Mistake):
        return plan
    if plan.withdrawn and not overrules:
        return Mistake(code="kept_apart", message="Somebody decided that these are two.", field=("ids",))
    records = apply_decisions(connection, plan.links, withdrawn=plan.withdrawn, author=author, rules=rules)
    wanted = (plan.survivor.customer_id, plan.other.customer_id)
    record = next(one for one in records if (one.customer_id, one.other_customer_id) == wanted and one.kind == "merge")
    made_for = {"merge_id": record.merge_id, "decision_ids": [one.decision_id for one in plan.links]}
    connection.execute(STATEMENTS["tie_decisions"], made_for)
    withdrawn_for = {"merge_id": record.merge_id, "decision_ids": [one.decision_id for one in plan.withdrawn]}
    connection.execute(STATEMENTS["tie_withdrawn"], withdrawn_for)
    return Merged(customer_id=record.customer_id, merge_id=record.merge_id)


def preview_merge(
    connection: Connection[Any], customer_ids: Sequence[UUID], *, rules: Rules | None = None
) -> MergePreview | Mistake:
    """What `merge` would do or refuse, reckoned without writing; the caller gives a consistent snapshot."""
    author = Author(actor="preview")
    rules = rules or rules_in_force(connection)
    plan = _plan_merge(connection, customer_ids, author=author, decision_id=time_ordered_id(), rules=rules)
    if isinstance(plan, Mistake):
        return plan
    survivor, other = plan.survivor.customer_id, plan.other.customer_id
    accounts, orders, interactions = row(connection, "belongings", customer_id=other) or (0, 0, 0)
    (traits,) = row(connection, "conflicting_traits", one=survivor, other=other) or ((),)
    return MergePreview(
        customer_id=survivor,
        other_customer_id=other,
        profiles=plan.profiles,
        identifiers=plan.identifiers,
        accounts=accounts,
        orders=orders,
        interactions=interactions,
        conflicting_traits=tuple(traits),
    )


def _plan_merge(
    connection: Connection[Any], customer_ids: Sequence[UUID], *, author: Author, decision_id: UUID, rules: Rules
) -> _MergePlan | Mistake:
    pair = _pair(connection, customer_ids)
    if isinstance(pair, Mistake):
        return pair
    survivor, other = pair
    ids = {survivor.customer_id, other.customer_id}
    component = component_of(connection, [profile_node(one.founder) for one in pair])
    crossing = tuple(
        one
        for one in component.decisions
        if one.kind in {"part", "unlink"} and {component.customer_of(one.one), component.customer_of(one.other)} == ids
    )
    links = _links(component, pair, author, decision_id=decision_id, at=now(connection), rules=rules)
    kept = [one for one in component.decisions if one not in crossing]
    resolution = component.resolve([*kept, *links], rules)
    cluster = cluster_of(resolution, survivor.founder)
    mistake = _not_as_meant(component, resolution, cluster, pair)
    if mistake is not None:
        return mistake
    return _MergePlan(
        survivor=survivor,
        other=other,
        links=links,
        withdrawn=crossing,
        profiles=sum(1 for one in component.stored.values() if one.customer_id == other.customer_id),
        identifiers=sum(1 for owner in component.owners.values() if owner == other.customer_id),
    )


def _pair(connection: Connection[Any], customer_ids: Sequence[UUID]) -> tuple[Living, Living] | Mistake:
    """The two customers, older first."""
    if len(customer_ids) != 2:  # noqa: PLR2004 — a pair
        message = "Give two customers; of more, merge one after the other, so that each merge can be undone."
        return Mistake(code="two_customers", message=message, field=("ids",))
    found = living(connection, customer_ids)
    for place, asked in enumerate(customer_ids):
        if asked not in found:
            message = f"There is no customer {format_id('cus', asked)}."
            return Mistake(code="customer_not_found", message=message, field=("ids", str(place)))
    if customer_ids[0] == customer_ids[1]:
        return Mistake(code="same_customer", message="This is one customer, given twice.", field=("ids",))
    one, other = sorted((found[asked] for asked in customer_ids), key=lambda each: each.customer_id)
    if one.customer_id == other.customer_id:
        return Mistake(code="already_merged", message="These are one customer already.", field=("ids",))
    if one.kind != other.kind:
        message = "One is a person, the other an organisation: link them by a role instead."
        return Mistake(code="kinds_differ", message=message, field=("ids",))
    return one, other


def _links(
    component: Component,
    pair: tuple[Living, Living],
    author: Author,
    *,
    decision_id: UUID,
    at: datetime,
    rules: Rules,
) -> tuple[Decision, ...]:
    """The two beginnings belong together; and values beyond a limit belong to their beginning, so that all count once."""
    anchors = {one.customer_id: profile_node(one.founder) for one in pair}
    held: defaultdict[str, list[Identifier]] = defaultdict(list)
    for identifier, owner in component.owners.items():
        if owner in anchors:
            held[identifier.namespace].append(identifier)
    one, other = anchors.values()
    made = [decided("link", one, other, author, at, decision_id=decision_id)]
    for namespace, values in sorted(held.items()):
        owners = {component.owners[value] for value in values}
        if len(owners) > 1 and len(values) > rules.limit(namespace).count:
            made.extend(
                decided("link", anchors[owner], value, author, at)
                for value in sorted(values)
                if (owner := component.owners[value]) is not None
            )
    return tuple(made)


def _not_as_meant(
    component: Component, resolution: Resolution, cluster: Cluster, pair: tuple[Living, Living]
) -> Mistake | None:
    """Why the two would not be one customer with all that both have, and nobody else's; None when they would."""
    ids = {one.customer_id for one in pair}
    if len(cluster.profile_ids) > MOST_PROFILES:
        message = f"The customer would have {len(cluster.profile_ids)} profiles; at most {MOST_PROFILES} are allowed."
        return Mistake(code="would_exceed_limit", message=message, field=("ids",))
    others = {component.stored[one].customer_id for one in cluster.profile_ids} - ids
    if others:
        message = f"This would draw in {len(others)} more: merge these with one of the two first, or part them."
        return Mistake(code="would_join_others", message=message, field=("ids",))
    left = {one.profile_id for one in component.stored.values() if one.customer_id in ids} - set(cluster.profile_ids)
    lost = {one for one, owner in component.owners.items() if owner in ids and one not in cluster.identifiers}
    limited = sorted(
        {one.identifier.namespace for one in resolution.refusals if one.identifier in lost and one.reason == "limit"}
    )
    if limited:
        message = f"The customer would have more values than allowed of: {', '.join(limited)}."
        return Mistake(code="would_exceed_limit", message=message, field=("ids",))
    if (left or lost) and any(one.reason == "size" for one in resolution.refusals):
        message = "The customer would be larger than customers grow; one in quarantine has to be let grow first."
        return Mistake(code="would_exceed_limit", message=message, field=("ids",))
    if left or lost:
        message = "Decisions in force keep apart what these two customers have."
        return Mistake(code="kept_apart", message=message, field=("ids",))
    return None


def _replayed(connection: Connection[Any], made: Record, customer_ids: Sequence[UUID]) -> Merged | Mistake:
    """The answer to a request told again; a key that was used for other customers is a mistake."""
    found = living(connection, [made.customer_id, *customer_ids])
    is_one_still = {found.get(asked) for asked in customer_ids} == {found[made.customer_id]}
    if not is_one_still and set(customer_ids) != {made.customer_id, made.other_customer_id}:
        message = "This key was used for a merge of other customers."
        return Mistake(code="idempotency_key_reused", message=message, field=("idempotencyKey",))
    return Merged(customer_id=found[made.customer_id].customer_id, merge_id=made.merge_id)
