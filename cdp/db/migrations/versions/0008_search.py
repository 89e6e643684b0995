"""Trigram indexes, by which names and identifiers are found by any part of them."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes; the extension is there by then (`cdp.db.migrate`)."""
    for name, table, column in (
        ("customer_by_words", "customer", "name"),
        ("customer_identifier_by_words", "customer_identifier", "value"),
        ("account_by_words", "account", "name"),
    ):
        op.create_index(name, table, [column], postgresql_using="gin", postgresql_ops={column: "gin_trgm_ops"})
