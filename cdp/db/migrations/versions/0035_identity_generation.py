"""A count of how often profiles moved to other customers: what was looked up before the customers' lock holds while it does."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table and its one row."""
    op.create_table(
        "identity_generation",
        sa.Column("single", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("generation", sa.BigInteger(), server_default="0", nullable=False, comment="One more with each move"),
        sa.PrimaryKeyConstraint("single", name="identity_generation_pkey"),
        sa.CheckConstraint("single", name=op.f("identity_generation_there_is_one")),
    )
    op.execute("INSERT INTO identity_generation DEFAULT VALUES")
