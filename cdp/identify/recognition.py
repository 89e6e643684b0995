"""Recognition: who is this, now; each question one statement, prepared, in one round trip.

Two askers. A tool may ask for any identifier and hears of the whole customer. A visitor's token may only ever hear what its own
source was told under the one identifier that the token proves; nothing that follows through the graph, because a public write key
can claim that any two identifiers belong together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from cdp.db.statements import load_statements
from cdp.events.queries import InboxMessage
from cdp.events.waiting import MOST_INTRODUCTIONS, Named, fingerprint, fingerprints
from cdp.identify.identifier import ACCOUNT_NUMBER, EMAIL, PHONE, USER_ID, VAT, identify

STATEMENTS: Final = load_statements("cdp.identify", "recognition.sql")
RECOGNITION_ORDER: Final = (USER_ID, EMAIL, PHONE, VAT, ACCOUNT_NUMBER)
"""Which identifier speaks first when several name different customers; others follow, as given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """The customer that an identifier names; `traits` as JSON text."""

    customer_id: UUID
    kind: str
    name: str | None
    email: str | None
    phone: str | None
    traits: str
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldOfUser:
    """What a source was told of a user. `traits`: name → (stated at, message id, value); `waiting`: not yet stitched."""

    is_known: bool
    traits: Mapping[str, tuple[datetime, str, Any]]
    waiting: Sequence[InboxMessage]


async def recognise(connection: AsyncConnection[Any], named: Sequence[Named]) -> tuple[Recognised | None, bool]:
    """The customer that one of the identifiers names, and whether messages wait that may be about them."""
    forms = [identify(namespace, value) for namespace, value in named]
    known = [form for form in forms if form is not None]
    given = {
        "namespaces": [form.namespace for form in known],
        "values": [form.value for form in known],
        "order": list(RECOGNITION_ORDER),
        **fingerprints(named),
    }
    row = await (await connection.execute(STATEMENTS["recognise"], given, prepare=True)).fetchone()
    assert row is not None  # noqa: S101 — one row always
    *found, more_waits = row
    if found[0] is None:
        return None, more_waits
    names = ("customer_id", "kind", "name", "email", "phone", "traits", "first_seen_at", "last_seen_at")
    return Recognised(**dict(zip(names, found, strict=True))), more_waits


async def told_of_user(
    connection: AsyncConnection[Any], source_id: UUID, user_id: str, *, traits: Sequence[str]
) -> ToldOfUser:
    """What a source was told of one of its users under the user id, of these traits."""
    given = {
        "source_id": source_id,
        "user_id": user_id,
        "traits": list(traits),
        "fingerprint": fingerprint(user_id),
        "most": MOST_INTRODUCTIONS,
    }
    row = await (await connection.execute(STATEMENTS["told_of_user"], given, prepare=True)).fetchone()
    assert row is not None  # noqa: S101 — one row always
    profile_id, names, values, stated_at, message_ids, *waiting = row
    told = {
        name: (at, message_id, msgspec.json.decode(value))
        for name, value, at, message_id in zip(
            names or (), values or (), stated_at or (), message_ids or (), strict=True
        )
    }
    columns = [column or () for column in waiting]
    messages = [
        InboxMessage(source_id=source_id, message_id=message_id, seq=seq, received_at=received_at, body=body)
        for message_id, seq, received_at, body in zip(*columns, strict=True)
    ]
    return ToldOfUser(is_known=profile_id is not None or bool(messages), traits=told, waiting=messages)
