"""Tables of events: the inbox, which of its messages wait or failed, and interactions.

The inbox holds every acknowledged message for ever, as received; its primary key makes deduplication exact and
without a window, and no row of it is written again. A message has a row in `waiting_message` until it is stitched, and one
in `failed_message` from when it fails until it is done. An interaction is one contact in one channel, keyed by the customer
it is concluded to be from, with the profile it came through, which never changes.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from cdp.db.metadata import at, by, by_customer, customer_key, in_one_place, metadata, new_id
from cdp.db.record_keys import record_key_table

inbox = Table(
    "inbox",
    metadata,
    Column("source_id", Uuid, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False, comment="Order of arrival"),
    Column(
        "lane", SmallInteger, nullable=False, comment="Hash of the sender's key: messages of one key keep their order"
    ),
    at("received_at", now=True),
    Column("body", JSON, nullable=False, comment="The message as received, with batch-level context merged in"),
    Column("sender", Integer, comment="Fingerprint of the user id, else anonymous id"),
    Column("visitor", Integer, comment="Fingerprint of the anonymous id beside a user id"),
    Column("mailbox", Integer, comment="Fingerprint of the e-mail address it tells"),
    Column("introduces", Integer, comment="Fingerprint of the anonymous id whose person it names"),
    Index("inbox_by_introduces", "introduces", "seq", postgresql_where=text("introduces IS NOT NULL")),
    info=by("message_id"),
)

waiting_message = Table(
    "waiting_message",
    metadata,
    Column("lane", SmallInteger, nullable=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False, comment="As in the inbox"),
    Column("source_id", Uuid, nullable=False),
    Column("message_id", Text, nullable=False),
    at("received_at"),
    Column("sender", Integer),
    Column("visitor", Integer),
    Column("mailbox", Integer),
    Column(
        "transaction_id",
        BigInteger,
        nullable=False,
        server_default=text("(pg_current_xact_id()::text)::bigint"),
        comment="Who let it wait; what waits in a lane is found in this order",
    ),
    Index("waiting_message_by_lane", "lane", "transaction_id", "seq"),
    *(
        Index(f"waiting_message_by_{name}", name, postgresql_where=text(f"{name} IS NOT NULL"))
        for name in ("sender", "visitor", "mailbox")
    ),
    info=in_one_place(),
    # It fills and empties all the time: to vacuum it is cheap while it is small, and keeps it small.
    postgresql_with={"autovacuum_vacuum_scale_factor": "0", "autovacuum_vacuum_threshold": "20000"},
)

failed_message = Table(
    "failed_message",
    metadata,
    Column("source_id", Uuid, primary_key=True),
    Column("message_id", Text, primary_key=True),
    Column("stage", Text, nullable=False, comment="decode, identify or project"),
    Column("code", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="1"),
    at("failed_at", now=True),
    ForeignKeyConstraint(["source_id", "message_id"], [inbox.c.source_id, inbox.c.message_id]),
    info=by("message_id"),
)

interaction = Table(
    "interaction",
    metadata,
    customer_key(),
    new_id("interaction_id"),
    Column("profile_id", Uuid, nullable=False, comment="Origin; never changes"),
    Column("source_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False, comment="page, screen, track, call, visit, email, letter, chat, other"),
    Column("direction", Text, nullable=False, server_default="inbound"),
    Column("name", Text, comment="Page or event name, subject of a call"),
    Column("topic", Text),
    Column("product", Text, comment="Product id where the contact was about one"),
    Column("channel", Text, nullable=False),
    Column("division", Text),
    Column("location", Text),
    Column("occurred_at", DateTime(timezone=True), primary_key=True),
    Column("duration_seconds", Integer),
    Column("properties", JSONB, nullable=False, server_default="{}"),
    Column(
        "time_suspect", Boolean, nullable=False, server_default="false", comment="Far past or future, stored as given"
    ),
    at("recorded_at", now=True),
    CheckConstraint("direction IN ('inbound', 'outbound')", name="direction_is_known"),
    # In the order of time, so that the key's index serves who reads a customer's contacts; a profile's are found among them.
    PrimaryKeyConstraint("customer_id", "occurred_at", "interaction_id"),
    Index("interaction_by_id", "interaction_id"),
    info=by_customer(),
)

interaction_key = record_key_table("interaction")
