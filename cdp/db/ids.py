"""Opaque typed ids: a node's prefix, an underscore, its UUID as 32 hexadecimal digits, e.g. `cus_0192…`.

GraphQL and the feeds speak typed ids only; SQL builds them (`typed_id`), Python reads what callers send (`parse_id`).
"""

import hashlib
import re
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, String, func, literal_column
from sqlalchemy import cast as sql_cast

_HYPHEN_AND_NOTHING = (literal_column("'-'", String), literal_column("''", String))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SHAPE = re.compile(r"([a-z]{2,5})_([0-9a-f]{32})")


def typed_id(prefix: str, column: ColumnElement[Any]) -> ColumnElement[str]:
    """SQL for the typed id of a UUID column; `prefix` is a constant of the program, never input."""
    # The prefix stays a literal: as a bound parameter it would cost a parameter per field and hide the constant from
    # the planner.
    assert prefix.isalpha()  # noqa: S101 — a programming mistake, not input
    return literal_column(f"'{prefix}_'", String) + func.replace(sql_cast(column, String), *_HYPHEN_AND_NOTHING)


def format_id(prefix: str, value: UUID) -> str:
    """The typed id of one UUID."""
    return f"{prefix}_{value.hex}"


def time_ordered_id() -> UUID:
    """A new UUIDv7 (RFC 9562 §5.7, method 3: the clock's sub-millisecond part leads the random bits), as `new_id()`
    in SQL.

    Ids made one after the other in one process sort in the order they were made.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    head = milliseconds << 16 | 7 << 12 | (nanoseconds * 4096 // 1_000_000)
    return UUID(int=head << 64 | 2 << 62 | secrets.randbits(62))


def id_of(source_id: UUID, external_id: str, at: datetime) -> UUID:
    """The UUIDv7 that follows from a source's own key and when we first heard it: the same again is the same id.

    Ids sort by `at`, to the microsecond, so that their indexes grow at one end as those of `time_ordered_id` do.
    """
    milliseconds, microseconds = divmod((at - _EPOCH) // _MICROSECOND, 1_000)
    head = milliseconds << 16 | 7 << 12 | (microseconds * 4096 // 1_000)
    told = source_id.bytes + external_id.encode("utf-8", "surrogatepass")
    tail = int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big")
    return UUID(int=head << 64 | 2 << 62 | tail >> 2)


def parse_id(text: str, *prefixes: str) -> UUID | None:
    """The UUID inside a typed id, or None when it is malformed or not of one of `prefixes` (any, when none is given)."""
    match = _SHAPE.fullmatch(text)
    if match is None or (prefixes and match[1] not in prefixes):
        return None
    return UUID(match[2])


def read_id(text: str, prefix: str) -> UUID:
    """The UUID in a typed id. Raises ValueError with a sentence for the caller when it is malformed or of another type."""
    found = parse_id(text, prefix)
    if found is None:
        raise ValueError(f"an id of this type looks like {prefix}_0123456789abcdef0123456789abcdef.")
    return found


def prefix_of(text: str) -> str | None:
    """The prefix of a well-formed typed id, else None."""
    match = _SHAPE.fullmatch(text)
    return match[1] if match else None
