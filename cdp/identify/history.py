"""History: what identity's ledger tells beside merges and partings, purely, from a redrawing.

Identifiers that went along with a merge or a parting are told with its record. Every other change of whom an identifier points
at is an event of the customer that it pointed at, or points at now. Source: `identity.md`, merge ledger.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from cdp.identify.claims import Author
from cdp.identify.identifier import Identifier
from cdp.identify.redrawing import Redrawing

EventKind = Literal["link", "unlink", "block", "unblock", "share", "move", "quarantine", "release"]
SYSTEM = Author(actor="system")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a redrawing is about, when somebody decided something of one value."""

    kind: EventKind
    identifier: Identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A line of a customer's history. `other_customer_ids`: whose the identifiers are now, where not the customer's."""

    kind: EventKind
    customer_id: UUID
    other_customer_ids: tuple[UUID, ...] = ()
    identifiers: tuple[Identifier, ...] = ()
    actor: str = "system"
    reason: str | None = None


Change = tuple[UUID | None, UUID | None]
"""Whom identifiers pointed at, and whom they point at now; None: nobody."""


def complete(
    drawn: Redrawing, before: Mapping[Identifier, UUID | None], *, about: About | None = None, author: Author = SYSTEM
) -> tuple[Redrawing, tuple[Event, ...]]:
    """The redrawing with its records complete, and the events that no record tells.

    `before`: owners as stored of every identifier of the component. What the author decided of a value is an event of its
    own even where a record tells of it.
    """
    changed: defaultdict[Change, list[Identifier]] = defaultdict(list)
    for identifier, owner in before.items():
        if owner is not None and drawn.owners.get(identifier) != owner:
            changed[owner, drawn.owners.get(identifier)].append(identifier)
    events = [] if about is None else list(_decided(before, drawn, about, author))
    if not changed:
        return drawn, tuple(events)
    merges = []
    for record in drawn.merges:
        pair = (record.other_customer_id, record.customer_id)
        went = changed.pop(pair if record.kind == "merge" else pair[::-1], [])
        merges.append(replace(record, identifiers=tuple(sorted(went))))
    for (owner, now), identifiers in changed.items():
        left = [one for one in identifiers if about is None or one != about.identifier]
        for kind, of_kind in _kinds(left, now, drawn).items():
            others = () if now is None else (now,)
            reason = author.reason or "Claims known by now tie it elsewhere."
            assert owner is not None  # noqa: S101 — what pointed at nobody isn't among the changed
            events.append(
                Event(
                    kind=kind,
                    customer_id=owner,
                    other_customer_ids=others,
                    identifiers=tuple(sorted(of_kind)),
                    actor=author.actor,
                    reason="It is on too many customers." if kind == "share" else reason,
                )
            )
    return replace(drawn, merges=tuple(merges)), tuple(events)


def quarantine_events(drawn: Redrawing, changed: Collection[UUID], author: Author) -> tuple[Event, ...]:
    """Of the customers that came into quarantine, or out of it."""
    return tuple(
        Event(
            kind="quarantine" if one in drawn.quarantined else "release",
            customer_id=one,
            actor=author.actor,
            reason=author.reason or _too_many(drawn, one),
        )
        for one in sorted(changed)
    )


def _too_many(drawn: Redrawing, customer_id: UUID) -> str | None:
    quarantine = drawn.quarantined.get(customer_id)
    return None if quarantine is None else f"It has, or would have, too many {quarantine.reason}."


def _kinds(identifiers: list[Identifier], now: UUID | None, drawn: Redrawing) -> Mapping[EventKind, list[Identifier]]:
    """By what became of them: another's, on too many customers, or nobody's."""
    kinds: defaultdict[EventKind, list[Identifier]] = defaultdict(list)
    for one in identifiers:
        kinds["move" if now is not None else "share" if one in drawn.owners else "unlink"].append(one)
    return kinds


def _decided(before: Mapping[Identifier, UUID | None], drawn: Redrawing, about: About, author: Author) -> list[Event]:
    """The event of a decided value: of whom it pointed at, else of whom it points at now; none where nobody's changes."""
    owner, now = before.get(about.identifier), drawn.owners.get(about.identifier)
    customer_id = owner or now
    if owner == now or customer_id is None:
        return []
    others = () if now is None or owner is None else (now,)
    return [
        Event(
            kind=about.kind,
            customer_id=customer_id,
            other_customer_ids=others,
            identifiers=(about.identifier,),
            actor=author.actor,
            reason=author.reason,
        )
    ]
