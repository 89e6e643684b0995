"""What the rooms above ask of the inbox and the interactions: set-wise, values bound, inside the caller's
transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

import msgspec
from psycopg import AsyncConnection, Connection

from cdp.db.plans import AS_USUAL, BY_INDEX
from cdp.db.rows import Utf8Texts, as_array
from cdp.db.statements import load_statements

if TYPE_CHECKING:
    from cdp.events.interactions import InteractionRecord, InteractionTold

STATEMENTS: Final = load_statements("cdp.events")

LANES: Final = 32
"""Parts of the key space: messages of one sender share a lane, and one stitcher at a time works on a lane."""

_LANE_LOCKS: Final = 0x43445002


class Arrival(NamedTuple):
    """A message as the door stores it: `body` is JSON in UTF-8; the last four are fingerprints (`waiting.py`)."""

    message_id: str
    lane: int
    body: bytes
    sender: int | None = None
    visitor: int | None = None
    mailbox: int | None = None
    introduces: int | None = None


class InboxMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it waits: `body` is the JSON text as received.

    A struct, as all that is made for every message: a seventh of what a frozen dataclass takes.
    """

    source_id: UUID
    message_id: str
    seq: int
    received_at: datetime
    body: str

    @property
    def key(self) -> tuple[UUID, str]:
        """Source and message id."""
        return self.source_id, self.message_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a message could not be applied. `error` says it without quoting the message."""

    stage: str
    code: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionHome:
    """Where a known interaction is, and its version."""

    record_id: UUID
    customer_id: UUID
    version: int


async def put_messages(connection: AsyncConnection[Any], source_id: UUID, messages: Sequence[Arrival]) -> None:
    """Store messages of one source: one statement, so one round trip where the connection is in autocommit.

    Whoever commits wakes the stitchers then (`announce_messages`); they look by themselves, too, every second.
    """
    if not messages:
        return
    ids, lanes, bodies, *fingerprints = zip(*messages, strict=True)
    given = {
        "source_id": source_id,
        "message_ids": as_array(ids),
        "lanes": as_array(lanes),
        "bodies": Utf8Texts(bodies),
        **dict(zip(("senders", "visitors", "mailboxes", "introduces"), map(as_array, fingerprints), strict=True)),
    }
    await connection.execute(STATEMENTS["put_messages"], given)


async def announce_messages(connection: AsyncConnection[Any]) -> None:
    """Wake the stitchers when this transaction commits."""
    await connection.execute(STATEMENTS["announce_messages"])


@dataclass(slots=True, kw_only=True)
class Lanes:
    """What one stitcher knows of all lanes: up to which transaction each is settled, from where on it looks for what waits.

    Never too far, whoever else is at work; and of use for as long as it is kept.
    """

    settled: list[int] = field(default_factory=lambda: [0] * LANES)


def take_messages(
    connection: Connection[Any], *, most: int, most_lanes: int, known: Lanes | None = None
) -> list[InboxMessage]:
    """About `most` waiting messages of lanes that nobody else works on, the oldest of each, in order of arrival; they wait no
    longer once the transaction commits.

    `known` learns where lanes are settled, and spares what was done before.
    """
    known = known or Lanes()
    connection.execute(BY_INDEX)  # what waits is much or nothing from one moment to the next
    found = connection.execute(STATEMENTS["waiting_lanes"], {"settled": as_array(known.settled)}).fetchall()
    known.settled = [settled for _, _, settled in found]
    waiting = [lane for seq, lane in sorted((seq, lane) for lane, seq, _ in found if seq is not None)]
    if not waiting:
        return []
    given = {"lanes": as_array(waiting), "class_id": _LANE_LOCKS, "most": most_lanes}
    lanes = [lane for (lane,) in connection.execute(STATEMENTS["hold_lanes"], given)]
    if not lanes:
        return []
    settled = [known.settled[lane] for lane in lanes]
    asked = {"lanes": as_array(lanes), "settled": as_array(settled), "most_of_each": -(-most // len(lanes))}
    rows = connection.execute(STATEMENTS["messages_to_stitch"], asked).fetchall()
    connection.execute(AS_USUAL)
    rows.sort(key=itemgetter(2))
    return [
        InboxMessage(source_id=source_id, message_id=message_id, seq=seq, received_at=received_at, body=body)
        for source_id, message_id, seq, received_at, body in rows
    ]


def finish_messages(
    connection: Connection[Any], messages: Sequence[InboxMessage], failures: dict[tuple[UUID, str], Failure]
) -> None:
    """Keep why messages failed, and forget that others of them ever did."""
    if failures:
        connection.execute(
            STATEMENTS["put_failures"],
            {
                "source_ids": as_array([source_id for source_id, _ in failures]),
                "message_ids": as_array([message_id for _, message_id in failures]),
                "stages": as_array([failure.stage for failure in failures.values()]),
                "codes": as_array([failure.code for failure in failures.values()]),
                "errors": as_array([failure.error for failure in failures.values()]),
            },
        )
    done = [one for one in messages if one.key not in failures] if failures else messages
    if done and _any_failures(connection):
        connection.execute(
            STATEMENTS["forget_failures"],
            {"source_ids": [one.source_id for one in done], "message_ids": [one.message_id for one in done]},
        )


def hold_lanes_of(connection: Connection[Any], keys: Collection[tuple[UUID, str]]) -> None:
    """Hold the lanes of these messages, so that no stitcher takes any of them, until the transaction ends.

    Waits for stitchers that are at work on these lanes; they wait for nobody's lane.
    """
    given = {"source_ids": [source_id for source_id, _ in keys], "message_ids": [message_id for _, message_id in keys]}
    connection.execute(STATEMENTS["hold_lanes_of"], {**given, "class_id": _LANE_LOCKS})


def _any_failures(connection: Connection[Any]) -> bool:
    return connection.execute(STATEMENTS["any_failures"]).fetchone() == (True,)


def backlog(connection: Connection[Any]) -> tuple[int, datetime | None]:
    """How many messages wait (a million at most), and when the oldest of them came."""
    row = connection.execute(STATEMENTS["backlog"]).fetchone()
    return (row[0], row[1]) if row else (0, None)


def interaction_keys(
    connection: Connection[Any], keys: Collection[tuple[UUID, str]]
) -> dict[tuple[UUID, str], InteractionHome]:
    """Interactions known under these keys."""
    rows = connection.execute(
        STATEMENTS["interaction_keys"],
        {
            "source_ids": as_array([source_id for source_id, _ in keys]),
            "external_ids": as_array([external for _, external in keys]),
        },
    )
    return {
        (source_id, external_id): InteractionHome(record_id=record_id, customer_id=customer_id, version=version)
        for source_id, external_id, record_id, customer_id, version in rows
    }


def delete_interactions(connection: Connection[Any], gone: Sequence[InteractionHome]) -> None:
    """Take away interactions that are about to be replaced."""
    if gone:
        given = {"customer_ids": [one.customer_id for one in gone], "record_ids": [one.record_id for one in gone]}
        connection.execute(STATEMENTS["delete_interactions"], given)


def interaction_columns(ids: Sequence[UUID], records: Sequence["InteractionTold"]) -> dict[str, Any]:
    """What `put_interactions` writes of these interactions, whoever they are with."""
    return {
        "interaction_ids": as_array(ids),
        "source_ids": as_array([one.source_id for one in records]),
        "kinds": as_array([one.kind for one in records]),
        "directions": as_array([one.direction for one in records]),
        "names": _sparse([one.name for one in records]),
        "topics": _sparse([one.topic for one in records]),
        "products": _sparse([one.product for one in records]),
        "channels": as_array([one.channel for one in records]),
        "divisions": _sparse([one.division for one in records]),
        "locations": _sparse([one.location for one in records]),
        "occurred_at": as_array([one.occurred_at for one in records]),
        "durations": _sparse([one.duration_seconds for one in records]),
        "properties": Utf8Texts(map(_json, records)),
        "suspects": as_array([one.time_suspect for one in records]),
    }


def _sparse(values: Sequence[Any]) -> str:
    """A column that is often empty: `unnest` fills up the shorter ones with nulls."""
    return as_array(values) if any(value is not None for value in values) else "{}"


def put_interactions(
    connection: Connection[Any], columns: Mapping[str, Any], homes: Sequence[tuple[UUID, UUID]]
) -> None:
    """Write interactions: their columns, and customer and profile of each."""
    if not homes:
        return
    given = {
        **columns,
        "customer_ids": as_array([customer_id for customer_id, _ in homes]),
        "profile_ids": as_array([profile_id for _, profile_id in homes]),
    }
    connection.execute(STATEMENTS["put_interactions"], given)


def _json(record: "InteractionTold") -> bytes:
    told = record.properties
    return bytes(told) if isinstance(told, msgspec.Raw) else msgspec.json.encode(dict(told))


def contacts_kept_by_key(
    connection: Connection[Any], keys: Sequence[tuple[UUID, str]]
) -> AbstractSet[tuple[UUID, str]]:
    """Of messages told again, those whose contact was recorded when every contact had a key in the look-up table.

    Only what failed is ever told again, so nearly always there is nothing to look for.
    """
    if not keys or not _any_failures(connection):
        return frozenset()
    rows = connection.execute(
        STATEMENTS["contacts_kept_by_key"],
        {
            "source_ids": as_array([source_id for source_id, _ in keys]),
            "message_ids": as_array([message_id for _, message_id in keys]),
        },
    )
    return {(source_id, message_id) for source_id, message_id in rows}


def claim_interaction_keys(connection: Connection[Any], puts: Sequence[tuple[UUID, "InteractionRecord"]]) -> bool:
    """Write the keys of interactions to be; whether all of them are new. Those known already stay as they are."""
    return connection.execute(STATEMENTS["claim_interaction_keys"], _keys(puts)).rowcount == len(puts)


def put_interaction_keys(connection: Connection[Any], puts: Sequence[tuple[UUID, "InteractionRecord"]]) -> None:
    """Keys of known interactions, in a new version."""
    if puts:
        connection.execute(STATEMENTS["put_interaction_keys"], _keys(puts))


def _keys(puts: Sequence[tuple[UUID, "InteractionRecord"]]) -> dict[str, str]:
    return {
        "source_ids": as_array([one.source_id for _, one in puts]),
        "external_ids": as_array([one.external_id for _, one in puts]),
        "record_ids": as_array([record_id for record_id, _ in puts]),
        "customer_ids": as_array([one.customer_id for _, one in puts]),
        "versions": as_array([one.version for _, one in puts]),
    }


def rehome(connection: Connection[Any], moves: Sequence[tuple[UUID, UUID, UUID]]) -> None:
    """Follow profiles to other customers: `(profile_id, old_customer_id, new_customer_id)` each."""
    if not moves:
        return
    profiles, old, new = (list(column) for column in zip(*moves, strict=True))
    given = {"profile_ids": profiles, "old": old, "new": new}
    moved = connection.execute(STATEMENTS["rehome_interactions"], given).fetchall()
    if moved:
        keys = {"interaction_ids": [one for one, _ in moved], "customer_ids": [home for _, home in moved], "old": old}
        connection.execute(STATEMENTS["rehome_interaction_keys"], keys)
