"""Tables of dialogue: cases with their messages and files, the notices that go out by mail, preferences and consents.

A case belongs to an account and moves with it. Its messages and files are only ever added; its state follows from them
(`case_message_told`, which also makes each message a contact of the customer).
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from cdp.db.metadata import at, customer_key, in_one_place, metadata, new_id, reference, with_account

customer_case = Table(
    "customer_case",
    metadata,
    customer_key(),
    new_id("case_id"),
    Column("account_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False, comment="Counts the account's cases from 1"),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="open"),
    Column("subject", Text, nullable=False),
    Column("entry_id", Uuid, comment="The invoice or other entry it is about"),
    Column("order_id", Uuid, comment="The order it is about"),
    Column("is_dispute", Boolean, nullable=False, server_default="false", comment="Whether it contests that entry"),
    Column("dispute_id", Uuid, comment="The dispute that marks the entry meanwhile"),
    Column("member_id", Uuid, comment="Who opened it, when a member did"),
    Column("opened_by", Text, nullable=False, comment="member:…, client:… or a staff person's subject"),
    Column("opened_by_name", Text, nullable=False),
    Column("assigned_staff_id", Uuid, comment="Who looks after it"),
    at("opened_at"),
    Column("respond_by", DateTime(timezone=True), comment="When the answer it waits for is promised"),
    at("first_answered_at", nullable=True),
    at("last_message_at"),
    at("closed_at", nullable=True),
    Column("satisfied", Boolean, comment="What the client said at the end, when they did"),
    CheckConstraint(
        "kind IN ('question', 'invoice_query', 'complaint', 'return', 'reorder', 'details')", name="kind_is_known"
    ),
    CheckConstraint("status IN ('open', 'answered', 'closed')", name="status_is_known"),
    CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name="closed_says_when"),
    CheckConstraint("entry_id IS NOT NULL OR NOT is_dispute", name="dispute_is_about_an_entry"),
    UniqueConstraint("customer_id", "account_id", "number", name="customer_case_is_numbered_once"),
    Index("customer_case_by_account_and_time", "account_id", text("last_message_at DESC"), text("case_id DESC")),
    Index("customer_case_by_case_id", "case_id"),
    Index(
        "customer_case_waiting",
        "respond_by",
        "case_id",
        postgresql_where=text("status = 'open'"),
    ),
    info=with_account(),
)

case_message = Table(
    "case_message",
    metadata,
    customer_key(),
    new_id("message_id"),
    Column("case_id", Uuid, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("event", Text, nullable=False, server_default="message", comment="message, closed or assigned"),
    Column("author", Text, nullable=False, comment="member, staff or system"),
    Column("author_id", Text, nullable=False, comment="member:…, client:… or a staff person's subject"),
    Column("author_name", Text, nullable=False),
    Column("body", Text, nullable=False, server_default=""),
    Column("satisfied", Boolean, comment="Of a closing"),
    at("written_at"),
    Column("interaction_id", Uuid, comment="The contact it is; NULL until it is told"),
    at("noticed_at", nullable=True),
    CheckConstraint("event IN ('message', 'closed', 'assigned')", name="event_is_known"),
    CheckConstraint("author IN ('member', 'staff', 'system')", name="author_is_known"),
    Index("case_message_by_case", "customer_id", "case_id", "written_at", "message_id"),
    Index("case_message_by_message_id", "message_id"),
    Index("case_message_unnoticed", "message_id", postgresql_where=text("noticed_at IS NULL")),
    info=with_account(),
)

case_file = Table(
    "case_file",
    metadata,
    customer_key(),
    new_id("file_id"),
    Column("message_id", Uuid, nullable=False),
    Column("case_id", Uuid, nullable=False),
    Column("account_id", Uuid, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False, comment="Of what it was found to be, whatever it was said to be"),
    Column("size_bytes", Integer, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    at("kept_at", now=True),
    CheckConstraint("size_bytes = length(content)", name="size_is_right"),
    Index("case_file_by_message", "customer_id", "message_id"),
    Index("case_file_by_file_id", "file_id"),
    info=with_account(),
)

notice = Table(
    "notice",
    metadata,
    customer_key(),
    new_id("notice_id"),
    Column("account_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("subject_id", Uuid, nullable=False, comment="The invoice, shipment or message it tells of"),
    Column("recipient", Text, nullable=False, comment="member or staff"),
    Column("recipient_id", Uuid, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    at("made_at", now=True),
    Column(
        "send_at",
        DateTime(timezone=True),
        nullable=False,
        comment="Not before; whoever wants fewer letters gets several in one",
    ),
    Column("claimed_until", DateTime(timezone=True), comment="A worker is sending it; another may from then on"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    at("settled_at", nullable=True),
    Column("problem", Text, comment="Why it was not sent"),
    CheckConstraint("kind IN ('invoice_due', 'order_shipped', 'case_answered', 'case_waiting')", name="kind_is_known"),
    CheckConstraint("recipient IN ('member', 'staff')", name="recipient_is_known"),
    CheckConstraint("state IN ('waiting', 'sent', 'withheld', 'failed')", name="state_is_known"),
    UniqueConstraint("customer_id", "kind", "subject_id", "recipient", "recipient_id", name="notice_is_given_once"),
    Index("notice_waiting", "send_at", "notice_id", postgresql_where=text("state = 'waiting'")),
    Index("notice_by_account_id", "account_id"),
    info=with_account(),
)

notice_progress = Table(
    "notice_progress",
    metadata,
    Column("single", Boolean, primary_key=True, server_default="true"),
    Column("transaction_id", BigInteger, nullable=False, server_default="0"),
    Column("seq", BigInteger, nullable=False, server_default="0", comment="Changes up to here were gone through"),
    CheckConstraint("single", name="there_is_one"),
    info=in_one_place(),
)

FREQUENCIES: Final = "('at_once', 'daily', 'weekly', 'never')"

contact_topic = Table(
    "contact_topic",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("default_frequency", Text, nullable=False),
    Column("needs_consent", Text, comment="The purpose that somebody must have consented to"),
    CheckConstraint(f"default_frequency IN {FREQUENCIES}", name="frequency_is_known"),
    info=reference(),
)

member_preference = Table(
    "member_preference",
    metadata,
    Column("member_id", ForeignKey("member.member_id"), primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("frequency", Text, nullable=False),
    at("changed_at", now=True),
    CheckConstraint(f"frequency IN {FREQUENCIES}", name="frequency_is_known"),
    info=reference(),
)

consent_record = Table(
    "consent_record",
    metadata,
    new_id("consent_id"),
    Column("member_id", ForeignKey("member.member_id"), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("is_granted", Boolean, nullable=False, comment="False: withdrawn"),
    Column("wording_version", Text, nullable=False),
    Column("wording", Text, nullable=False, comment="What was shown, word by word"),
    Column("language", Text, nullable=False, comment="In which language"),
    Column("means", Text, nullable=False, comment="How: preferences_page or unsubscribe_link"),
    Column("recorded_by", Text, nullable=False, comment="Who said so: member:… and their id"),
    at("recorded_at", now=True),
    CheckConstraint("purpose IN ('news_email', 'news_phone', 'suggestions')", name="purpose_is_known"),
    CheckConstraint("means IN ('preferences_page', 'unsubscribe_link')", name="means_is_known"),
    Index("consent_record_by_member", "member_id", "purpose", "consent_id"),
    info=reference(),
)

announcement = Table(
    "announcement",
    metadata,
    new_id("announcement_id"),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("tier", Text, comment="For accounts of this tier; NULL: of any"),
    Column("account_id", Uuid, comment="For this account; NULL: for all"),
    Column("written_by", Text, nullable=False, comment="client:… or a staff person's subject"),
    at("published_at", now=True),
    Column("ends_on", Date, comment="Last day it is shown"),
    at("withdrawn_at", nullable=True),
    CheckConstraint("tier IN ('standard', 'key')", name="tier_is_known"),
    Index("announcement_by_published_at", "published_at"),
    info=reference(),
)

announcement_read = Table(
    "announcement_read",
    metadata,
    Column("announcement_id", ForeignKey(announcement.c.announcement_id), primary_key=True),
    Column("member_id", ForeignKey("member.member_id"), primary_key=True),
    at("read_at", now=True),
    info=reference(),
)
