"""Tables of access: sources and write keys, staff, members and their memberships. Small and shared, so reference tables."""

from sqlalchemy import Boolean, CheckConstraint, Column, ForeignKey, LargeBinary, Table, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from cdp.db.metadata import at, metadata, new_id, reference

source = Table(
    "source",
    metadata,
    new_id("source_id"),
    Column("name", Text, nullable=False, comment="Unique name, e.g. web-shop"),
    Column("channel", Text, nullable=False, comment="web, app, store, phone, email, visit, erp, crm"),
    Column("division", Text, comment="Part of the company the source belongs to"),
    Column("location", Text, comment="Where it stands: a shop, a call centre"),
    Column("identifier_namespace", Text, nullable=False, comment="Namespace of its own customer keys, e.g. crm_id"),
    Column("default_region", Text, comment="ISO 3166 region that reads its national phone numbers"),
    Column(
        "allowed_origins", ARRAY(Text), nullable=False, server_default="{}", comment="Browser origins that may post"
    ),
    Column(
        "verified", Boolean, nullable=False, server_default="false", comment="Its traits outrank unverified sources'"
    ),
    at("created_at", now=True),
    UniqueConstraint("name", name="source_has_one_name"),
    info=reference(),
)

write_key = Table(
    "write_key",
    metadata,
    Column("key_hash", LargeBinary, primary_key=True, comment="SHA-256 of the key"),
    Column("source_id", ForeignKey(source.c.source_id), nullable=False),
    Column("hint", Text, nullable=False, comment="Last four characters, to tell keys apart"),
    at("created_at", now=True),
    at("expires_at", nullable=True),
    info=reference(),
)

staff = Table(
    "staff",
    metadata,
    new_id("staff_id"),
    Column("email", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("title", Text),
    Column("phone", Text),
    at("created_at", now=True),
    UniqueConstraint("email", name="staff_has_one_email"),
    info=reference(),
)

member = Table(
    "member",
    metadata,
    new_id("member_id"),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("email", Text, nullable=False, comment="For letters and lists; never a key"),
    Column("name", Text, nullable=False),
    Column("locale", Text, nullable=False, server_default="en"),
    Column("time_zone", Text, nullable=False, server_default="UTC"),
    at("created_at", now=True),
    UniqueConstraint("issuer", "subject", name="member_has_one_issuer_subject"),
    info=reference(),
)

membership = Table(
    "membership",
    metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("member_id", ForeignKey(member.c.member_id), primary_key=True),
    Column("role", Text, nullable=False),
    at("created_at", now=True),
    CheckConstraint("role IN ('client_admin', 'finance', 'buyer', 'viewer')", name="role_is_known"),
    info=reference(),
)
