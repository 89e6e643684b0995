"""Interactions: one contact in one channel, as a source tells it, recorded once however often it is told.

A contact that a message told has an id that follows from the message (`record_contacts`); one that an import told is found by
the source's key of it, because a newer version may replace it and name somebody else (`record_interactions`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import Connection

from cdp.db.ids import id_of, time_ordered_id
from cdp.events import queries

Direction = Literal["inbound", "outbound"]


class InteractionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One contact. `(source_id, external_id)` is its key: a message's id, or the record's in an import.

    A higher `version` of a known key replaces the contact, the same or a lower one changes nothing. `profile_id` is
    where it came through and never changes; `customer_id` is whose that profile is now.
    """

    source_id: UUID
    external_id: str
    version: int = 0
    customer_id: UUID
    profile_id: UUID
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
    properties: Mapping[str, Any] = msgspec.field(default_factory=dict)
    time_suspect: bool = False

    @property
    def key(self) -> tuple[UUID, str]:
        """The source's own key of the contact."""
        return self.source_id, self.external_id


def record_contacts(connection: Connection[Any], contacts: Sequence[tuple[datetime, InteractionRecord]]) -> None:
    """Record contacts that messages told, each with when its message came; telling the same again changes nothing.

    Their ids follow from source, message id and that time, all of which the inbox keeps for ever, and a contact is always with
    the customer its profile is of; so no look-up table needs to know them. The caller holds the customers' lock and commits.
    """
    kept_by_key = queries.contacts_kept_by_key(connection, [one.key for _, one in contacts])
    queries.put_interactions(
        connection,
        [
            (id_of(one.source_id, one.external_id, at), one)
            for at, one in contacts
            if not kept_by_key or one.key not in kept_by_key
        ],
    )


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
    queries.put_interactions(connection, [(ids[key], one) for key, one in puts.items()])
