"""Linking: an identifier is a customer's because somebody says so, or isn't, whoever claims it.

To link is to tie the value to the customer's beginning; to unlink is to part it from all that the customer is without it, so
that it glues nobody to that customer, and whoever was there by it alone goes along with it. Either takes back the other.
Source: `identity.md`, merge ledger; decision 0014.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection

from cdp.db.ids import format_id, time_ordered_id
from cdp.db.locks import hold_customers_exclusive
from cdp.errors import Mistake
from cdp.identify import queries
from cdp.identify.applying import apply_decisions
from cdp.identify.claims import Author, Decision, profile_node, request_id
from cdp.identify.deciding import (
    Component,
    Living,
    cluster_of,
    component_of,
    decided,
    is_made,
    living,
    named,
    now,
    set_down,
)
from cdp.identify.history import About
from cdp.identify.identifier import Identifier
from cdp.identify.resolution import verdicts_of
from cdp.identify.rules import Rules
from cdp.identify.ruling import rules_in_force


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Whose the profiles concerned are now: the customer asked about first, then those that left it, or that it lost."""

    customer_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A decision that comes out as meant: what to decide, what to withdraw."""

    made: tuple[Decision, ...] = ()
    withdrawn: tuple[Decision, ...] = ()


def link(
    connection: Connection[Any],
    customer_id: UUID,
    namespace: str,
    value: str,
    *,
    author: Author,
    request_key: str | None = None,
    rules: Rules | None = None,
) -> Changed | Mistake:
    """The identifier is this customer's from now on, also if no source ever claims it. Takes back an unlinking.

    The same `request_key` of the same actor again answers what is and does nothing. Takes the customers' lock; the caller
    commits. On a Mistake nothing has changed.
    """
    hold_customers_exclusive(connection)
    found = _asked(connection, customer_id, namespace, value)
    if isinstance(found, Mistake):
        return found
    customer, identifier = found
    decision_id = time_ordered_id() if request_key is None else request_id(author.actor, request_key)
    made = is_made(connection, decision_id, "link", identifier)
    if made:
        return made if isinstance(made, Mistake) else Changed(customer_ids=(customer.customer_id,))
    component = component_of(connection, [profile_node(customer.founder), identifier])
    meant = decided(
        "link", profile_node(customer.founder), identifier, author, now(connection), decision_id=decision_id
    )
    plan = _plan_link(component, customer, identifier, meant, rules or rules_in_force(connection))
    if isinstance(plan, Mistake):
        return plan
    return _carry_out(connection, plan, component, customer, meant, about=About(kind="link", identifier=identifier))


def unlink(
    connection: Connection[Any],
    customer_id: UUID,
    namespace: str,
    value: str,
    *,
    author: Author,
    request_key: str | None = None,
    rules: Rules | None = None,
) -> Changed | Mistake:
    """The identifier isn't this customer's, whichever of its profiles claim it, now or later. Takes back a linking.

    Profiles that were the customer's by this value alone leave with it. As to the rest as `link`.
    """
    hold_customers_exclusive(connection)
    found = _asked(connection, customer_id, namespace, value)
    if isinstance(found, Mistake):
        return found
    customer, identifier = found
    decision_id = time_ordered_id() if request_key is None else request_id(author.actor, request_key)
    made = is_made(connection, decision_id, "unlink", identifier)
    if made:
        return made if isinstance(made, Mistake) else Changed(customer_ids=(customer.customer_id,))
    component = component_of(connection, [profile_node(customer.founder), identifier])
    meant = decided(
        "unlink", profile_node(customer.founder), identifier, author, now(connection), decision_id=decision_id
    )
    plan = _plan_unlink(component, customer, identifier, meant, rules or rules_in_force(connection))
    if isinstance(plan, Mistake):
        return plan
    return _carry_out(connection, plan, component, customer, meant, about=About(kind="unlink", identifier=identifier))


def _asked(
    connection: Connection[Any], customer_id: UUID, namespace: str, value: str
) -> tuple[Living, Identifier] | Mistake:
    """The customer and the identifier that somebody speaks of."""
    identifier = named(namespace, value)
    if isinstance(identifier, Mistake):
        return identifier
    customer = living(connection, [customer_id]).get(customer_id)
    if customer is None:
        message = f"There is no customer {format_id('cus', customer_id)}."
        return Mistake(code="customer_not_found", message=message, field=("customerId",))
    return customer, identifier


def _plan_link(
    component: Component, customer: Living, identifier: Identifier, meant: Decision, rules: Rules
) -> _Plan | Mistake:
    owner = component.owners.get(identifier)
    if owner == customer.customer_id:
        return _mistake("already_linked", "This identifier is the customer's already.")
    if identifier in verdicts_of(component.decisions).blocked:
        return _mistake("identifier_blocked", "This value is blocked, it points at nobody: unblock it first.")
    if identifier in component.owners and owner is None:
        return _mistake(
            "identifier_shared", "This value is on too many customers to be one's: decide its review first."
        )
    undone = tuple(
        one for one in component.decisions if one.kind == "unlink" and _ties(one, component, customer, identifier)
    )
    kept = [one for one in component.decisions if one not in undone]
    if undone and identifier in cluster_of(component.resolve(kept, rules), customer.founder).identifiers:
        return _Plan(withdrawn=undone)
    if owner is not None:
        message = f"This identifier is that of {format_id('cus', owner)}: unlink it there, or merge the two."
        return _mistake("belongs_to_other", message)
    cluster = cluster_of(component.resolve([*kept, meant], rules), customer.founder)
    others = {component.stored[one].customer_id for one in cluster.profile_ids} - {customer.customer_id}
    if others:
        message = f"This would draw in {len(others)} more that claim it: merge these with the customer, or part them."
        return _mistake("would_join_others", message)
    if identifier not in cluster.identifiers:
        return _mistake("kept_apart", "Decisions in force keep this identifier from the customer.")
    return _Plan(made=(meant,), withdrawn=undone)


def _plan_unlink(
    component: Component, customer: Living, identifier: Identifier, meant: Decision, rules: Rules
) -> _Plan | Mistake:
    if component.owners.get(identifier) != customer.customer_id:
        return _mistake("not_linked", "This identifier isn't the customer's.")
    own = {one.profile_id for one in component.stored.values() if one.customer_id == customer.customer_id}
    if any(claim.key == identifier for claim in component.claims.values() if claim.profile_id in own):
        message = (
            "This is the key under which a source knows this customer, not something it claims:"
            " part the profile with customerUnmerge instead."
        )
        return _mistake("own_key", message)
    links = tuple(
        one for one in component.decisions if one.kind == "link" and _ties(one, component, customer, identifier)
    )
    kept = [one for one in component.decisions if one not in links]
    if identifier not in cluster_of(component.resolve(kept, rules), customer.founder).identifiers:
        return _Plan(withdrawn=links)
    # All that the customer is without the value: its beginnings, and those of its profiles that claim it.
    author = Author(actor=meant.actor, reason=meant.reason)
    without = decided("block", identifier, identifier, author, meant.decided_at)
    core = cluster_of(component.resolve([*kept, without], rules), customer.founder)
    claimants = {one.profile_id for one in component.claims.values() if identifier in one.identifiers}
    anchors = [
        one
        for one in core.profile_ids
        if one != customer.founder and (one in claimants or component.stored[one].founded_customer_id is not None)
    ]
    at = meant.decided_at
    made = (meant, *(decided("unlink", profile_node(one), identifier, author, at) for one in anchors))
    parted = cluster_of(component.resolve([*kept, *made], rules), customer.founder)
    if identifier in parted.identifiers or not set(core.profile_ids) <= set(parted.profile_ids):
        return _mistake("cannot_be_parted", "Other decisions tie this identifier to the customer.")
    return _Plan(made=made, withdrawn=links)


def _ties(decision: Decision, component: Component, customer: Living, identifier: Identifier) -> bool:
    """Whether a decision is about the identifier and something of the customer's."""
    ends = [one for one in (decision.one, decision.other) if one != identifier]
    return len(ends) == 1 and component.customer_of(ends[0]) == customer.customer_id


def _carry_out(
    connection: Connection[Any], plan: _Plan, component: Component, customer: Living, meant: Decision, *, about: About
) -> Changed:
    was_here = [one.profile_id for one in component.stored.values() if one.customer_id == customer.customer_id]
    author = Author(actor=meant.actor, reason=meant.reason)
    apply_decisions(connection, plan.made, withdrawn=plan.withdrawn, author=author, about=about)
    if meant not in plan.made:
        set_down(connection, meant)
    found = queries.homes(connection, was_here)
    first = found[customer.founder]
    return Changed(customer_ids=(first, *sorted(set(found.values()) - {first})))


def _mistake(code: str, message: str) -> Mistake:
    return Mistake(code=code, message=message, field=("identifier",))
