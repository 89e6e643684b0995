"""Reviewing: what people do with the queue of findings: look at it, hand it to somebody, accept or refuse.

Accepting says that the finding is right, refusing that it isn't; what follows is a decision like any other:

| kind | accepted | refused |
|---|---|---|
| match, refusal | the two are one customer: they are merged | they never are: parted |
| shared | the value is shared, whatever is claimed | it isn't, and ties customers as far as limits allow |
| quarantine | the customer may grow further | it stays as it is |

The same decided again is harmless; the opposite is decided anew. Source: `identity.md`, rules 4 and 5, merge ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from psycopg import Connection

from cdp.db.ids import format_id
from cdp.db.locks import hold_customers_exclusive
from cdp.db.statements import load_statements
from cdp.errors import Mistake
from cdp.identify.applying import apply_decisions
from cdp.identify.claims import Author, profile_node
from cdp.identify.deciding import decided, living, now
from cdp.identify.findings import Kind
from cdp.identify.identifier import Identifier
from cdp.identify.merging import Merged, merge
from cdp.identify.quarantining import keep_closed, let_grow
from cdp.identify.valuing import confirm_shared, deny_shared

STATEMENTS: Final = load_statements("cdp.identify", "reviewing.sql")

KINDS: Final[tuple[Kind, ...]] = ("shared", "quarantine", "refusal", "match")
State = Literal["open", "accepted", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A line of the queue. `customer_ids`: as found, in the order of their age; each leads to whoever it became part of."""

    review_id: UUID
    kind: Kind
    state: State
    identifier: Identifier | None
    customer_ids: tuple[UUID, ...]
    weight: float | None
    explanation: dict[str, Any]
    found_at: datetime
    assigned_staff_id: UUID | None
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None
    merge_id: UUID | None


def listed(
    connection: Connection[Any],
    *,
    states: Sequence[State] = ("open",),
    kinds: Sequence[Kind] = KINDS,
    assigned_staff_id: UUID | None = None,
    after: UUID | None = None,
    most: int = 20,
) -> list[Review]:
    """The queue, longest waiting first; `after` that line, if given."""
    given = {
        "states": list(states),
        "kinds": list(kinds),
        "assigned_staff_id": assigned_staff_id,
        "after": after,
        "most": most,
    }
    return [_review(row) for row in connection.execute(STATEMENTS["reviews"], given)]


def waiting(connection: Connection[Any]) -> dict[str, int]:
    """How many lines are open, by kind; none for kinds without one."""
    return dict(connection.execute(STATEMENTS["counts"]).fetchall())


def review_of(connection: Connection[Any], review_id: UUID) -> Review | Mistake:
    """One line, held until the transaction ends."""
    row = connection.execute(STATEMENTS["review"], {"review_id": review_id}).fetchone()
    if row is None:
        message = f"There is no review {format_id('rev', review_id)}; what it was about may no longer be so."
        return Mistake(code="review_not_found", message=message, field=("id",))
    return _review(row)


def accept(connection: Connection[Any], review_id: UUID, *, author: Author) -> Review | Mistake:
    """The finding is right. The line as it is then.

    Takes the customers' lock; the caller commits. On a Mistake nothing has changed, and the line stays as it was.
    """
    hold_customers_exclusive(connection)
    found = review_of(connection, review_id)
    if isinstance(found, Mistake) or found.state == "accepted":
        return found
    merge_id: UUID | None = None
    mistake: Mistake | None = None
    if found.kind in {"match", "refusal"}:
        outcome = merge(connection, found.customer_ids, author=author)
        if isinstance(outcome, Merged):
            merge_id = outcome.merge_id
        elif outcome.code != "already_merged":
            mistake = outcome
    elif found.kind == "shared" and found.identifier is not None:
        confirm_shared(connection, found.identifier, author=author)
    else:
        grown = let_grow(connection, found.customer_ids[0], author=author)
        mistake = grown if isinstance(grown, Mistake) and grown.code != "not_quarantined" else None
    return mistake_about(mistake) if mistake is not None else _decide(connection, found, "accepted", author, merge_id)


