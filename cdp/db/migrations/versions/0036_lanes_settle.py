"""What waits is found by the transaction that stored it, from where its lane is settled on.

Rows of what was stitched stay in the index until no snapshot may see them, for hours beside a `pg_dump`. In the order of
transactions a stitcher knows where nothing waits any more, nor ever will, and begins to look there.
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The column, the index by it, and a key of what is unique by itself."""
    op.add_column(
        "waiting_message",
        sa.Column(
            "transaction_id",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=False,
            comment="Who let it wait; what waits in a lane is found in this order",
        ),
    )
    op.drop_constraint("waiting_message_pkey", "waiting_message", type_="primary")
    op.create_primary_key("waiting_message_pkey", "waiting_message", ["seq"])
    op.create_index("waiting_message_by_lane", "waiting_message", ["lane", "transaction_id", "seq"])
