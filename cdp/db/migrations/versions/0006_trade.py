"""Numbers of consumers' accounts, and what the import remembers of the records it was given."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the sequence and the table."""
    op.execute("CREATE SEQUENCE consumer_account_number START 1000001")
    op.execute("GRANT USAGE ON SEQUENCE consumer_account_number TO cdp_app")
    op.create_table(
        "imported_record",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="BLAKE2b-128 of the record's content"),
        sa.Column("imported_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "kind", "external_id", name=op.f("imported_record_pkey")),
    )
