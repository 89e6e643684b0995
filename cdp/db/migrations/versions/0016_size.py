"""How large a customer may grow: quarantine, claims that no longer count, and the rules that operators set."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, create the tables."""
    instant = sa.DateTime(timezone=True)
    op.add_column(
        "customer",
        sa.Column("quarantined_at", instant, comment="Event time since which nothing merges into it (rule 5)"),
    )
    op.add_column("customer", sa.Column("quarantine", sa.Text(), comment="profiles, identifiers or statements"))
    op.create_index(
        "customer_by_quarantine",
        "customer",
        ["quarantined_at", "customer_id"],
        postgresql_where=sa.text("quarantined_at IS NOT NULL"),
    )
    op.add_column("decision", sa.Column("most", sa.Integer(), comment="Of kind grow: how far"))
    op.create_table(
        "claim_set_aside",
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("value_given", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("namespace", "value", "claim_id", name="claim_set_aside_pkey"),
    )
    op.create_index("claim_set_aside_by_claim_id", "claim_set_aside", ["claim_id"])
    op.create_table(
        "full_node",
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("last_at", instant, nullable=False),
        sa.Column("last_source_id", sa.Uuid(), nullable=False),
        sa.Column("last_message_id", sa.Text(), nullable=False),
        sa.Column(
            "last_claim_id", sa.Uuid(), nullable=False, comment="The last claim, in canonical order, that counts"
        ),
        sa.PrimaryKeyConstraint("namespace", "value", name="full_node_pkey"),
    )
    op.create_table(
        "identity_rules",
        sa.Column("rules_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("rules", postgresql.JSONB(), nullable=False, comment="As the operator's file had them"),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("set_at", instant, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("rules_id", name="identity_rules_pkey"),
    )
    op.create_table(
        "trait_rank",
        sa.Column("trait", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False, comment="1 outranks 2, and any rank outranks none"),
        sa.PrimaryKeyConstraint("trait", "source_id", name="trait_rank_pkey"),
    )
