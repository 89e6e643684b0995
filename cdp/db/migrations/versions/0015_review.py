"""What people decide of single values, the ledger of what is no merge, and the queue of what people should look at."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, add the columns."""
    instant = sa.DateTime(timezone=True)
    op.add_column(
        "customer_merge",
        sa.Column(
            "identifiers",
            postgresql.JSONB(),
            server_default="[]",
            nullable=False,
            comment="[namespace, value] of what went with them",
        ),
    )
    op.alter_column(
        "decision",
        "kind",
        comment="Of two: link, part or unlink; of one, told twice: block, shared, unshared, grow or closed",
        existing_comment="link (these belong together) or part (never)",
        existing_type=sa.Text(),
        existing_nullable=False,
    )
    op.add_column(
        "decision",
        sa.Column(
            "withdrawn_merge_id",
            sa.Uuid(),
            comment="Merge it was withdrawn for; in force again when that is undone",
        ),
    )
    op.create_index(
        "decision_by_withdrawn_merge_id",
        "decision",
        ["withdrawn_merge_id"],
        postgresql_where=sa.text("withdrawn_merge_id IS NOT NULL"),
    )
    op.create_table(
        "identity_event",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="link, unlink, block, unblock, share, move, quarantine or release",
        ),
        sa.Column(
            "other_customer_ids",
            postgresql.ARRAY(sa.Uuid()),
            server_default="{}",
            nullable=False,
            comment="Whose the identifiers are now",
        ),
        sa.Column(
            "identifiers",
            postgresql.JSONB(),
            server_default="[]",
            nullable=False,
            comment="[namespace, value] of each",
        ),
        sa.Column("actor", sa.Text(), server_default="system", nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("happened_at", instant, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "event_id", name="identity_event_pkey"),
    )
    op.create_index("identity_event_by_others", "identity_event", ["other_customer_ids"], postgresql_using="gin")
    op.create_table(
        "review",
        sa.Column(
            "review_id",
            sa.Uuid(),
            nullable=False,
            comment="Hash of what was found, so that the same is listed once, for ever",
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("namespace", sa.Text(), comment="With `value`: the identifier it is about"),
        sa.Column("value", sa.Text()),
        sa.Column("one_customer_id", sa.Uuid(), comment="As found; leads to whoever it became part of"),
        sa.Column("other_customer_id", sa.Uuid(), comment="As found, of a pair"),
        sa.Column("weight", sa.Double(), comment="Match weight: log2 of how much likelier the pair is one than not"),
        sa.Column("explanation", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("found_at", instant, server_default=sa.text("now()"), nullable=False),
        sa.Column("assigned_staff_id", sa.Uuid()),
        sa.Column("decided_at", instant),
        sa.Column("decided_by", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("merge_id", sa.Uuid(), comment="Merge that accepting it made"),
        sa.CheckConstraint("kind IN ('shared', 'quarantine', 'refusal', 'match')", name=op.f("review_kind_is_known")),
        sa.CheckConstraint("state IN ('open', 'accepted', 'refused')", name=op.f("review_state_is_known")),
        sa.PrimaryKeyConstraint("review_id", name="review_pkey"),
    )
    op.create_index("review_by_found_at", "review", ["found_at", "review_id"])
    op.create_index("review_by_state", "review", ["state", "found_at", "review_id"])
    op.create_index("review_by_weight", "review", [sa.text("weight DESC NULLS LAST"), "review_id"])
    for name in ("one_customer_id", "other_customer_id"):
        op.create_index(f"review_by_{name}", "review", [name], postgresql_where=sa.text("state = 'open'"))
