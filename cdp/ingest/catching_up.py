"""Catching up: what waits about one person is stitched now, because somebody asks who that is.

Messages are acknowledged first and stitched within a second; a touchpoint that was just told something must not hear that nobody
is known. What is stitched here is what the worker would stitch, in whatever order: the graph doesn't depend on it.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from cdp.db.locks import hold_customers_exclusive
from cdp.db.plans import AS_USUAL, BY_INDEX
from cdp.events.queries import finish_messages
from cdp.events.waiting import Named, take_waiting, waiting_about
from cdp.identify.identifier import ANONYMOUS_ID, EMAIL, USER_ID
from cdp.ingest.stitching import apply_or_halve, read

LONGEST_WAIT: Final = "3s"
"""For a stitcher that is at work on them, or on others. Then the asker hears what is known."""
MOST_STEPS: Final = 3
"""From an anonymous id to its user, to that user's other devices, to theirs."""

_FOLLOWED: Final = frozenset({USER_ID, ANONYMOUS_ID, EMAIL})


def catch_up(connection: Connection[Any], named: Sequence[Named]) -> int:
    """Stitch what waits about these identifiers and those that it names beside them; how many messages.

    In the caller's transaction. Raises psycopg.errors.LockNotAvailable when others took too long.
    """
    connection.execute(f"SET LOCAL lock_timeout = '{LONGEST_WAIT}'")
    connection.execute(BY_INDEX)  # what waits is much or nothing from one moment to the next
    keys = _keys_about(connection, named)
    # Held all at once and in order of arrival, so that two who catch up with the same messages wait, and never for one another.
    messages = take_waiting(connection, keys) if keys else []
    connection.execute(AS_USUAL)
    if messages:
        readings, failures = read(connection, messages)
        hold_customers_exclusive(connection)
        failures |= apply_or_halve(connection, readings)
        finish_messages(connection, messages, failures)
    return len(messages)


def _keys_about(connection: Connection[Any], named: Sequence[Named]) -> list[tuple[UUID, str]]:
    """What waits about these identifiers, and about those that it names beside them."""
    keys: dict[tuple[UUID, str], None] = {}
    asked: set[Named] = set()
    following = set(named)
    for _ in range(MOST_STEPS):
        asked |= following
        found = [message for message in waiting_about(connection, following) if message.key not in keys]
        keys |= dict.fromkeys(message.key for message in found)
        readings, _unread = read(connection, found)
        following = {one for reading in readings for one in reading.drafts[0].identifiers if one[0] in _FOLLOWED}
        following -= asked
        if not following:
            break
    return list(keys)
