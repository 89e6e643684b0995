"""Messages in the inbox found by whom they name, whether they are stitched yet or not.

The door keeps fingerprints beside each message: of its sender, of the anonymous id beside a user id, of the e-mail address it
tells, all indexed while it waits; and of the anonymous id whose person an `identify` names, indexed for good. A fingerprint finds
candidates; whom a message names, its body says.
"""

import zlib
from collections.abc import Collection, Iterable
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection, Connection

from cdp.db.plans import BY_INDEX
from cdp.db.statements import load_statements
from cdp.events.queries import InboxMessage, hold_lanes_of

STATEMENTS: Final = load_statements("cdp.events")
MOST_WAITING: Final = 500
"""Messages looked at for one person; a person of whom more wait is a flood."""
MOST_INTRODUCTIONS: Final = 20
EMAIL: Final = "email"

Named = tuple[str, str]
"""Namespace and value, in any spelling."""


def fingerprint(text: str) -> int:
    """CRC-32 as PostgreSQL's integer. The door has it anyway: a message's lane is its sender's."""
    number = zlib.crc32(text.encode("utf-8", "surrogatepass"))
    return number - (1 << 32) if number >= 1 << 31 else number


def fingerprint_of_email(address: str) -> int:
    """Of an address in any spelling."""
    return fingerprint(address.strip().lower())


def fingerprints(named: Iterable[Named]) -> dict[str, list[int]]:
    """What `waiting_about` asks with: user ids, anonymous ids and e-mail addresses are found, other namespaces are not."""
    values = list(named)
    return {
        "names": [fingerprint(value.strip()) for namespace, value in values if namespace != EMAIL],
        "mailboxes": [fingerprint_of_email(value) for namespace, value in values if namespace == EMAIL],
    }


async def anything_waits(connection: AsyncConnection[Any], named: Iterable[Named]) -> bool:
    """Whether a message waits that may be about one of these; a transaction of its own."""
    async with connection.transaction():
        await connection.execute(BY_INDEX)  # what waits is much or nothing from one moment to the next
        found = await connection.execute(STATEMENTS["anything_waits"], fingerprints(named), prepare=True)
        return await found.fetchone() == (True,)


def waiting_about(connection: Connection[Any], named: Iterable[Named]) -> list[InboxMessage]:
    """What waits and may be about one of these, each once, the oldest first, at most `MOST_WAITING`; not held."""
    given = {**fingerprints(named), "most": MOST_WAITING}
    found = (_message(row) for row in connection.execute(STATEMENTS["waiting_about"], given))
    return list({message.key: message for message in found}.values())


def take_waiting(connection: Connection[Any], keys: Collection[tuple[UUID, str]]) -> list[InboxMessage]:
    """Of these messages those that still wait, in order of arrival; they wait no longer once the transaction commits.

    Waits for stitchers that are at work on their lanes; what these finished is not among them.
    """
    hold_lanes_of(connection, keys)
    given = {"source_ids": [source_id for source_id, _ in keys], "message_ids": [message_id for _, message_id in keys]}
    return [_message(row) for row in connection.execute(STATEMENTS["take_these"], given)]


async def introductions(connection: AsyncConnection[Any], source_id: UUID, anonymous_id: str) -> list[InboxMessage]:
    """What a source was told, under an anonymous id and of who that is: the latest `MOST_INTRODUCTIONS`, latest first.

    Stitched or not: they are the visitor's own words, and nothing that follows from them.
    """
    given = {
        "source_id": source_id,
        "anonymous_id": anonymous_id,
        "fingerprint": fingerprint(anonymous_id),
        "most": MOST_INTRODUCTIONS,
    }
    found = await connection.execute(STATEMENTS["introductions"], given, prepare=True)
    return [_message(row) for row in await found.fetchall()]


def _message(row: tuple[Any, ...]) -> InboxMessage:
    source_id, message_id, seq, received_at, body = row
    return InboxMessage(source_id=source_id, message_id=message_id, seq=seq, received_at=received_at, body=body)
