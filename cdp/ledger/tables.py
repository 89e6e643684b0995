"""Tables of trade: account, order, shipment, ledger entry, allocation.

All carry the `customer_id` of the account's holder first (distribution rule) and the `account_id` that row-level
security confines a member to. Amounts are `numeric` in the row's ISO 4217 currency, stored rounded to its exponent.
Ledger entries and allocations are append-only: a mistake is a reversal.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from cdp.db.metadata import at, by, by_customer, customer_key, metadata, new_id
from cdp.db.record_keys import record_key_table

_CURRENCY = "currency ~ '^[A-Z]{3}$'"

account = Table(
    "account",
    metadata,
    customer_key(),
    new_id("account_id"),
    Column(
        "profile_id",
        Uuid,
        nullable=False,
        comment="Profile of the holder as the source told it; moves the account on a merge",
    ),
    Column("source_id", Uuid, nullable=False),
    Column("number", Text, nullable=False, comment="Customer number, unique in the company (account_key)"),
    Column("name", Text, nullable=False),
    Column("tier", Text, nullable=False, server_default="standard"),
    Column("currency", Text, nullable=False),
    Column("legal_name", Text),
    Column("tax_id", Text),
    Column("credit_limit", Numeric),
    Column("payment_terms_days", Integer),
    Column("manager_staff_id", Uuid, comment="Account manager"),
    Column("opened_on", Date),
    Column("version", BigInteger, nullable=False, server_default="0"),
    at("created_at", now=True),
    at("updated_at", now=True),
    Column("billing_address", Text, comment="As written on an envelope, lines apart"),
    Column("delivery_address", Text, comment="As written on an envelope, lines apart"),
    Column("bank_name", Text, comment="The bank we know the client by"),
    Column("bank_account_ending", Text, comment="Last four characters of the account with it; no more is kept"),
    CheckConstraint("length(bank_account_ending) <= 4", name="bank_account_is_masked"),
    CheckConstraint("tier IN ('standard', 'key')", name="tier_is_known"),
    CheckConstraint(_CURRENCY, name="currency_is_iso"),
    Index("account_by_account_id", "account_id"),
    Index("account_by_profile_id", "profile_id"),
    Index("account_by_number", "number"),
    Index("account_by_name", "name", "account_id"),
    Index("account_by_tier", "tier", "number"),
    Index("account_by_words", "name", postgresql_using="gin", postgresql_ops={"name": "gin_trgm_ops"}),
    Index("account_by_part_of_number", "number", postgresql_using="gin", postgresql_ops={"number": "gin_trgm_ops"}),
    info=by_customer(),
)

account_key = Table(
    "account_key",
    metadata,
    Column("number", Text, primary_key=True),
    Column("account_id", Uuid, nullable=False),
    Column("customer_id", Uuid, nullable=False),
    Index("account_key_by_customer_id", "customer_id"),
    info=by("number"),
)

sales_order = Table(
    "sales_order",
    metadata,
    customer_key(),
    new_id("order_id"),
    Column("account_id", Uuid, nullable=False),
    Column("profile_id", Uuid, nullable=False, comment="Profile that placed it; origin, never changes"),
    Column("contact_customer_id", Uuid, comment="The person who placed it, where that is not the holder"),
    Column("source_id", Uuid, nullable=False),
    Column("number", Text, nullable=False),
    Column("status", Text, nullable=False, comment="What follows from the stated status, the events and the shipments"),
    Column("stated_status", Text, comment="What the source itself says; NULL where it says nothing"),
    Column("channel", Text, nullable=False),
    Column("division", Text),
    Column("location", Text),
    Column("purchase_order", Text, comment="The client's own reference"),
    at("placed_at"),
    Column("promised_on", Date),
    Column("currency", Text, nullable=False),
    Column("total", Numeric, nullable=False),
    Column("refunded", Numeric, nullable=False, server_default="0"),
    Column("version", BigInteger, nullable=False, server_default="0"),
    at("recorded_at", now=True),
    at("updated_at", now=True),
    CheckConstraint(
        "status IN ('placed', 'confirmed', 'partly_shipped', 'shipped', 'delivered', 'cancelled', 'returned')",
        name="status_is_known",
    ),
    CheckConstraint(_CURRENCY, name="currency_is_iso"),
    Index("sales_order_by_customer_and_time", "customer_id", text("placed_at DESC"), text("order_id DESC")),
    Index("sales_order_by_account_and_time", "account_id", text("placed_at DESC"), text("order_id DESC")),
    Index("sales_order_by_time", text("placed_at DESC"), text("order_id DESC")),
    Index("sales_order_by_order_id", "order_id"),
    Index("sales_order_by_number", "number"),
    Index("sales_order_by_status", "status", text("placed_at DESC"), text("order_id DESC")),
    Index("sales_order_by_promise", "promised_on", "order_id"),
    Index("sales_order_by_purchase_order", "purchase_order", postgresql_where=text("purchase_order IS NOT NULL")),
    Index("sales_order_by_contact", "contact_customer_id", postgresql_where=text("contact_customer_id IS NOT NULL")),
    info=by_customer(),
)

order_line = Table(
    "order_line",
    metadata,
    customer_key(),
    Column("order_id", Uuid, primary_key=True),
    Column("line_no", Integer, primary_key=True),
    Column("account_id", Uuid, nullable=False),
    Column("product", Text, comment="Product id or SKU"),
    Column("name", Text, nullable=False),
    Column("category", Text),
    Column("quantity", Numeric, nullable=False),
    Column("quantity_cancelled", Numeric, nullable=False, server_default="0"),
    Column("quantity_returned", Numeric, nullable=False, server_default="0"),
    Column("unit_price", Numeric, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("currency", Text, nullable=False),
    Column("promised_on", Date),
    info=by_customer(),
)

order_event = Table(
    "order_event",
    metadata,
    customer_key(),
    Column("order_id", Uuid, primary_key=True),
    new_id("order_event_id"),
    Column("account_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False, comment="placed, confirmed, updated, cancelled, refunded, returned"),
    at("occurred_at"),
    Column("note", Text),
    Column("source_id", Uuid, nullable=False),
    Column("amount", Numeric),
    Column("currency", Text),
    Column("record_key", Text, nullable=False, comment="What told it, so that telling it twice adds nothing"),
    Column("promised_from", Date, comment="The day promised before, of a changed promise"),
    Column("promised_on", Date, comment="The day promised since"),
    Index("order_event_told_once", "customer_id", "order_id", "record_key", unique=True),
    info=by_customer(),
)

order_key = record_key_table("order")

shipment = Table(
    "shipment",
    metadata,
    customer_key(),
    new_id("shipment_id"),
    Column("order_id", Uuid, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("source_id", Uuid, nullable=False),
    Column("number", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("carrier", Text),
    Column("tracking_number", Text),
    Column("tracking_url", Text),
    Column("promised_on", Date),
    at("shipped_at", nullable=True),
    at("delivered_at", nullable=True),
    Column("version", BigInteger, nullable=False, server_default="0"),
    at("recorded_at", now=True),
    CheckConstraint("status IN ('planned', 'shipped', 'delivered', 'returned', 'lost')", name="status_is_known"),
    Index("shipment_by_order", "customer_id", "order_id"),
    Index("shipment_by_shipment_id", "shipment_id"),
    info=by_customer(),
)

shipment_line = Table(
    "shipment_line",
    metadata,
    customer_key(),
    Column("shipment_id", Uuid, primary_key=True),
    Column("line_no", Integer, primary_key=True, comment="Line of the order"),
    Column("order_id", Uuid, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("quantity", Numeric, nullable=False),
    info=by_customer(),
)

shipment_key = record_key_table("shipment")

ledger_entry = Table(
    "ledger_entry",
    metadata,
    customer_key(),
    new_id("entry_id"),
    Column("account_id", Uuid, nullable=False),
    Column("source_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("document_number", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", Numeric, nullable=False, comment="Signed: debit positive, credit negative"),
    Column("posted_on", Date, nullable=False),
    Column("due_on", Date),
    Column("reverses_entry_id", Uuid),
    Column("order_id", Uuid, comment="The order an invoice or credit note is for"),
    Column("purchase_order", Text),
    Column("description", Text),
    at("recorded_at", now=True),
    CheckConstraint(
        "kind IN ('invoice', 'debit_note', 'interest', 'refund', 'payment', 'credit_note', 'write_off', 'discount')",
        name="kind_is_known",
    ),
    CheckConstraint(
        "reverses_entry_id IS NOT NULL OR (kind IN ('invoice', 'debit_note', 'interest', 'refund')) = (amount >= 0)",
        name="sign_follows_kind",
    ),
    CheckConstraint(_CURRENCY, name="currency_is_iso"),
    Index(
        "ledger_entry_by_account",
        "customer_id",
        "account_id",
        "currency",
        "posted_on",
        postgresql_include=["amount"],  # balances and openings are read from the index alone
    ),
    Index("ledger_entry_by_account_id", "account_id", "currency", "posted_on"),
    Index(
        "ledger_entry_by_reversed",
        "customer_id",
        "reverses_entry_id",
        postgresql_where=text("reverses_entry_id IS NOT NULL"),
    ),
    Index("ledger_entry_by_order", "customer_id", "order_id", postgresql_where=text("order_id IS NOT NULL")),
    Index("ledger_entry_by_entry_id", "entry_id"),
    info=by_customer(),
)

ledger_entry_key = record_key_table("ledger_entry")

allocation = Table(
    "allocation",
    metadata,
    customer_key(),
    new_id("allocation_id"),
    Column("account_id", Uuid, nullable=False),
    Column("credit_entry_id", Uuid, nullable=False),
    Column("debit_entry_id", Uuid, nullable=False),
    Column("amount", Numeric, nullable=False, comment="Positive; negative takes an allocation back"),
    Column("allocated_on", Date, nullable=False),
    Column("effective_on", Date, nullable=False, comment="Latest of credit, debit and allocation date"),
    at("recorded_at", now=True),
    Index("allocation_by_debit", "customer_id", "debit_entry_id"),
    Index("allocation_by_credit", "customer_id", "credit_entry_id"),
    Index("allocation_by_account_id", "account_id"),
    info=by_customer(),
)

allocation_key = record_key_table("allocation")

dispute = Table(
    "dispute",
    metadata,
    customer_key(),
    new_id("dispute_id"),
    Column("account_id", Uuid, nullable=False),
    Column("entry_id", Uuid, nullable=False),
    Column("reason", Text),
    Column("opened_on", Date, nullable=False),
    Column("closed_on", Date),
    at("recorded_at", now=True),
    Index("dispute_by_entry", "customer_id", "entry_id"),
    info=by_customer(),
)

dispute_key = record_key_table("dispute")

issued_statement = Table(
    "issued_statement",
    metadata,
    customer_key(),
    new_id("statement_id"),
    Column("account_id", Uuid, nullable=False),
    Column("sequence_no", Integer, nullable=False, comment="Counts the account's issued statements from 1"),
    Column("number", Text, nullable=False, comment="The account's number then, and the sequence number"),
    Column("kind", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("from_on", Date),
    Column("to_on", Date, nullable=False),
    Column("opening", Numeric, nullable=False),
    Column("closing", Numeric, nullable=False),
    Column("total_debit", Numeric, nullable=False),
    Column("total_credit", Numeric, nullable=False),
    Column("posted_count", Integer, nullable=False, comment="Entries up to to_on then: the ledger's high-water mark"),
    Column("document", Text, nullable=False, comment="All that stood on it: canonical JSON"),
    Column("sha256", LargeBinary, nullable=False, comment="Of the document"),
    Column("issued_by", Text, nullable=False),
    at("issued_at"),
    Column("language", Text, nullable=False, server_default="en", comment="That its files are in: an ISO 639-1 code"),
    CheckConstraint("language ~ '^[a-z]{2}$'", name="language_is_a_code"),
    CheckConstraint("kind IN ('balance_forward', 'open_item')", name="kind_is_known"),
    CheckConstraint(_CURRENCY, name="currency_is_iso"),
    UniqueConstraint("customer_id", "account_id", "sequence_no", name="issued_statement_is_numbered_once"),
    Index("issued_statement_by_account_and_time", "account_id", text("issued_at DESC"), text("statement_id DESC")),
    Index("issued_statement_by_statement_id", "statement_id"),
    info=by_customer(),
)

issued_statement_file = Table(
    "issued_statement_file",
    metadata,
    customer_key(),
    Column("statement_id", Uuid, primary_key=True),
    Column("format", Text, primary_key=True),
    Column("account_id", Uuid, nullable=False),
    Column("content", LargeBinary, nullable=False, comment="As it was first downloaded, and is ever after"),
    Column("sha256", LargeBinary, nullable=False),
    at("kept_at", now=True),
    CheckConstraint("format IN ('pdf', 'csv', 'xlsx')", name="format_is_known"),
    Index("issued_statement_file_by_account_id", "account_id"),
    info=by_customer(),
)
