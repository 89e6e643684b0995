"""The import's pipeline, the same for the API and the command line: read, decode, store in chunks, count.

A chunk is one transaction. Delivering a record again is exact: what was delivered, in which version, is remembered with a digest
of its content, so an equal delivery changes nothing, an older version neither, and one version with two contents is refused.
A chunk that the database refuses is halved until the record at fault stands alone; everything else is stored.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import psycopg
import structlog
from psycopg import Connection
from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation

from cdp.db.locks import hold_customers_exclusive, hold_customers_shared
from cdp.errors import CdpError, Invalid
from cdp.ingest.collecting import uncollected
from cdp.ingest.record_decoding import ReadRecord, columns_of, decode
from cdp.ingest.record_lines import Format, Rejection, read_csv, read_ndjson
from cdp.ingest.record_source import STATEMENTS, ImportSource
from cdp.ingest.record_storing import EXCLUSIVE, STORES
from cdp.ingest.records import IMPORT_KINDS, OPEN, ImportKind
from cdp.ingest.sources import SourceNotFound

CHUNK_RECORDS: Final = 1_000
CHUNK_BYTES: Final = 8 << 20
"""A chunk ends at either: so that memory is bounded whatever a record weighs."""
MOST_ATTEMPTS: Final = 4
MOST_REMEMBERED_KEYS: Final = 250_000
"""How many records back a file's own repetitions are seen; beyond, a repetition counts as another delivery."""

_log = structlog.stdlib.get_logger("cdp.ingest.import")


class UnknownImportKind(Invalid):
    """{kind} can't be imported; there are customers, accounts, orders, shipments, ledger, interactions."""

    http_status = 404
    kind: str


