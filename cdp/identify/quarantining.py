"""Quarantining: what people decide of a customer that would grow too large: it may grow further, or stays closed.

A customer is quarantined by resolution (rule 5); here somebody lifts that up to a new limit, or says that it is right so. Both
are decisions on record; which of a customer's claims count again follows from them. Source: `identity.md`, rule 5; decision 0023.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from psycopg import Connection

from cdp.db.ids import format_id, time_ordered_id
from cdp.db.locks import hold_customers_exclusive
from cdp.errors import Mistake
from cdp.identify import queries, stored_decisions
from cdp.identify.applying import apply_decisions
from cdp.identify.claims import Author, Decision, profile_node
from cdp.identify.crowding import grants_of
from cdp.identify.deciding import Living, living, now
from cdp.identify.identifier import Identifier
from cdp.identify.rules import Rules
from cdp.identify.ruling import rules_in_force
from cdp.identify.stored_claims import count_again, full_nodes

MOST: Final = 100_000
"""How far people may let a customer grow. Beyond, whatever it is, it is nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A customer in quarantine: since when, by event time, and of what it has or would have too many."""

    customer_id: UUID
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What came of a decision: the customer, and the quarantine it is in by now, if any."""

    customer_id: UUID
    quarantined: Quarantined | None
    decision_ids: tuple[UUID, ...]


def quarantined(connection: Connection[Any], customer_ids: Collection[UUID]) -> dict[UUID, Quarantined]:
    """Which of these living customers are in quarantine."""
    rows = connection.execute(queries.STATEMENTS["quarantined"], {"customer_ids": list(customer_ids)})
    return {one: Quarantined(customer_id=one, at=at, reason=reason) for one, at, reason in rows}


def let_grow(
    connection: Connection[Any],
    customer_id: UUID,
    *,
    author: Author,
    most: int | None = None,
    rules: Rules | None = None,
) -> Decided | Mistake:
    """Lift a quarantine: the customer may have `most` profiles, identifiers and claims about each of these, twice as many
    as so far if not given. Claims that were set aside count again, as far as that goes.

    Takes the customers' lock; the caller commits. On a Mistake nothing has changed.
    """
    hold_customers_exclusive(connection)
    rules = rules or rules_in_force(connection)
    one = _in_quarantine(connection, customer_id)
    if isinstance(one, Mistake):
        return one
    nodes = queries.nodes_of(connection, one.customer_id)
    so_far = max(rules.size.largest, *grants_of(stored_decisions.decisions_about(connection, nodes)).values(), 0)
    wanted = 2 * so_far if most is None else most
    if not so_far < wanted <= MOST:
        message = f"It may have {so_far} by now: say a number above that, at most {MOST}."
        return Mistake(code="not_a_larger_limit", message=message, field=("most",))
    full = full_nodes(connection, nodes).keys()
    made = _decided("grow", {profile_node(one.founder), *full}, author, now(connection), most=wanted)
    count_again(connection, full, wanted)
    apply_decisions(connection, made, withdrawn=(), author=author, rules=rules)
    return _told(connection, one.founder, made)


def keep_closed(connection: Connection[Any], customer_id: UUID, *, author: Author) -> Decided | Mistake:
    """Put on record that a customer in quarantine shall stay as it is. Changes nothing else."""
    hold_customers_exclusive(connection)
    one = _in_quarantine(connection, customer_id)
    if isinstance(one, Mistake):
        return one
    made = _decided("closed", [profile_node(one.founder)], author, now(connection))
    stored_decisions.put_decisions(connection, made)
    return _told(connection, one.founder, made)


def _in_quarantine(connection: Connection[Any], customer_id: UUID) -> Living | Mistake:
    one = living(connection, [customer_id]).get(customer_id)
    if one is None:
        message = f"There is no customer {format_id('cus', customer_id)}."
        return Mistake(code="customer_not_found", message=message, field=("customerId",))
    if not quarantined(connection, [one.customer_id]):
        return Mistake(code="not_quarantined", message="This customer is not in quarantine.", field=("customerId",))
    return one


def _decided(
    kind: Literal["grow", "closed"],
    nodes: Collection[Identifier],
    author: Author,
    at: datetime,
    *,
    most: int | None = None,
) -> list[Decision]:
    return [
        Decision(
            decision_id=time_ordered_id(),
            kind=kind,
            one=node,
            other=node,
            rule="manual",
            decided_at=at,
            actor=author.actor,
            reason=author.reason,
            most=most,
        )
        for node in sorted(nodes)
    ]


def _told(connection: Connection[Any], founder: UUID, made: Collection[Decision]) -> Decided:
    home = queries.homes(connection, [founder])[founder]
    return Decided(
        customer_id=home,
        quarantined=quarantined(connection, [home]).get(home),
        decision_ids=tuple(one.decision_id for one in made),
    )