def refuse(connection: Connection[Any], review_id: UUID, *, author: Author) -> Review | Mistake:
    """The finding is wrong, and never comes back. As to the rest as `accept`."""
    hold_customers_exclusive(connection)
    found = review_of(connection, review_id)
    if isinstance(found, Mistake) or found.state == "refused":
        return found
    mistake: Mistake | None = None
    if found.kind in {"match", "refusal"}:
        mistake = _part(connection, found.customer_ids, author)
    elif found.kind == "shared" and found.identifier is not None:
        mistake = deny_shared(connection, found.identifier, author=author)
    else:
        closed = keep_closed(connection, found.customer_ids[0], author=author)
        mistake = closed if isinstance(closed, Mistake) and closed.code != "not_quarantined" else None
    return mistake_about(mistake) if mistake is not None else _decide(connection, found, "refused", author, None)


def assign(connection: Connection[Any], review_id: UUID, email: str | None) -> Review | Mistake:
    """Somebody of the staff, by e-mail address, looks at it, or (None) nobody in particular; anybody may still decide."""
    found = review_of(connection, review_id)
    if isinstance(found, Mistake):
        return found
    staff_id = None if email is None else staff_by_email(connection, email)
    if email is not None and staff_id is None:
        return Mistake(
            code="staff_not_found", message="There is nobody of the staff with this address.", field=("email",)
        )
    connection.execute(STATEMENTS["assign"], {"review_id": review_id, "staff_id": staff_id})
    return review_of(connection, review_id)


def staff_by_email(connection: Connection[Any], email: str) -> UUID | None:
    """The id of somebody of the staff; None when nobody has the address."""
    row = connection.execute(STATEMENTS["staff_by_email"], {"email": email}).fetchone()
    return None if row is None else row[0]


def names_of(connection: Connection[Any], reviews: Sequence[Review]) -> dict[UUID, str]:
    """What the customers and the staff that reviews name are called by now, by the ids that these name; none without a name."""
    given = {
        "customer_ids": [each for one in reviews for each in one.customer_ids],
        "staff_ids": [one.assigned_staff_id for one in reviews if one.assigned_staff_id is not None],
    }
    return dict(connection.execute(STATEMENTS["names"], given).fetchall())


def mistake_about(mistake: Mistake) -> Mistake:
    """A mistake of what a review asks for, said of the review."""
    return Mistake(code=mistake.code, message=mistake.message, field=("id",))


def _part(connection: Connection[Any], customer_ids: Sequence[UUID], author: Author) -> Mistake | None:
    """The two never become one by themselves."""
    found = living(connection, customer_ids)
    pair = [found[one] for one in customer_ids if one in found]
    if len(pair) < len(customer_ids):
        return Mistake(code="customer_not_found", message="One of the customers is no more.", field=("id",))
    one, other = pair
    if one.customer_id == other.customer_id:
        message = "They are one customer by now: undo the merge with customerUnmerge instead."
        return Mistake(code="already_merged", message=message, field=("id",))
    made = decided("part", profile_node(one.founder), profile_node(other.founder), author, now(connection))
    apply_decisions(connection, [made], withdrawn=(), author=author)
    return None


def _decide(
    connection: Connection[Any], found: Review, state: State, author: Author, merge_id: UUID | None
) -> Review | Mistake:
    # The decision itself may have taken the finding off the list: what was decided stays on record.
    one, other = (*found.customer_ids, None, None)[:2]
    namespace, value = found.identifier or (None, None)
    line = {
        "review_id": found.review_id,
        "kind": found.kind,
        "namespace": namespace,
        "value": value,
        "one": one,
        "other": other,
        "weight": found.weight,
        "explanation": msgspec.json.encode(found.explanation).decode(),
        "found_at": found.found_at,
        "assigned_staff_id": found.assigned_staff_id,
    }
    connection.execute(STATEMENTS["relist"], line)
    given = {"review_id": found.review_id, "state": state, "merge_id": merge_id}
    connection.execute(STATEMENTS["decide"], {**given, "actor": author.actor, "reason": author.reason})
    return review_of(connection, found.review_id)


def _review(row: Sequence[Any]) -> Review:
    review_id, kind, state, namespace, value, one, other, weight, explanation, found_at, *rest = row
    staff_id, decided_at, decided_by, reason, merge_id = rest
    return Review(
        review_id=review_id,
        kind=kind,
        state=state,
        identifier=None if namespace is None else Identifier(namespace, value),
        customer_ids=tuple(each for each in (one, other) if each is not None),
        weight=weight,
        explanation=explanation,
        found_at=found_at,
        assigned_staff_id=staff_id,
        decided_at=decided_at,
        decided_by=decided_by,
        reason=reason,
        merge_id=merge_id,
    )
