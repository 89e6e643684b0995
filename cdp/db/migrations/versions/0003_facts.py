"""Facts: the inbox and interactions; accounts, orders, shipments and the ledger."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "account",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column(
            "profile_id",
            sa.Uuid(),
            nullable=False,
            comment="Profile of the holder as the source told it; moves the account on a merge",
        ),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False, comment="Customer number, unique in the company (account_key)"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), server_default="standard", nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("legal_name", sa.Text(), nullable=True),
        sa.Column("tax_id", sa.Text(), nullable=True),
        sa.Column("credit_limit", sa.Numeric(), nullable=True),
        sa.Column("payment_terms_days", sa.Integer(), nullable=True),
        sa.Column("manager_staff_id", sa.Uuid(), nullable=True, comment="Account manager"),
        sa.Column("opened_on", sa.Date(), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("account_currency_is_iso")),
        sa.CheckConstraint("tier IN ('standard', 'key')", name=op.f("account_tier_is_known")),
        sa.PrimaryKeyConstraint("customer_id", "account_id", name=op.f("account_pkey")),
    )
    op.create_index("account_by_account_id", "account", ["account_id"], unique=False)
    op.create_index("account_by_number", "account", ["number"], unique=False)
    op.create_index("account_by_profile_id", "account", ["profile_id"], unique=False)
    op.create_table(
        "account_key",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("account_key_pkey")),
    )
    op.create_index("account_key_by_customer_id", "account_key", ["customer_id"], unique=False)
    op.create_table(
        "allocation",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("allocation_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("credit_entry_id", sa.Uuid(), nullable=False),
        sa.Column("debit_entry_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False, comment="Positive; negative takes an allocation back"),
        sa.Column("allocated_on", sa.Date(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False, comment="Latest of credit, debit and allocation date"),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "allocation_id", name=op.f("allocation_pkey")),
    )
    op.create_index("allocation_by_account_id", "allocation", ["account_id"], unique=False)
    op.create_index("allocation_by_credit", "allocation", ["customer_id", "credit_entry_id"], unique=False)
    op.create_index("allocation_by_debit", "allocation", ["customer_id", "debit_entry_id"], unique=False)
    op.create_table(
        "allocation_key",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "external_id", name=op.f("allocation_key_pkey")),
    )
    op.create_index("allocation_key_by_customer_id", "allocation_key", ["customer_id"], unique=False)
    op.create_table(
        "dispute",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("dispute_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "dispute_id", name=op.f("dispute_pkey")),
    )
    op.create_index("dispute_by_entry", "dispute", ["customer_id", "entry_id"], unique=False)
    op.create_table(
        "dispute_key",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "external_id", name=op.f("dispute_key_pkey")),
    )
    op.create_index("dispute_key_by_customer_id", "dispute_key", ["customer_id"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="Order of arrival"),
        sa.Column(
            "lane",
            sa.SmallInteger(),
            nullable=False,
            comment="Hash of the sender's key: messages of one key keep their order",
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "body", sa.JSON(), nullable=False, comment="The message as received, with batch-level context merged in"
        ),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.CheckConstraint("state IN ('pending', 'done', 'failed')", name=op.f("inbox_state_is_known")),
        sa.PrimaryKeyConstraint("source_id", "message_id", name=op.f("inbox_pkey")),
    )
    op.create_index(
        "inbox_pending", "inbox", ["lane", "seq"], unique=False, postgresql_where=sa.text("state = 'pending'")
    )
    op.create_table(
        "interaction",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("interaction_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False, comment="Origin; never changes"),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="page, screen, track, call, visit, email, letter, chat, other"
        ),
        sa.Column("direction", sa.Text(), server_default="inbound", nullable=False),
        sa.Column("name", sa.Text(), nullable=True, comment="Page or event name, subject of a call"),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("product", sa.Text(), nullable=True, comment="Product id where the contact was about one"),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("division", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_seconds", sa.Integer(), nullable=True),
        sa.Column("properties", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column(
            "time_suspect",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="Far past or future, stored as given",
        ),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("direction IN ('inbound', 'outbound')", name=op.f("interaction_direction_is_known")),
        sa.PrimaryKeyConstraint("customer_id", "interaction_id", name=op.f("interaction_pkey")),
    )
    op.create_index(
        "interaction_by_customer_and_time",
        "interaction",
        ["customer_id", sa.literal_column("occurred_at DESC"), sa.literal_column("interaction_id DESC")],
        unique=False,
    )
    op.create_index("interaction_by_id", "interaction", ["interaction_id"], unique=False)
    op.create_index("interaction_by_profile_id", "interaction", ["profile_id"], unique=False)
    op.create_table(
        "interaction_key",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "external_id", name=op.f("interaction_key_pkey")),
    )
    op.create_index("interaction_key_by_customer_id", "interaction_key", ["customer_id"], unique=False)
    op.create_table(
        "ledger_entry",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("document_number", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False, comment="Signed: debit positive, credit negative"),
        sa.Column("posted_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("reverses_entry_id", sa.Uuid(), nullable=True),
        sa.Column("order_id", sa.Uuid(), nullable=True, comment="The order an invoice or credit note is for"),
        sa.Column("purchase_order", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ledger_entry_currency_is_iso")),
        sa.CheckConstraint(
            "kind IN ('invoice', 'debit_note', 'interest', 'refund', 'payment', 'credit_note', 'write_off', 'discount')",
            name=op.f("ledger_entry_kind_is_known"),
        ),
        sa.CheckConstraint(
            "reverses_entry_id IS NOT NULL OR (kind IN ('invoice', 'debit_note', 'interest', 'refund')) = (amount >= 0)",
            name=op.f("ledger_entry_sign_follows_kind"),
        ),
        sa.PrimaryKeyConstraint("customer_id", "entry_id", name=op.f("ledger_entry_pkey")),
    )
    op.create_index(
        "ledger_entry_by_account",
        "ledger_entry",
        ["customer_id", "account_id", "currency", "posted_on"],
        unique=False,
        postgresql_include=["amount"],
    )
    op.create_index("ledger_entry_by_account_id", "ledger_entry", ["account_id", "currency", "posted_on"], unique=False)
    op.create_index("ledger_entry_by_entry_id", "ledger_entry", ["entry_id"], unique=False)
    op.create_index(
        "ledger_entry_by_order",
        "ledger_entry",
        ["customer_id", "order_id"],
        unique=False,
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )
    op.create_index(
        "ledger_entry_by_reversed",
        "ledger_entry",
        ["customer_id", "reverses_entry_id"],
        unique=False,
        postgresql_where=sa.text("reverses_entry_id IS NOT NULL"),
    )
    op.create_table(
        "ledger_entry_key",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "external_id", name=op.f("ledger_entry_key_pkey")),
    )
    op.create_index("ledger_entry_key_by_customer_id", "ledger_entry_key", ["customer_id"], unique=False)
    op.create_table(
        "order_event",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_event_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="placed, confirmed, updated, cancelled, refunded, returned"
        ),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column(
            "record_key", sa.Text(), nullable=False, comment="What told it, so that telling it twice adds nothing"
        ),
        sa.PrimaryKeyConstraint("customer_id", "order_id", "order_event_id", name=op.f("order_event_pkey")),
    )
    op.create_index("order_event_told_once", "order_event", ["customer_id", "order_id", "record_key"], unique=True)
    op.create_table(
        "order_key",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "external_id", name=op.f("order_key_pkey")),
    )
    op.create_index("order_key_by_customer_id", "order_key", ["customer_id"], unique=False)
    op.create_table(
        "order_line",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("product", sa.Text(), nullable=True, comment="Product id or SKU"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.Column("quantity_cancelled", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("quantity_returned", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("unit_price", sa.Numeric(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("promised_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", "order_id", "line_no", name=op.f("order_line_pkey")),
    )
    op.create_table(
        "sales_order",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False, comment="Profile that placed it; origin, never changes"),
        sa.Column(
            "contact_customer_id",
            sa.Uuid(),
            nullable=True,
            comment="The person who placed it, where that is not the holder",
        ),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Text(),
            nullable=False,
            comment="What follows from the stated status, the events and the shipments",
        ),
        sa.Column(
            "stated_status", sa.Text(), nullable=True, comment="What the source itself says; NULL where it says nothing"
        ),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("division", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("purchase_order", sa.Text(), nullable=True, comment="The client's own reference"),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promised_on", sa.Date(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("total", sa.Numeric(), nullable=False),
        sa.Column("refunded", sa.Numeric(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("sales_order_currency_is_iso")),
        sa.CheckConstraint(
            "status IN ('placed', 'confirmed', 'partly_shipped', 'shipped', 'delivered', 'cancelled', 'returned')",
            name=op.f("sales_order_status_is_known"),
        ),
        sa.PrimaryKeyConstraint("customer_id", "order_id", name=op.f("sales_order_pkey")),
    )
    op.create_index(
        "sales_order_by_account_and_time",
        "sales_order",
        ["account_id", sa.literal_column("placed_at DESC"), sa.literal_column("order_id DESC")],
        unique=False,
    )
    op.create_index(
        "sales_order_by_contact",
        "sales_order",
        ["contact_customer_id"],
        unique=False,
        postgresql_where=sa.text("contact_customer_id IS NOT NULL"),
    )
    op.create_index(
        "sales_order_by_customer_and_time",
        "sales_order",
        ["customer_id", sa.literal_column("placed_at DESC"), sa.literal_column("order_id DESC")],
        unique=False,
    )
    op.create_index("sales_order_by_number", "sales_order", ["number"], unique=False)
    op.create_index("sales_order_by_order_id", "sales_order", ["order_id"], unique=False)
    op.create_index(
        "sales_order_by_time",
        "sales_order",
        [sa.literal_column("placed_at DESC"), sa.literal_column("order_id DESC")],
        unique=False,
    )
    op.create_table(
        "shipment",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("shipment_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=True),
        sa.Column("tracking_number", sa.Text(), nullable=True),
        sa.Column("tracking_url", sa.Text(), nullable=True),
        sa.Column("promised_on", sa.Date(), nullable=True),
        sa.Column("shipped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "status IN ('planned', 'shipped', 'delivered', 'returned', 'lost')", name=op.f("shipment_status_is_known")
        ),
        sa.PrimaryKeyConstraint("customer_id", "shipment_id", name=op.f("shipment_pkey")),
    )
    op.create_index("shipment_by_order", "shipment", ["customer_id", "order_id"], unique=False)
    op.create_index("shipment_by_shipment_id", "shipment", ["shipment_id"], unique=False)
    op.create_table(
        "shipment_key",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "external_id", name=op.f("shipment_key_pkey")),
    )
    op.create_index("shipment_key_by_customer_id", "shipment_key", ["customer_id"], unique=False)
    op.create_table(
        "shipment_line",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("shipment_id", sa.Uuid(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False, comment="Line of the order"),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "shipment_id", "line_no", name=op.f("shipment_line_pkey")),
    )
    op.create_table(
        "failed_message",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False, comment="decode, identify or project"),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="1", nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id", "message_id"],
            ["inbox.source_id", "inbox.message_id"],
            name=op.f("failed_message_refers_to_inbox"),
        ),
        sa.PrimaryKeyConstraint("source_id", "message_id", name=op.f("failed_message_pkey")),
    )
