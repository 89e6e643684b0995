"""People's decisions about who is who: which merge each was made for, and quick ways to find them and a customer's merges."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the indexes."""
    op.add_column(
        "decision",
        sa.Column("merge_id", sa.Uuid(), comment="Merge it was made for; withdrawn when that is undone"),
    )
    op.create_index("decision_by_one", "decision", ["one_namespace", "one_value"])
    op.create_index("decision_by_other", "decision", ["other_namespace", "other_value"])
    op.create_index("decision_by_merge_id", "decision", ["merge_id"], postgresql_where=sa.text("merge_id IS NOT NULL"))
    op.create_index("customer_merge_by_others", "customer_merge", ["other_customer_ids"], postgresql_using="gin")
