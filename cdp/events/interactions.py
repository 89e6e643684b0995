"""Interactions: one contact in one channel, as a source tells it, recorded once however often it is told.

A contact that a message told has an id that follows from the message (`record_contacts`); one that an import told is found by
the source's key of it, because a newer version may replace it and name somebody else (`record_interactions`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import Connection

from cdp.db.ids import id_of, time_ordered_id
from cdp.events import queries

Direction = Literal["inbound", "outbound"]


class InteractionTold(msgspec.Struct, frozen=True, kw_only=True):
    """One contact, before it is known whose. `(source_id, external_id)` is its key: a message's id, or the record's in an import.

    A higher `version` of a known key replaces the contact, the same or a lower one changes nothing. `properties`: a mapping, or
    a JSON object as it came.
    """

    source_id: UUID
    external_id: str
    version: int = 0
    kind: str
    direction: Direction = "inbound"
    name: str | None = None
    topic: str | None = None
    product: str | None = None
    channel: str
    division: str | None = None
    location: str | None = None
    occurred_at: datetime
    duration_seconds: int | None = None
    properties: Mapping[str, Any] | msgspec.Raw = msgspec.field(default_factory=dict)
    time_suspect: bool = False

    @property
    def key(self) -> tuple[UUID, str]:
        """The source's own key of the contact."""
        return self.source_id, self.external_id


class InteractionRecord(InteractionTold, frozen=True, kw_only=True):
    """One contact. `profile_id` is where it came through and never changes; `customer_id` is whose that profile is now."""

    customer_id: UUID
    profile_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Contacts:
    """Contacts that messages told, made ready to be written as far as they can be before it is known whose they are."""

    told: Sequence[tuple[datetime, InteractionTold]]
    columns: Mapping[str, Any]


def contacts_of(told: Sequence[tuple[datetime, InteractionTold]]) -> Contacts:
    """Contacts that messages told, each with when its message came. Pure.

    Their ids follow from source, message id and that time, all of which the inbox keeps for ever, and a contact is always with
    the customer its profile is of; so no look-up table needs to know them.
    """
    ids = [id_of(one.source_id, one.external_id, at) for at, one in told]
    return Contacts(told=told, columns=queries.interaction_columns(ids, [one for _, one in told]))


def record_contacts(connection: Connection[Any], contacts: Contacts, homes: Sequence[tuple[UUID, UUID]]) -> None:
    """Record contacts; telling the same again changes nothing. `homes`: customer and profile of each.

    The caller holds the customers' lock and commits.
    """
    kept_by_key = queries.contacts_kept_by_key(connection, [one.key for _, one in contacts.told])
    if kept_by_key:
        left = [(told, home) for told, home in zip(contacts.told, homes, strict=True) if told[1].key not in kept_by_key]
        contacts, homes = contacts_of([told for told, _ in left]), [home for _, home in left]
    queries.put_interactions(connection, contacts.columns, homes)


def record_interactions(connection: Connection[Any], interactions: Sequence[InteractionRecord]) -> None:
    """Record a batch; telling the same again changes nothing. The caller holds the customers' lock and commits."""
    newest: dict[tuple[UUID, str], InteractionRecord] = {}
    for one in interactions:
        held = newest.get(one.key)
        if held is None or one.version > held.version:
            newest[one.key] = one
    if not newest:
        return
    ids = {key: time_ordered_id() for key in newest}
    puts = newest
    # Nearly always all are new, and then the keys needn't be looked up before they are written.
    if not queries.claim_interaction_keys(connection, [(ids[key], one) for key, one in newest.items()]):
        known = {
            key: home
            for key, home in queries.interaction_keys(connection, newest).items()
            if home.record_id != ids[key]
        }
        puts = {key: one for key, one in newest.items() if key not in known or one.version > known[key].version}
        replaced = {key: known[key] for key in puts if key in known}
        ids |= {key: home.record_id for key, home in replaced.items()}
        queries.delete_interactions(connection, list(replaced.values()))
        queries.put_interaction_keys(connection, [(ids[key], newest[key]) for key in replaced])
    columns = queries.interaction_columns([ids[key] for key in puts], list(puts.values()))
    queries.put_interactions(connection, columns, [(one.customer_id, one.profile_id) for one in puts.values()])
