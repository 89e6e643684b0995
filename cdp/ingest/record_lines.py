"""From bytes to records: a stream of CSV (RFC 4180) or NDJSON, cut at its lines, in bounded memory.

A line that can't be read becomes a rejection with its number; the lines after it are read as if it weren't there. Nothing is
decoded further than to text cells (CSV) or left as bytes (NDJSON); `record_decoding` does the rest.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from cdp.errors import InvalidField

LONGEST_RECORD_BYTES: Final = 1 << 20
"""A record of more bytes is refused; it also bounds what an unclosed quote can swallow while its end is sought."""
MOST_LINES_OF_A_RECORD: Final = 1_000

Format = Literal["csv", "ndjson"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why a line was not stored: the field at fault (empty: the whole line), a stable code, a sentence for people."""

    line: int
    field: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRecord:
    """One record as it stands. `line` counts from 1, `end` is the offset in bytes after it."""

    line: int
    end: int
    cells: dict[str, str] | None = None
    json: bytes = b""
    fault: Rejection | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    end: int
    raw: bytes


def read_ndjson(blocks: Iterable[bytes], *, start: int = 0, start_line: int = 0) -> Iterator[RawRecord]:
    """Records of NDJSON; empty lines are passed over. `start`, `start_line`: what was read before the first block."""
    for line in _lines(blocks, start, start_line):
        raw = line.raw.strip()
        if line.number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if len(line.raw) > LONGEST_RECORD_BYTES:
            yield RawRecord(line=line.number, end=line.end, fault=_too_long(line.number))
        elif raw:
            yield RawRecord(line=line.number, end=line.end, json=raw)


def read_csv(
    blocks: Iterable[bytes],
    columns: frozenset[str],
    *,
    open_column: str | None = None,
    header: bytes | None = None,
    start: int = 0,
    start_line: int = 0,
) -> Iterator[RawRecord]:
    """Records of CSV: cells by column, trimmed, empty ones left out. Separator `,`, `;` or TAB, whichever the header uses.

    `columns` may occur, and `open_column.…` ones. `header` is given when reading goes on behind it. Raises InvalidField
    for a header that names no column, one twice, or one that isn't known: every row would be wrong.
    """
    lines = _Pushback(_lines(blocks, start, start_line))
    first = _Line(1, 0, header) if header is not None else next(lines, None)
    if first is None:
        return
    separator = separator_of(first.raw)
    names = _column_names(_text(first.raw), separator, columns, open_column)
    for line in lines:
        if not line.raw.strip():
            continue
        yield _record(line, lines, names, separator)


def separator_of(header: bytes) -> str:
    """The separator that a header line uses: the most frequent of comma, semicolon and TAB; comma where there is none."""
    return max(",;\t", key=lambda separator: header.count(separator.encode()))


def _record(line: _Line, lines: "_Pushback", names: list[str], separator: str) -> RawRecord:
    """The record that begins at `line`, with the lines its quotes reach over; those go back when that makes no sense."""
    taken, raw = [line], line.raw
    while raw.count(b'"') % 2 and len(raw) <= LONGEST_RECORD_BYTES and len(taken) < MOST_LINES_OF_A_RECORD:
        following = next(lines, None)
        if following is None:
            break
        taken.append(following)
        raw += following.raw
    fault, cells = _cells(line.number, raw, names, separator)
    if fault is not None and len(taken) > 1:
        lines.put_back(taken[1:])
        taken = taken[:1]
    return RawRecord(line=line.number, end=taken[-1].end, cells=cells, fault=fault)


def _cells(number: int, raw: bytes, names: list[str], separator: str) -> tuple[Rejection | None, dict[str, str] | None]:
    if len(raw) > LONGEST_RECORD_BYTES:
        return _too_long(number), None
    if raw.count(b'"') % 2:
        return _fault(number, "malformed", "A quote is opened and not closed; write a quote inside a cell twice."), None
    try:
        values = next(csv.reader([raw.decode("utf-8").rstrip("\r\n")], delimiter=separator, strict=True))
    except UnicodeDecodeError:
        return _fault(number, "not_utf8", "The line is not UTF-8."), None
    except (csv.Error, StopIteration):
        return _fault(number, "malformed", "The line is not CSV as RFC 4180 has it."), None
    cells = {name: value.strip() for name, value in zip(names, values, strict=False) if value.strip()}
    if len(values) != len(names):
        message = f"The line has {len(values)} cells, the header {len(names)}."
        return _fault(number, "malformed", message), cells
    return None, cells


def _column_names(header: str, separator: str, columns: frozenset[str], open_column: str | None) -> list[str]:
    try:
        names = [name.strip() for name in next(csv.reader([header], delimiter=separator, strict=True))]
    except (csv.Error, StopIteration):
        raise InvalidField(field="header", problem="is not CSV as RFC 4180 has it.") from None
    for name in names:
        is_open = open_column is not None and name.startswith(f"{open_column}.") and name != f"{open_column}."
        if name not in columns and not is_open:
            known = ", ".join(sorted(columns))
            raise InvalidField(field=name[:64] or "header", problem=f"is not a column; there are {known}.")
        if names.count(name) > 1:
            raise InvalidField(field=name, problem="is there twice.")
    return names


def _text(header: bytes) -> str:
    try:
        return header.removeprefix(b"\xef\xbb\xbf").decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise InvalidField(field="header", problem="is not UTF-8.") from None


def _lines(blocks: Iterable[bytes], start: int, start_line: int) -> Iterator[_Line]:
    """Physical lines, ends included. Of a line that is too long only the beginning is kept, one byte more than allowed."""
    number, end, parts, held = start_line, start, [], 0
    for block in blocks:
        begin = 0
        while begin < len(block):
            newline = block.find(b"\n", begin)
            stop = len(block) if newline < 0 else newline + 1
            if held <= LONGEST_RECORD_BYTES:
                piece = block[begin : min(stop, begin + LONGEST_RECORD_BYTES + 1 - held)]
                parts.append(piece)
                held += len(piece)
            end += stop - begin
            begin = stop
            if newline >= 0:
                number += 1
                yield _Line(number, end, b"".join(parts))
                parts, held = [], 0
    if parts:
        yield _Line(number + 1, end, b"".join(parts))


class _Pushback:
    """An iterator of lines that takes lines back."""

    def __init__(self, lines: Iterator[_Line]) -> None:
        self._lines = lines
        self._returned: deque[_Line] = deque()

    def put_back(self, lines: Iterable[_Line]) -> None:
        self._returned.extendleft(reversed(list(lines)))

    def __iter__(self) -> Iterator[_Line]:
        return self

    def __next__(self) -> _Line:
        return self._returned.popleft() if self._returned else next(self._lines)


def _too_long(number: int) -> Rejection:
    return _fault(number, "too_long", f"The record has more than {LONGEST_RECORD_BYTES} bytes.")


def _fault(number: int, code: str, message: str) -> Rejection:
    return Rejection(line=number, field="", code=code, message=message)
