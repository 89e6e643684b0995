"""Clients that may run trusted documents only."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; clients there are may run anything, as before."""
    op.add_column(
        "oauth_client",
        sa.Column(
            "trusted_only",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="Whether it may run trusted documents only",
        ),
    )
