"""Replaying failed messages: put back to work some at a time, and stitched here until each is done or has failed again.

Beside running workers that is safe: what one of them takes, the other leaves. What failed again is told and not tried twice.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from psycopg import Connection

from cdp.events.failures import Which, clock, count_failures, failures_to_replay, replay, states_of
from cdp.ingest.stitching import stitch

MOST_AT_ONCE: Final = 500
WAIT_SECONDS: Final = 0.05


@dataclass(slots=True, kw_only=True)
class Replayed:
    """What became of failed messages that were told again."""

    replayed: int = 0
    done: int = 0
    failed: int = 0


def count_of(connection: Connection[Any], which: Which) -> int:
    """How many failed messages fit."""
    return sum(one.count for one in count_failures(connection, which))


def replay_failed(
    connection: Connection[Any], which: Which, after_some: Callable[[Replayed], None] = lambda _so_far: None
) -> Replayed:
    """Tell failed messages again, the oldest first; `after_some` hears how far it is. `connection` is an autocommit one."""
    before, so_far = clock(connection), Replayed()
    while keys := failures_to_replay(connection, which, before=before, most=MOST_AT_ONCE):
        with connection.transaction():
            so_far.replayed += replay(connection, keys)
        while (states := states_of(connection, keys)).get("pending"):
            if not stitch(connection).taken:
                time.sleep(WAIT_SECONDS)  # a worker has them
        so_far.done += states.get("done", 0)
        so_far.failed += states.get("failed", 0)
        after_some(so_far)
    return so_far