@dataclass(slots=True, kw_only=True)
class ImportCount:
    """What became of the records so far. `unchanged` ones are among the accepted: they were known already."""

    accepted: int = 0
    unchanged: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One committed chunk: where reading may go on, and what it refused."""

    records: int
    line: int
    end: int
    rejections: Sequence[Rejection]


@dataclass(slots=True)
class _Seen:
    """The records that the file has told lately."""

    keys: dict[int, None] = field(default_factory=dict)

    def again(self, key: tuple[str, str, int]) -> bool:
        """Whether the key was seen; it is from now on."""
        hashed = hash(key)
        if hashed in self.keys:
            return True
        self.keys[hashed] = None
        if len(self.keys) > MOST_REMEMBERED_KEYS:
            del self.keys[next(iter(self.keys))]
        return False


def import_kind(name: str) -> ImportKind:
    """The kind of this name. Raises UnknownImportKind."""
    for kind in IMPORT_KINDS:
        if kind == name:
            return kind
    raise UnknownImportKind(kind=name[:64])


def find_source(connection: Connection[Any], name: str) -> ImportSource:
    """The source of this name. Raises SourceNotFound."""
    row = connection.execute(STATEMENTS["import_source"], {"name": name}).fetchone()
    if row is None:
        raise SourceNotFound(name=name[:64])
    names = ("source_id", "name", "channel", "division", "location", "identifier_namespace", "default_region")
    return ImportSource(**dict(zip(names, row, strict=True)))


def read(
    kind: ImportKind,
    form: Format,
    blocks: Iterable[bytes],
    *,
    header: bytes | None = None,
    start: int = 0,
    start_line: int = 0,
) -> Iterator[ReadRecord]:
    """Typed records of a stream. `header`, `start` and `start_line` take up an import again behind what was read before.

    Raises InvalidField for a CSV header that can't be right.
    """
    if form == "csv":
        columns = columns_of(kind)
        raw = read_csv(blocks, columns, open_column=OPEN.get(kind), header=header, start=start, start_line=start_line)
    else:
        raw = read_ndjson(blocks, start=start, start_line=start_line)
    return decode(kind, raw)


def import_records(
    connection: Connection[Any],
    source: ImportSource,
    kind: ImportKind,
    records: Iterable[ReadRecord],
    after_chunk: Callable[[Chunk, ImportCount], None],
) -> ImportCount:
    """Store a stream of records, chunk by chunk; `after_chunk` hears of each committed one, with the counts so far.

    `connection` is an autocommit one. Raises psycopg.OperationalError when the database goes away: what was committed
    stays, and delivering everything again finishes the rest.
    """
    count, seen = ImportCount(), _Seen()
    for reads in _chunks(records):
        rejections = [one.fault for one in reads if one.fault is not None]
        good = []
        for one in reads:
            if one.fault is None:
                key = _key(kind, one.record)
                if key is not None and seen.again(key):
                    rejections.append(one.reject("external_id", "duplicate", f"{key[1]} is in the file already."))
                else:
                    good.append(one)
        unchanged, refused = _store(connection, source, kind, good)
        rejections = sorted(rejections + refused, key=lambda rejection: rejection.line)
        failed = {rejection.line for rejection in rejections}
        count.unchanged += unchanged
        accepted = sum(failed.isdisjoint(one.lines) for one in reads)
        count.accepted += accepted
        count.rejected += len(reads) - accepted
        last = reads[-1]
        after_chunk(Chunk(records=len(reads), line=last.lines[-1], end=last.end, rejections=rejections), count)
    return count


def _chunks(records: Iterable[ReadRecord]) -> Iterator[list[ReadRecord]]:
    chunk: list[ReadRecord] = []
    lines, begin = 0, 0
    for record in records:
        begin = begin if chunk else record.end
        chunk.append(record)
        lines += len(record.lines)
        if lines >= CHUNK_RECORDS or record.end - begin >= CHUNK_BYTES:
            yield chunk
            chunk, lines = [], 0
    if chunk:
        yield chunk


def _store(
    connection: Connection[Any], source: ImportSource, kind: ImportKind, reads: Sequence[ReadRecord]
) -> tuple[int, list[Rejection]]:
    """Store a chunk: how many records were known already, and what was refused."""
    if not reads:
        return 0, []
    try:
        return _store_again(connection, source, kind, reads)
    except (psycopg.DataError, psycopg.IntegrityError, CdpError, OverflowError) as error:
        if len(reads) == 1:
            _log.warning("import_record_refused", kind=kind, reason=type(error).__name__)
            return 0, [reads[0].reject("", "not_storable", "The record can't be stored as it is.")]
    half = len(reads) // 2
    first, second = (_store(connection, source, kind, part) for part in (reads[:half], reads[half:]))
    return first[0] + second[0], first[1] + second[1]


def _store_again(
    connection: Connection[Any], source: ImportSource, kind: ImportKind, reads: Sequence[ReadRecord]
) -> tuple[int, list[Rejection]]:
    """As `_store_once`, again where another transaction was in the way."""
    for attempt in range(1, MOST_ATTEMPTS + 1):
        try:
            with connection.transaction(), uncollected():
                return _store_once(connection, source, kind, reads)
        except (DeadlockDetected, SerializationFailure, UniqueViolation):
            if attempt == MOST_ATTEMPTS:
                raise
    raise AssertionError  # pragma: no cover - the loop returns or raises


def _store_once(
    connection: Connection[Any], source: ImportSource, kind: ImportKind, reads: Sequence[ReadRecord]
) -> tuple[int, list[Rejection]]:
    if kind in EXCLUSIVE:
        hold_customers_exclusive(connection)
    else:
        hold_customers_shared(connection)
    store, now = STORES[kind], datetime.now(UTC)
    if kind == "ledger":  # append-only: it remembers its records itself
        return 0, store(connection, source, reads, now)
    news, unchanged, rejections = _news(connection, source, kind, reads)
    rejections += store(connection, source, [one for one, _ in news], now)
    failed = {rejection.line for rejection in rejections}
    stored = [(one, digest) for one, digest in news if failed.isdisjoint(one.lines)]
    given = {
        "source_id": source.source_id,
        "kind": kind,
        "external_ids": [_external_id(one.record) for one, _ in stored],
        "versions": [one.record.version for one, _ in stored],
        "digests": [digest for _, digest in stored],
    }
    connection.execute(STATEMENTS["put_imported_records"], given)
    return unchanged, rejections


def _news(
    connection: Connection[Any], source: ImportSource, kind: ImportKind, reads: Sequence[ReadRecord]
) -> tuple[list[tuple[ReadRecord, bytes]], int, list[Rejection]]:
    """Of a chunk, the records that say something new, each once in its newest version; how many don't; and conflicts."""
    ids = sorted({_external_id(one.record) for one in reads})
    given = {"source_id": source.source_id, "kind": kind, "external_ids": ids}
    known = {
        external_id: (version, digest)
        for external_id, version, digest in connection.execute(STATEMENTS["imported_records"], given)
    }
    news: dict[str, tuple[ReadRecord, bytes]] = {}
    unchanged, rejections = 0, []
    for one in sorted(reads, key=lambda read: read.record.version):
        external_id, version = _external_id(one.record), one.record.version
        digest = hashlib.blake2b(msgspec.json.encode(one.record, order="deterministic"), digest_size=16).digest()
        held = known.get(external_id)
        if held is not None and (version < held[0] or (version, digest) == held):
            unchanged += 1
        elif held is not None and version == held[0] and (version > 0 or kind == "interactions"):
            message = f"Version {version} of {external_id} was delivered before with other content; send a higher one."
            rejections.append(one.reject("version", "conflict", message))
        else:
            news[external_id] = (one, digest)
            known[external_id] = (version, digest)
    return sorted(news.values(), key=lambda pair: pair[0].line), unchanged, rejections


def _external_id(record: Any) -> str:
    external_id: str = record.number if hasattr(record, "holder_kind") else record.external_id
    return external_id


def _key(kind: ImportKind, record: Any) -> tuple[str, str, int] | None:
    """What makes a record of a file the same as another; None for an allocation that has no key of its own."""
    external_id = _external_id(record)
    if external_id is None:
        return None
    return getattr(record, "record", kind), external_id, getattr(record, "version", 0)
