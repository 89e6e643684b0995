"""What a room says about a change, and how it is said: one statement a batch, in the transaction that changed the thing.

The feed knows no domain: a kind is a text whose first part names the subject (`order.placed` is about an order). Rooms
say what changed; readers fetch what it is now. So no personal data goes in: whoever may read the feed need not be
allowed to read a name.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import Connection

from cdp.db.rows import as_rows
from cdp.db.statements import load_statements

STATEMENTS: Final = load_statements("cdp.feed")


class Change(NamedTuple):
    """One change: `subject_id` is of the type that `kind` begins with, `data` a small JSON object without personal data."""

    kind: str
    subject_id: UUID
    customer_id: UUID
    data: Mapping[str, Any]


def append(connection: Connection[Any], changes: Iterable[Change]) -> None:
    """Append changes in this order, and wake readers when the caller's transaction commits. One statement, or none."""
    rows = as_rows(tuple(one) for one in changes)  # which the encoder takes for an array, a named one not
    if rows != "[]":
        connection.execute(STATEMENTS["append_changes"], {"changes": rows})
