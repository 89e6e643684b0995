"""Record keys: under which key of its own a source knows one of our records.

A look-up table per kind of record, `<kind>_key`: (source, external id) → (customer, record). It makes "the same record again"
exact whoever holds the record by now, which no unique constraint on a table distributed by customer could (`architecture.md` §3).
"""

from sqlalchemy import BigInteger, Column, Index, Table, Text, Uuid

from cdp.db.metadata import at, by, metadata


def record_key_table(kind: str) -> Table:
    """`<kind>_key`. `version` orders repeated deliveries of one record: a lower one never overwrites a higher."""
    return Table(
        f"{kind}_key",
        metadata,
        Column("source_id", Uuid, primary_key=True),
        Column("external_id", Text, primary_key=True),
        Column("record_id", Uuid, nullable=False),
        Column("customer_id", Uuid, nullable=False),
        Column("version", BigInteger, nullable=False, server_default="0"),
        at("recorded_at", now=True),
        Index(f"{kind}_key_by_customer_id", "customer_id"),
        info=by("external_id"),
    )
