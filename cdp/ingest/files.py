"""Importing a file: where a killed import goes on, and which lines were refused, written beside it.

`FILE.progress` is replaced after every committed chunk; a kill between the commit and the replacement costs one chunk done
twice, which changes nothing. It is believed only for the same bytes, kind and source.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from psycopg import Connection

from cdp.errors import InvalidField
from cdp.ingest.importing import Chunk, ImportCount, import_records, read
from cdp.ingest.record_lines import Format
from cdp.ingest.record_source import ImportSource
from cdp.ingest.records import ImportKind

FORMATS: Final[dict[str, Format]] = {".csv": "csv", ".ndjson": "ndjson", ".jsonl": "ndjson"}

BLOCK_BYTES: Final = 1 << 18


class Progress(msgspec.Struct, kw_only=True):
    """How far an import came: the offset and line read and committed, and what became of the records until there."""

    fingerprint: str
    end: int = 0
    line: int = 0
    accepted: int = 0
    unchanged: int = 0
    rejected: int = 0
    rejected_bytes: int = 0


def import_file(
    connection: Connection[Any],
    source: ImportSource,
    kind: ImportKind,
    file: Path,
    *,
    from_start: bool = False,
    tell: Callable[[int, ImportCount], None] = lambda _end, _count: None,
) -> ImportCount:
    """Import one file; `tell` hears after each chunk how many bytes of it are done, and what became of the records. The counts
    include what a killed import had done before.

    `connection` is an autocommit one. Raises InvalidField for a suffix or CSV header that can't be right.
    """
    form = FORMATS.get(file.suffix.lower())
    if form is None:
        raise InvalidField(field=file.name, problem=f"has none of the suffixes {', '.join(FORMATS)}.")
    progress_file, rejected_file = (file.with_name(f"{file.name}.{end}") for end in ("progress", "rejected.ndjson"))
    before = _progress(progress_file, _fingerprint(file, source, kind), from_start=from_start)
    with file.open("rb") as opened, rejected_file.open("ab") as rejections:
        rejections.truncate(before.rejected_bytes)
        header = opened.readline() if form == "csv" and before.end else None
        opened.seek(before.end)
        records = read(kind, form, _blocks(opened.read), header=header, start=before.end, start_line=before.line)
        now = msgspec.structs.replace(before)
        tell(before.end, _count(before))

        def after_chunk(chunk: Chunk, count: ImportCount) -> None:
            for rejection in chunk.rejections:
                rejections.write(msgspec.json.encode(rejection) + b"\n")
            rejections.flush()
            now.end, now.line, now.rejected_bytes = chunk.end, chunk.line, rejections.tell()
            now.accepted = before.accepted + count.accepted
            now.unchanged = before.unchanged + count.unchanged
            now.rejected = before.rejected + count.rejected
            _replace(progress_file, msgspec.json.encode(now))
            tell(chunk.end, _count(now))

        import_records(connection, source, kind, records, after_chunk)
        tell(opened.tell(), _count(now))  # behind the last record there may be empty lines
    progress_file.unlink(missing_ok=True)
    if not now.rejected:
        rejected_file.unlink()
    return _count(now)


def _count(progress: Progress) -> ImportCount:
    return ImportCount(accepted=progress.accepted, unchanged=progress.unchanged, rejected=progress.rejected)


def _blocks(read_bytes: Callable[[int], bytes]) -> Iterator[bytes]:
    while block := read_bytes(BLOCK_BYTES):
        yield block


def _progress(file: Path, fingerprint: str, *, from_start: bool) -> Progress:
    if file.exists() and not from_start:
        try:
            told = msgspec.json.decode(file.read_bytes(), type=Progress)
        except msgspec.DecodeError:
            return Progress(fingerprint=fingerprint)
        if told.fingerprint == fingerprint:
            return told
    return Progress(fingerprint=fingerprint)


def _fingerprint(file: Path, source: ImportSource, kind: ImportKind) -> str:
    """Of the file's size, time and beginning, and of what it is imported as."""
    status = file.stat()
    with file.open("rb") as opened:
        told = [
            str(source.source_id),
            kind,
            str(status.st_size),
            str(status.st_mtime_ns),
            opened.read(BLOCK_BYTES).hex(),
        ]
    return hashlib.blake2b("/".join(told).encode(), digest_size=16).hexdigest()


def _replace(file: Path, content: bytes) -> None:
    beside = file.with_name(f"{file.name}.new")
    beside.write_bytes(content)
    os.replace(beside, file)  # noqa: PTH105 — atomic, and its name says that it replaces
