"""Valuing: what a single value is worth, because somebody says so: nothing at all, or one customer's though many show it.

A blocked value never counts again, whoever claims it, until it is unblocked; customers that it alone held together part. What is
decided of a shared value, that it is shared or isn't, holds against what the count of its claims says. Source: `identity.md`,
rules 2 and 4; decision 0014.
"""

from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from cdp.db.ids import time_ordered_id
from cdp.db.locks import hold_customers_exclusive
from cdp.errors import Mistake
from cdp.identify import queries, stored_decisions
from cdp.identify.applying import apply_decisions
from cdp.identify.claims import Author, request_id
from cdp.identify.deciding import STATEMENTS, component_of, decided, is_made, named, now, set_down
from cdp.identify.history import About
from cdp.identify.identifier import Identifier
from cdp.identify.linking import Changed

MOST_CLAIMANTS: Final = 1_000
"""Of a value that may tie customers after all. What more claim is nobody's, whoever says so."""


def block(
    connection: Connection[Any], namespace: str, value: str, *, author: Author, request_key: str | None = None
) -> Changed | Mistake:
    """The value points at nobody from now on. Changed names whom it pointed at, and those that parted from it.

    The same `request_key` of the same actor again does nothing. Takes the customers' lock; the caller commits. On a Mistake
    nothing has changed.
    """
    hold_customers_exclusive(connection)
    identifier = named(namespace, value)
    if isinstance(identifier, Mistake):
        return identifier
    decision_id = time_ordered_id() if request_key is None else request_id(author.actor, request_key)
    known = is_made(connection, decision_id, "block", identifier)
    if known:
        return known if isinstance(known, Mistake) else Changed(customer_ids=())
    component = component_of(connection, [identifier])
    if any(one.kind == "block" and one.one == identifier for one in component.decisions):
        return Mistake(code="already_blocked", message="This value is blocked already.", field=("identifier",))
    owner = component.owners.get(identifier)
    was_here = [one.profile_id for one in component.stored.values() if owner is not None and one.customer_id == owner]
    made = decided("block", identifier, identifier, author, now(connection), decision_id=decision_id)
    about = About(kind="block", identifier=identifier)
    apply_decisions(connection, [made], withdrawn=(), author=author, about=about)
    homes = set(queries.homes(connection, was_here).values())
    first = {owner} & homes
    return Changed(customer_ids=(*(one for one in first if one is not None), *sorted(homes - first)))


def unblock(
    connection: Connection[Any], namespace: str, value: str, *, author: Author, request_key: str | None = None
) -> Changed | Mistake:
    """The value counts again, as if it had never been blocked. Changed names whom it points at now. As to the rest as `block`."""
    hold_customers_exclusive(connection)
    identifier = named(namespace, value)
    if isinstance(identifier, Mistake):
        return identifier
    decision_id = time_ordered_id() if request_key is None else request_id(author.actor, request_key)
    known = is_made(connection, decision_id, "unblock", identifier)
    if known:
        return known if isinstance(known, Mistake) else Changed(customer_ids=_pointed_at(connection, identifier))
    blocks = [one for one in stored_decisions.decisions_about(connection, [identifier]) if one.kind == "block"]
    if not blocks:
        return Mistake(code="not_blocked", message="Nobody blocked this value.", field=("identifier",))
    about = About(kind="unblock", identifier=identifier)
    apply_decisions(connection, (), withdrawn=blocks, author=author, about=about)
    set_down(connection, decided("unblock", identifier, identifier, author, now(connection), decision_id=decision_id))
    return Changed(customer_ids=_pointed_at(connection, identifier))


def confirm_shared(connection: Connection[Any], identifier: Identifier, *, author: Author) -> None:
    """The value is shared, whatever its claims will say. The caller holds the customers' lock."""
    made = decided("shared", identifier, identifier, author, now(connection))
    about = About(kind="share", identifier=identifier)
    apply_decisions(connection, [made], withdrawn=(), author=author, about=about)


def deny_shared(connection: Connection[Any], identifier: Identifier, *, author: Author) -> Mistake | None:
    """The value isn't shared, and ties those who claim it as far as limits allow. The caller holds the customers' lock."""
    given = {"namespace": identifier.namespace, "value": identifier.value}
    row = connection.execute(STATEMENTS["claimants"], given).fetchone()
    if row is not None and row[0] > MOST_CLAIMANTS:
        message = f"{row[0]} profiles claim this value; of one that more than {MOST_CLAIMANTS} claim nobody is meant."
        return Mistake(code="claimed_by_too_many", message=message, field=("id",))
    made = decided("unshared", identifier, identifier, author, now(connection))
    about = About(kind="link", identifier=identifier)
    apply_decisions(connection, [made], withdrawn=(), author=author, about=about)
    return None


def _pointed_at(connection: Connection[Any], identifier: Identifier) -> tuple[UUID, ...]:
    owner = queries.owners(connection, [identifier]).get(identifier)
    return () if owner is None else (owner,)
