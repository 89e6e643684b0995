"""Batches as one bound value: records become a JSON array that a statement opens with `json_to_recordset`.

    INSERT … SELECT … FROM json_to_recordset(%(orders)s) AS given (number text, total numeric, …)

One parameter whatever the batch's width, columns named and typed where they are read, and decimals exact because they
travel as text. Used by the rooms' set-wise statements.
"""

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import orjson


def as_rows(records: Iterable[Any]) -> str:
    """A JSON array of dataclasses or mappings, for a `json` parameter; decimals as text, instants and UUIDs in ISO
    form.
    """
    return orjson.dumps(list(records), default=str).decode()


def fields_of(record: Any) -> dict[str, Any]:
    """A dataclass's fields as a mapping, one level deep; `dataclasses.asdict` copies every value, which costs ten
    times more.
    """
    return {field.name: getattr(record, field.name) for field in fields(record)}
