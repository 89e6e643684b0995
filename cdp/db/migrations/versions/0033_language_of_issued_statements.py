"""The language that a statement was issued in: its files are in it, whoever downloads them first.

Of statements that were issued before nobody knows it; what was downloaded of them stays as it is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The column; English for what there is."""
    comment = "That its files are in: an ISO 639-1 code"
    column = sa.Column("language", sa.Text(), server_default="en", nullable=False, comment=comment)
    op.add_column("issued_statement", column)
    op.create_check_constraint(
        op.f("issued_statement_language_is_a_code"), "issued_statement", "language ~ '^[a-z]{2}$'"
    )
