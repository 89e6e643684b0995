"""Identity: claims, profiles, identifiers and the customers that follow from them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "affiliation",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_profile_id", sa.Uuid(), nullable=False),
        sa.Column("person_profile_id", sa.Uuid(), nullable=False),
        sa.Column("person_customer_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("since_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "customer_id", "organisation_profile_id", "person_profile_id", name=op.f("affiliation_pkey")
        ),
    )
    op.create_index("affiliation_by_person_customer_id", "affiliation", ["person_customer_id"], unique=False)
    op.create_table(
        "claim",
        sa.Column(
            "claim_id",
            sa.Uuid(),
            nullable=False,
            comment="Hash of profile key and identifiers, so that equal claims are one row",
        ),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_message_id", sa.Text(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("claim_id", name=op.f("claim_pkey")),
    )
    op.create_index("claim_by_profile_id", "claim", ["profile_id"], unique=False)
    op.create_table(
        "claim_identifier",
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("value_given", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "value", "claim_id", name=op.f("claim_identifier_pkey")),
    )
    op.create_index("claim_identifier_by_claim_id", "claim_identifier", ["claim_id"], unique=False)
    op.create_table(
        "customer",
        sa.Column("customer_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("kind", sa.Text(), server_default="person", nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column(
            "traits",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="Golden values, newest by event time per trait",
        ),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('person', 'organisation')", name=op.f("customer_kind_is_known")),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("customer_pkey")),
    )
    op.create_index(
        "customer_by_last_seen",
        "customer",
        [sa.literal_column("last_seen_at DESC"), sa.literal_column("customer_id DESC")],
        unique=False,
    )
    op.create_index("customer_by_name", "customer", ["name", "customer_id"], unique=False)
    op.create_table(
        "customer_identifier",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False, comment="Normal form"),
        sa.Column("value_given", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False, comment="Source that told it first"),
        sa.Column("verified", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "namespace", "value", name=op.f("customer_identifier_pkey")),
    )
    op.create_table(
        "customer_merge",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("merge_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="merge or split"),
        sa.Column(
            "other_customer_ids",
            postgresql.ARRAY(sa.Uuid()),
            nullable=False,
            comment="Customers merged into, or split from, customer_id",
        ),
        sa.Column("profile_ids", postgresql.ARRAY(sa.Uuid()), nullable=False, comment="Profiles that moved"),
        sa.Column("rule", sa.Text(), nullable=False, comment="identifier, alias, group, manual"),
        sa.Column("claim_id", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.Text(), server_default="system", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("merged_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "merge_id", name=op.f("customer_merge_pkey")),
    )
    op.create_index("customer_merge_by_merge_id", "customer_merge", ["merge_id"], unique=False)
    op.create_table(
        "customer_redirect",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column(
            "target_customer_id", sa.Uuid(), nullable=False, comment="Where it lives now; chains are kept one step long"
        ),
        sa.Column("merge_id", sa.Uuid(), nullable=False),
        sa.Column("redirected_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("customer_redirect_pkey")),
    )
    op.create_index(
        "customer_redirect_by_target_customer_id", "customer_redirect", ["target_customer_id"], unique=False
    )
    op.create_table(
        "decision",
        sa.Column("decision_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="link (these belong together) or part (never)"),
        sa.Column("one_namespace", sa.Text(), nullable=False),
        sa.Column("one_value", sa.Text(), nullable=False),
        sa.Column("other_namespace", sa.Text(), nullable=False),
        sa.Column("other_value", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False, comment="alias or manual"),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("decision_pkey")),
    )
    op.create_table(
        "identifier",
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False, comment="Normal form"),
        sa.Column("customer_id", sa.Uuid(), nullable=True, comment="Its one owner; null when shared"),
        sa.Column("shared", sa.Boolean(), server_default="false", nullable=False, comment="Rule 4: points at nobody"),
        sa.CheckConstraint("shared = (customer_id IS NULL)", name=op.f("identifier_belongs_to_one_customer")),
        sa.PrimaryKeyConstraint("namespace", "value", name=op.f("identifier_pkey")),
    )
    op.create_index("identifier_by_customer_id", "identifier", ["customer_id"], unique=False)
    op.create_table(
        "profile",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="person", nullable=False),
        sa.Column("key_namespace", sa.Text(), nullable=False, comment="user_id, anonymous_id, crm_id, group_id, …"),
        sa.Column("key_value", sa.Text(), nullable=False),
        sa.Column(
            "founded_customer_id",
            sa.Uuid(),
            nullable=True,
            comment="Customer this profile began as; revived when a split frees it",
        ),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('person', 'organisation')", name=op.f("profile_kind_is_known")),
        sa.PrimaryKeyConstraint("customer_id", "profile_id", name=op.f("profile_pkey")),
    )
    op.create_index("profile_by_profile_id", "profile", ["profile_id"], unique=False)
    op.create_table(
        "profile_key",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "namespace", "value", name=op.f("profile_key_pkey")),
    )
    op.create_index("profile_key_by_profile_id", "profile_key", ["profile_id"], unique=False)
    op.create_table(
        "profile_trait",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("trait", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("stated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False, comment="Breaks ties between equal times"),
        sa.PrimaryKeyConstraint("customer_id", "profile_id", "trait", name=op.f("profile_trait_pkey")),
    )
    op.create_table(
        "refusal",
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="limit, shared, kind or parted"),
        sa.Column("refused_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("claim_id", "namespace", "value", name=op.f("refusal_pkey")),
    )
