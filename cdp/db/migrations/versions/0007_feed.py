"""The change feed: append-only, also for the application's own role."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "change",
        sa.Column(
            "transaction_id",
            sa.BigInteger(),
            autoincrement=False,
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
            comment="Who wrote it; a reader goes no further than the oldest transaction still running",
        ),
        sa.Column(
            "seq",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Of two changes of one thing, the later",
        ),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="What changed and how: customer.created, order.placed, …"),
        sa.Column("subject_id", sa.Uuid(), nullable=False, comment="The thing that changed; the kind says what it is"),
        sa.Column("customer_id", sa.Uuid(), nullable=False, comment="Whose it was at that moment"),
        sa.Column(
            "data",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="Details of the kind; nothing personal",
        ),
        sa.PrimaryKeyConstraint("transaction_id", "seq", name=op.f("change_pkey")),
    )
    op.execute("REVOKE UPDATE, DELETE ON change FROM cdp_app")
