"""From raw records to typed ones: msgspec decodes, and what it refuses is told by line, field, code and a sentence.

CSV rows that tell the lines of one order or shipment are put together here, as long as they stand together.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
import orjson

from cdp.ingest.record_lines import RawRecord, Rejection
from cdp.ingest.records import LINES, OPEN, SHAPES, ImportKind

EARLIEST, LATEST = 1900, 2199
"""Years that dates may be in: what lies outside is a slip of the pen."""

LARGEST_QUANTITY: Final = Decimal(10) ** 12
MOST_QUANTITY_DECIMALS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRecord:
    """A record read, or why it couldn't be. `lines` are the file's lines it stands on, one a nested line in CSV."""

    lines: tuple[int, ...]
    end: int
    record: Any = None
    fault: Rejection | None = None

    @property
    def line(self) -> int:
        """The line it begins at."""
        return self.lines[0]

    def reject(self, field: str, code: str, message: str) -> Rejection:
        """Refuse it, on the very line where a field of a nested line is at fault."""
        nested = re.match(r"lines\[(\d+)\]", field)
        index = int(nested[1]) if nested else 0
        line = self.lines[index] if index < len(self.lines) else self.line
        return Rejection(line=line, field=field, code=code, message=message)


def columns_of(kind: ImportKind) -> frozenset[str]:
    """Columns that a CSV file of this kind may have, besides the open ones."""
    nested = {"lines", "allocations", "traits", "properties"}
    names = {field for shape in SHAPES[kind].values() for field in shape.__struct_encode_fields__} - nested
    if kind in LINES:
        names |= {f"line.{field}" for field in LINES[kind].__struct_encode_fields__}
    return frozenset(names)


def decode(kind: ImportKind, raw_records: Iterable[RawRecord]) -> Iterator[ReadRecord]:
    """Typed records of a kind, in order."""
    if kind in LINES:
        yield from _decode_grouped(kind, raw_records)
        return
    for raw in raw_records:
        yield _decode(kind, raw)


def _decode(kind: ImportKind, raw: RawRecord) -> ReadRecord:
    where = ReadRecord(lines=(raw.line,), end=raw.end)
    if raw.fault is not None:
        return _refused(where, raw.fault)
    if raw.cells is not None:
        return _convert(kind, where, _nested(raw.cells, OPEN.get(kind)))
    return _from_json(kind, where, raw.json)


def _decode_grouped(kind: ImportKind, raw_records: Iterable[RawRecord]) -> Iterator[ReadRecord]:
    """As `decode`; CSV rows of one external_id that stand together are one record with as many lines.

    A row that can't be read takes the record it belongs to with it: an order that lacks a line is not that order.
    """
    group: list[RawRecord] = []
    for raw in raw_records:
        cells = raw.cells
        continues = bool(group) and (cells is None or _key(cells) in ("", _key(group[0].cells)))
        if group and not (continues and not raw.json):
            yield _decode_group(kind, group)
            group = []
        if raw.json or (cells is None and not group):
            yield _decode(kind, raw)
        else:
            group.append(raw)
    if group:
        yield _decode_group(kind, group)


def _decode_group(kind: ImportKind, rows: list[RawRecord]) -> ReadRecord:
    where = ReadRecord(lines=tuple(row.line for row in rows), end=rows[-1].end)
    for row in rows:
        if row.fault is not None:
            return _refused(where, row.fault)
    head = {name: value for name, value in (rows[0].cells or {}).items() if not name.startswith("line.")}
    lines = []
    for row in rows:
        cells = row.cells or {}
        for name, value in cells.items():
            if not name.startswith("line.") and head.setdefault(name, value) != value:
                message = f"Row {row.line} says {name} otherwise than row {where.line}, which has the same external_id."
                return _refused(where, Rejection(line=row.line, field=name, code="conflict", message=message))
        line = {name.removeprefix("line."): value for name, value in cells.items() if name.startswith("line.")}
        if line:
            lines.append(line)
    return _convert(kind, where, head | {"lines": lines})


def _convert(kind: ImportKind, where: ReadRecord, fields: dict[str, Any]) -> ReadRecord:
    shapes = SHAPES[kind]
    shape = shapes.get(fields.get("record") or next(iter(shapes)))
    if shape is None:
        return _refused(where, where.reject("record", "unknown_value", f"There are {', '.join(shapes)}."))
    try:
        record = msgspec.convert(fields, shape, strict=False)
    except msgspec.ValidationError as error:
        return _refused(where, where.reject(*explain(str(error))))
    return _checked(where, record, has_nul=any("\x00" in str(value) for value in fields.values()))


_ESCAPED_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class _RecordName(msgspec.Struct):
    record: Any = None


_record_name: Final = msgspec.json.Decoder(_RecordName)


def _from_json(kind: ImportKind, where: ReadRecord, raw: bytes) -> ReadRecord:
    shapes = SHAPES[kind]
    try:
        name = _record_name.decode(raw).record if len(shapes) > 1 else None
        shape = shapes.get(name or next(iter(shapes))) if isinstance(name, str | None) else None
        if shape is None:
            return _refused(where, where.reject("record", "unknown_value", f"There are {', '.join(shapes)}."))
        record = msgspec.json.decode(raw, type=shape)
    except msgspec.ValidationError as error:
        return _refused(where, where.reject(*explain(str(error))))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _refused(where, where.reject("", "malformed", "The line is not a JSON object."))
    return _checked(where, record, has_nul=_has_nul(raw))


def _has_nul(raw: bytes) -> bool:
    """Whether JSON has a NUL, raw or escaped. The pattern knows an escaped backslash before the `u`; it is slow, so last."""
    return b"\x00" in raw or (b"\\u0000" in raw and _ESCAPED_NUL.search(raw) is not None)


def _checked(where: ReadRecord, record: msgspec.Struct, *, has_nul: bool) -> ReadRecord:
    """What types don't prove: no NUL, dates of this age, quantities that are quantities, open fields that are JSON."""
    if has_nul:
        return _refused(where, where.reject("", "nul_character", "A NUL character can't be stored."))
    fault = _fault(record, "")
    if fault is not None:
        return _refused(where, where.reject(*fault))
    return ReadRecord(lines=where.lines, end=where.end, record=record)


