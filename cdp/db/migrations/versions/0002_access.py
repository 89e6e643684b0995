"""Sources, staff, members, clients, sessions and the embedded issuer's tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "member",
        sa.Column("member_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False, comment="For letters and lists; never a key"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), server_default="en", nullable=False),
        sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("member_id", name=op.f("member_pkey")),
        sa.UniqueConstraint("issuer", "subject", name="member_has_one_issuer_subject"),
    )
    op.create_table(
        "source",
        sa.Column("source_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="Unique name, e.g. web-shop"),
        sa.Column("channel", sa.Text(), nullable=False, comment="web, app, store, phone, email, visit, erp, crm"),
        sa.Column("division", sa.Text(), nullable=True, comment="Part of the company the source belongs to"),
        sa.Column("location", sa.Text(), nullable=True, comment="Where it stands: a shop, a call centre"),
        sa.Column(
            "identifier_namespace", sa.Text(), nullable=False, comment="Namespace of its own customer keys, e.g. crm_id"
        ),
        sa.Column(
            "default_region", sa.Text(), nullable=True, comment="ISO 3166 region that reads its national phone numbers"
        ),
        sa.Column(
            "allowed_origins",
            postgresql.ARRAY(sa.Text()),
            server_default="{}",
            nullable=False,
            comment="Browser origins that may post",
        ),
        sa.Column(
            "verified",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="Its traits outrank unverified sources'",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("source_id", name=op.f("source_pkey")),
        sa.UniqueConstraint("name", name="source_has_one_name"),
    )
    op.create_table(
        "staff",
        sa.Column("staff_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("staff_pkey")),
        sa.UniqueConstraint("email", name="staff_has_one_email"),
    )
    op.create_table(
        "membership",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "role IN ('client_admin', 'finance', 'buyer', 'viewer')", name=op.f("membership_role_is_known")
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name=op.f("membership_refers_to_member")),
        sa.PrimaryKeyConstraint("account_id", "member_id", name=op.f("membership_pkey")),
    )
    op.create_table(
        "write_key",
        sa.Column("key_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the key"),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False, comment="Last four characters, to tell keys apart"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["source_id"], ["source.source_id"], name=op.f("write_key_refers_to_source")),
        sa.PrimaryKeyConstraint("key_hash", name=op.f("write_key_pkey")),
    )
