"""Batches as one bound value: records become a JSON array that a statement opens with `json_to_recordset`.

    INSERT … SELECT … FROM json_to_recordset(%(orders)s) AS given (number text, total numeric, …)

One parameter whatever the batch's width, columns named and typed where they are read, and decimals exact because they
travel as text. Where each column travels alone, for `unnest`, it is one array literal (`as_array`). Used by the rooms'
set-wise statements.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, Final

import orjson
import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

_TEXT_OID: Final = 25
_TEXT_ARRAY_OID: Final = 1009


def as_rows(records: Iterable[Any]) -> str:
    """A JSON array of dataclasses or mappings, for a `json` parameter; decimals as text, instants and UUIDs in ISO
    form.
    """
    return orjson.dumps(list(records), default=str).decode()


def as_array(values: Sequence[Any]) -> str:
    """A PostgreSQL array literal of texts, numbers, booleans, instants, UUIDs and nulls, for a parameter cast to an array.

    JSON's quoting is the array's but for control characters, so one call writes what takes the driver a call an element:
    some fifty times as long.
    """
    text = orjson.dumps(values, default=str).decode()
    if "\\" in text and "\\" in text.replace("\\\\", "").replace('\\"', ""):
        text = f"[{','.join(_quoted(one) if isinstance(one, str) else orjson.dumps(one).decode() for one in values)}]"
    return f"{{{text[1:-1]}}}"


class Utf8Texts(list[bytes]):
    """Texts as UTF-8 bytes, for a `text[]` parameter: they travel as they are, neither quoted nor searched for quotes."""


def fields_of(record: Any) -> dict[str, Any]:
    """A dataclass's fields as a mapping, one level deep; `dataclasses.asdict` copies every value, which costs ten
    times more.
    """
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class _Utf8TextsDumper(Dumper):
    """PostgreSQL's binary array: dimensions, flags, type, length and lower bound, then each element after its length."""

    format = Format.BINARY
    oid = _TEXT_ARRAY_OID

    def dump(self, obj: Utf8Texts) -> Buffer:
        size = struct.Struct("!i").pack
        parts = [struct.pack("!iiIii", 1, 0, _TEXT_OID, len(obj), 1)]
        for text in obj:
            parts += (size(len(text)), text)
        return b"".join(parts)


psycopg.adapters.register_dumper(Utf8Texts, _Utf8TextsDumper)
