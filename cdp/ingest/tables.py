"""Tables of the import: which record was delivered in which version, so that a delivery repeated changes nothing."""

from sqlalchemy import BigInteger, Column, LargeBinary, Table, Text, Uuid

from cdp.db.metadata import at, by, metadata

imported_record = Table(
    "imported_record",
    metadata,
    Column("source_id", Uuid, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("external_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False, comment="BLAKE2b-128 of the record's content"),
    at("imported_at", now=True),
    info=by("external_id"),
)
