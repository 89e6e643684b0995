"""Failed messages: which could not be applied, at which stage and why; shown, and put back to work.

A message fails when it can't be read (`decode`), when who it is about can't be told (`identify`), or when what it says of an
order can't be understood (`project`; the rest of it has landed). It waits as it was received, for ever, until it is replayed:
after a mistake of ours is mended, or a source's data are. Telling it again has no second effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from cdp.db.statements import load_statements
from cdp.errors import NotFound
from cdp.events.queries import hold_lanes_of

STATEMENTS: Final = load_statements("cdp.events", "failures.sql")
STAGES: Final = ("decode", "identify", "project")

Key = tuple[UUID, str]
"""Source and message id."""


class NoFailedMessage(NotFound):
    """No message {message_id} of {source} has failed."""

    source: str
    message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which failed messages are meant: all that fit what is given."""

    source: str | None = None
    stage: str | None = None
    code: str | None = None
    message_id: str | None = None

    def given(self) -> dict[str, Any]:
        """Parameters of a statement."""
        return {"source": self.source, "stage": self.stage, "code": self.code, "message_id": self.message_id}


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedMessage:
    """A failed message. `error` names the error by kind and quotes nothing; `body` is what was sent, where it was asked for."""

    source_id: UUID
    source: str
    message_id: str
    stage: str
    code: str
    error: str
    attempts: int
    failed_at: datetime
    received_at: datetime
    body: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureCount:
    """How many messages of a source failed alike."""

    source: str
    stage: str
    code: str
    count: int
    last_at: datetime


def list_failures(
    connection: Connection[Any], which: Which, *, most: int, after: tuple[datetime, UUID, str] | None = None
) -> list[FailedMessage]:
    """At most `most`, the latest first; `after`: when the last one seen failed, its source and message id."""
    after_at, after_source, after_message = after or (None, None, None)
    place = {"after_at": after_at, "after_source": after_source, "after_message": after_message}
    rows = connection.execute(STATEMENTS["failures"], {**which.given(), **place, "most": most})
    return [_failed(row) for row in rows]


def count_failures(connection: Connection[Any], which: Which) -> list[FailureCount]:
    """How many failed alike, the most first."""
    rows = connection.execute(STATEMENTS["failure_counts"], which.given())
    return [
        FailureCount(source=source, stage=stage, code=code, count=count, last_at=last_at)
        for source, stage, code, count, last_at in rows
    ]


def find_failure(connection: Connection[Any], source: str, message_id: str) -> FailedMessage:
    """One failed message with its body. Raises NoFailedMessage."""
    row = connection.execute(STATEMENTS["failure"], {"source": source, "message_id": message_id}).fetchone()
    if row is None:
        raise NoFailedMessage(source=source, message_id=message_id)
    return _failed(row)


def failures_to_replay(connection: Connection[Any], which: Which, *, before: datetime, most: int) -> list[Key]:
    """The oldest that fit and failed before a moment: what fails again isn't among the next."""
    given = {**which.given(), "before": before, "most": most}
    return [
        (source_id, message_id) for source_id, message_id in connection.execute(STATEMENTS["failures_to_replay"], given)
    ]


def replay(connection: Connection[Any], keys: Sequence[Key]) -> int:
    """Put failed messages back to work and wake the stitchers; how many of them had failed and didn't wait already.

    Waits for stitchers that are at work on their lanes.
    """
    hold_lanes_of(connection, keys)
    connection.execute(STATEMENTS["announce_replay"])
    return connection.execute(STATEMENTS["replay_these"], _columns(keys)).rowcount


def states_of(connection: Connection[Any], keys: Sequence[Key]) -> dict[str, int]:
    """How many of these messages are pending, done and failed."""
    return dict(connection.execute(STATEMENTS["states_of"], _columns(keys)).fetchall())


def clock(connection: Connection[Any]) -> datetime:
    """The database's time."""
    row = connection.execute(STATEMENTS["clock"]).fetchone()
    assert row is not None  # noqa: S101 — one row always
    now: datetime = row[0]
    return now


def _columns(keys: Sequence[Key]) -> dict[str, list[Any]]:
    return {"source_ids": [source_id for source_id, _ in keys], "message_ids": [message_id for _, message_id in keys]}


def _failed(row: Sequence[Any]) -> FailedMessage:
    names = (
        "source_id",
        "source",
        "message_id",
        "stage",
        "code",
        "error",
        "attempts",
        "failed_at",
        "received_at",
        "body",
    )
    return FailedMessage(**dict(zip(names, row, strict=False)))
