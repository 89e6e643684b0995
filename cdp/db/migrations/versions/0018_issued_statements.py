"""Issued statements: what stood on a statement when it was issued, and its files as first downloaded. Neither is ever changed.

The portal reads and adds its own account's, in the roles that see the ledger. Rows move with their account by DELETE and
INSERT, which only the company's role may do.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLES = ("issued_statement", "issued_statement_file")
FINANCE = "account_id = (SELECT current_account()) AND (SELECT current_member_role()) IN ('finance', 'client_admin')"
HOLDER = "customer_id = (SELECT customer_id FROM account WHERE account_id = (SELECT current_account()))"


def upgrade() -> None:
    """Make the tables, their walls and grants."""
    op.create_table(
        "issued_statement",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("statement_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("sequence_no", sa.Integer(), nullable=False, comment="Counts the account's issued statements from 1"),
        sa.Column("number", sa.Text(), nullable=False, comment="The account's number then, and the sequence number"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("from_on", sa.Date()),
        sa.Column("to_on", sa.Date(), nullable=False),
        sa.Column("opening", sa.Numeric(), nullable=False),
        sa.Column("closing", sa.Numeric(), nullable=False),
        sa.Column("total_debit", sa.Numeric(), nullable=False),
        sa.Column("total_credit", sa.Numeric(), nullable=False),
        sa.Column(
            "posted_count",
            sa.Integer(),
            nullable=False,
            comment="Entries up to to_on then: the ledger's high-water mark",
        ),
        sa.Column("document", sa.Text(), nullable=False, comment="All that stood on it: canonical JSON"),
        sa.Column("sha256", sa.LargeBinary(), nullable=False, comment="Of the document"),
        sa.Column("issued_by", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "statement_id", name="issued_statement_pkey"),
        sa.CheckConstraint("kind IN ('balance_forward', 'open_item')", name=op.f("issued_statement_kind_is_known")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("issued_statement_currency_is_iso")),
        sa.UniqueConstraint("customer_id", "account_id", "sequence_no", name="issued_statement_is_numbered_once"),
    )
    op.create_index(
        "issued_statement_by_account_and_time",
        "issued_statement",
        ["account_id", sa.text("issued_at DESC"), sa.text("statement_id DESC")],
    )
    op.create_index("issued_statement_by_statement_id", "issued_statement", ["statement_id"])
    op.create_table(
        "issued_statement_file",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="As it was first downloaded, and is ever after"),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "statement_id", "format", name="issued_statement_file_pkey"),
        sa.CheckConstraint("format IN ('pdf', 'csv', 'xlsx')", name=op.f("issued_statement_file_format_is_known")),
    )
    op.create_index("issued_statement_file_by_account_id", "issued_statement_file", ["account_id"])
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY company_sees_all ON {table} TO cdp_owner, cdp_app USING (true) WITH CHECK (true)")
        op.execute(f"CREATE POLICY finance_sees_own_ledger ON {table} FOR SELECT TO cdp_portal USING ({FINANCE})")
        op.execute(f"""CREATE POLICY finance_issues_own_statements ON {table} FOR INSERT TO cdp_portal
            WITH CHECK ({FINANCE} AND {HOLDER})""")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO cdp_portal")
