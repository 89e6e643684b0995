"""Catching up: what waits about one person is stitched now, because somebody asks who that is.

Messages are acknowledged first and stitched within a second; a touchpoint that was just told something must not hear that nobody
is known. What is stitched here is what the worker would stitch, in whatever order: the graph doesn't depend on it.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from cdp.db.locks import hold_customers_exclusive
from cdp.events.queries import InboxMessage, finish_messages
from cdp.events.waiting import Named, hold_waiting, waiting_about
from cdp.identify.identifier import ANONYMOUS_ID, EMAIL, USER_ID
from cdp.ingest.reading import Reading
from cdp.ingest.stitching import Failures, apply_or_halve, read

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
    keys: dict[tuple[UUID, str], None] = {}
    asked: set[Named] = set()
    readings: list[Reading] = []
    taken: list[InboxMessage] = []
    failures: Failures = {}
    following = set(named)
    for _ in range(MOST_STEPS):
        asked |= following
        found = [key for key in waiting_about(connection, following) if key not in keys]
        if not found:
            break
        keys |= dict.fromkeys(found)
        messages = hold_waiting(connection, found)
        understood, failed = read(connection, messages)
        taken += messages
        readings += understood
        failures |= failed
        following = {one for reading in understood for one in reading.drafts[0].identifiers if one[0] in _FOLLOWED}
        following -= asked
        if not following:
            break
    if taken:
        hold_customers_exclusive(connection)
        failures |= apply_or_halve(connection, readings)
        finish_messages(connection, taken, failures)
    return len(taken)
