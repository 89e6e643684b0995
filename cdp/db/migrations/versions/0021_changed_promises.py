"""An order's promised day that was changed: from what, to what. Kept as an event, so that its timeline tells it."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two days on an order's events."""
    op.add_column(
        "order_event", sa.Column("promised_from", sa.Date(), comment="The day promised before, of a changed promise")
    )
    op.add_column("order_event", sa.Column("promised_on", sa.Date(), comment="The day promised since"))