def _fault(record: msgspec.Struct, path: str) -> tuple[str, str, str] | None:
    for name in record.__struct_fields__:
        value, field = getattr(record, name), f"{path}{name}"
        if isinstance(value, date) and not EARLIEST <= value.year <= LATEST:
            return field, "out_of_range", f"{value.isoformat()} is not between the years {EARLIEST} and {LATEST}."
        if isinstance(value, datetime) and value.tzinfo is None:
            return field, "invalid_date", "An instant needs its offset from UTC, e.g. 2026-03-01T12:00:00Z."
        if isinstance(value, Decimal) and name.startswith("quantity") and not _is_quantity(value):
            message = (
                f"A quantity is at least 0, below {LARGEST_QUANTITY}, with {MOST_QUANTITY_DECIMALS} decimals at most."
            )
            return field, "out_of_range", message
        if isinstance(value, dict):
            try:
                orjson.dumps(value)
            except (TypeError, orjson.JSONEncodeError):
                return field, "out_of_range", "It is nested too deeply, or holds a number that is too large."
        if isinstance(value, list):
            for index, item in enumerate(value):
                fault = _fault(item, f"{field}[{index}].")
                if fault is not None:
                    return fault
    return None


def _is_quantity(value: Decimal) -> bool:
    exponent = value.as_tuple().exponent
    return (
        value.is_finite()
        and 0 <= value < LARGEST_QUANTITY
        and isinstance(exponent, int)
        and exponent >= -MOST_QUANTITY_DECIMALS
    )


def explain(message: str) -> tuple[str, str, str]:
    """Field, code and sentence of a msgspec message, such as "Invalid decimal string - at `$.lines[0].quantity`"."""
    what, _, where = message.partition(" - at `")
    path = where.rstrip("`").removeprefix("$").removeprefix(".")
    for pattern, code in _CODES:
        found = pattern.match(what)
        if found is None:
            continue
        if found.groupdict().get("name"):
            path = f"{path}.{found['name']}" if path else found["name"]
        sentence = _SENTENCES.get(code, f"{what.replace('`', '')}.")
        return path, code, sentence
    return path, "invalid", f"{what.replace('`', '')}."


_CODES: Final = tuple(
    (re.compile(pattern), code)
    for pattern, code in (
        (r"Object missing required field `(?P<name>[^`]*)`", "missing_field"),
        (r"Object contains unknown field `(?P<name>[^`]*)`", "unknown_field"),
        (r"Invalid RFC3339", "invalid_date"),
        (r"Invalid decimal", "invalid_number"),
        (r"Number out of range", "invalid_number"),
        (r"Invalid enum value", "unknown_value"),
        (r"Expected `\w+` (of length )?[<>]=? ?", "out_of_range"),
        (r"Expected `str` matching regex", "invalid_format"),
        (r"Expected ", "wrong_type"),
    )
)
_SENTENCES: Final = {
    "missing_field": "The field is required.",
    "unknown_field": "There is no such field.",
    "invalid_date": "There is no such date; dates are 2026-02-28, instants 2026-02-28T12:00:00Z.",
    "invalid_number": "It is not a number such as 1234.50.",
    "invalid_format": "It doesn't have the form of this field.",
}


def _nested(cells: dict[str, str], open_field: str | None) -> dict[str, Any]:
    """Cells of `traits.…` columns put together as one field."""
    if open_field is None:
        return dict(cells)
    prefix = f"{open_field}."
    fields: dict[str, Any] = {name: value for name, value in cells.items() if not name.startswith(prefix)}
    inner = {name.removeprefix(prefix): value for name, value in cells.items() if name.startswith(prefix)}
    return fields | {open_field: inner} if inner else fields


def _key(cells: dict[str, str] | None) -> str:
    return (cells or {}).get("external_id", "")


def _refused(where: ReadRecord, fault: Rejection) -> ReadRecord:
    return ReadRecord(lines=where.lines, end=where.end, fault=fault)
