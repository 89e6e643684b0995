"""The table of changes: append-only, in the order of (transaction, sequence), free of personal data; and where it begins."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Identity, Index, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from cdp.db.metadata import at, in_one_place, metadata

change = Table(
    "change",
    metadata,
    Column(
        "transaction_id",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        server_default=text("(pg_current_xact_id()::text)::bigint"),
        comment="Who wrote it; a reader goes no further than the oldest transaction still running",
    ),
    Column(
        "seq", BigInteger, Identity(always=True), primary_key=True, comment="Of two changes of one thing, the later"
    ),
    at("changed_at", now=True),
    Column("kind", Text, nullable=False, comment="What changed and how: customer.created, order.placed, …"),
    Column("subject_id", Uuid, nullable=False, comment="The thing that changed; the kind says what it is"),
    Column("customer_id", Uuid, nullable=False, comment="Whose it was at that moment"),
    Column("data", JSONB, nullable=False, server_default="{}", comment="Details of the kind; nothing personal"),
    Index("change_by_time", "changed_at", postgresql_using="brin"),
    info=in_one_place(),
)

change_floor = Table(
    "change_floor",
    metadata,
    Column("single", Boolean, primary_key=True, server_default="true"),
    Column("transaction_id", BigInteger, nullable=False, server_default="0"),
    Column("seq", BigInteger, nullable=False, server_default="0", comment="Changes up to here are no longer kept"),
    CheckConstraint("single", name="there_is_one"),
    info=in_one_place(),
)
