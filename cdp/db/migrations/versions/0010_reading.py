"""Indexes for what the documentation calls fast: one for each field that many rows are filtered or ordered by."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes."""
    plain: tuple[tuple[str, str, list[sa.TextClause | str]], ...] = (
        ("customer_by_first_seen", "customer", [sa.text("first_seen_at DESC"), sa.text("customer_id DESC")]),
        ("customer_by_email", "customer", ["email"]),
        ("customer_by_phone", "customer", ["phone"]),
        ("account_by_name", "account", ["name", "account_id"]),
        ("account_by_tier", "account", ["tier", "number"]),
        ("sales_order_by_status", "sales_order", ["status", sa.text("placed_at DESC"), sa.text("order_id DESC")]),
        ("sales_order_by_promise", "sales_order", ["promised_on", "order_id"]),
    )
    for name, table, columns in plain:
        op.create_index(name, table, columns)
    op.create_index(
        "account_by_part_of_number",
        "account",
        ["number"],
        postgresql_using="gin",
        postgresql_ops={"number": "gin_trgm_ops"},
    )
    op.create_index(
        "sales_order_by_purchase_order",
        "sales_order",
        ["purchase_order"],
        postgresql_where=sa.text("purchase_order IS NOT NULL"),
    )
