"""Tables of webhooks: who wants which changes, what is on its way to them, how each attempt went, and how far the feed was read.

They stay in one place, as the feed does whose order they follow. Nothing personal is in them but what a receiver answers.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from cdp.db.metadata import at, in_one_place, metadata, new_id

webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    new_id("endpoint_id"),
    Column("url", Text, nullable=False),
    Column("description", Text),
    Column("kinds", ARRAY(Text), nullable=False, server_default="{}", comment="Kinds, or `order.*`; none: every kind"),
    Column("state", Text, nullable=False, server_default="enabled"),
    Column("disabled_reason", Text, comment="by_request, failing (for long), gone (it answered 410)"),
    at("disabled_at", nullable=True),
    Column("from_transaction_id", BigInteger, nullable=False, comment="Changes of earlier transactions aren't for it"),
    Column("failures", Integer, nullable=False, server_default="0", comment="Failed since the last that succeeded"),
    at("failing_since", nullable=True),
    at("resting_until", nullable=True),
    at("delivered_at", nullable=True),
    Column("created_by", Text, nullable=False, comment="A staff person's subject, client:…, or the command line"),
    at("created_at", now=True),
    at("changed_at", now=True),
    CheckConstraint("state IN ('enabled', 'disabled')", name="state_is_known"),
    CheckConstraint("disabled_reason IN ('by_request', 'failing', 'gone')", name="reason_is_known"),
    CheckConstraint("(state = 'disabled') = (disabled_reason IS NOT NULL)", name="disabled_says_why"),
    info=in_one_place(),
)

webhook_secret = Table(
    "webhook_secret",
    metadata,
    Column("endpoint_id", ForeignKey(webhook_endpoint.c.endpoint_id, ondelete="CASCADE"), primary_key=True),
    Column("secret_id", Uuid, primary_key=True, server_default=text("new_id()")),
    Column("sealed", LargeBinary, nullable=False, comment="Opens with CDP_SECRET_KEY"),
    at("created_at", now=True),
    at("expires_at", nullable=True),
    info=in_one_place(),
)

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column(
        "delivery_id", Uuid, primary_key=True, comment="Of endpoint and change, so that the same is never made twice"
    ),
    Column("endpoint_id", Uuid, nullable=False, comment="No reference: deliveries outlive their endpoint for a while"),
    Column("seq", BigInteger, nullable=False, comment="The change's; 0 of a test"),
    Column("kind", Text, nullable=False),
    at("occurred_at"),
    Column("body", Text, nullable=False, comment="What is sent, byte for byte, at every attempt"),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("tries", Integer, nullable=False, server_default="0", comment="Attempts since it was made or replayed"),
    Column("attempts", Integer, nullable=False, server_default="0", comment="Attempts in all"),
    at("next_attempt_at", now=True),
    at("claimed_at", nullable=True),
    at("created_at", now=True),
    at("ended_at", nullable=True),
    Column("last_status", Integer, comment="HTTP status of the last answer"),
    Column("last_problem", Text, comment="Why the last attempt failed"),
    CheckConstraint("state IN ('pending', 'delivered', 'dead')", name="state_is_known"),
    Index(
        "webhook_delivery_due",
        "endpoint_id",
        "next_attempt_at",
        "seq",
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "webhook_delivery_tests",
        "next_attempt_at",
        postgresql_where=text("state = 'pending' AND kind = 'webhook.test'"),
    ),
    Index("webhook_delivery_dead", "endpoint_id", "occurred_at", postgresql_where=text("state = 'dead'")),
    Index("webhook_delivery_ended", "ended_at", postgresql_where=text("state <> 'pending'")),
    Index("webhook_delivery_by_occurred", "endpoint_id", text("occurred_at DESC"), text("delivery_id DESC")),
    info=in_one_place(),
)

webhook_attempt = Table(
    "webhook_attempt",
    metadata,
    Column("delivery_id", ForeignKey(webhook_delivery.c.delivery_id, ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    at("attempted_at"),
    Column("outcome", Text, nullable=False),
    Column("status", Integer, comment="HTTP status, where there was an answer"),
    Column("milliseconds", Integer),
    Column("excerpt", Text, comment="How the answer begins"),
    Column("problem", Text, comment="What went wrong"),
    CheckConstraint(
        "outcome IN ('delivered', 'refused', 'redirected', 'timed_out', 'unreachable', 'forbidden', 'interrupted')",
        name="outcome_is_known",
    ),
    info=in_one_place(),
)

webhook_progress = Table(
    "webhook_progress",
    metadata,
    Column("single", Boolean, primary_key=True, server_default="true"),
    Column("transaction_id", BigInteger, nullable=False, server_default="0"),
    Column("seq", BigInteger, nullable=False, server_default="0", comment="Changes up to here have their deliveries"),
    CheckConstraint("single", name="there_is_one"),
    info=in_one_place(),
)

webhook_replay = Table(
    "webhook_replay",
    metadata,
    new_id("replay_id"),
    Column("endpoint_id", ForeignKey(webhook_endpoint.c.endpoint_id, ondelete="CASCADE"), nullable=False),
    at("since"),
    Column("what", Text, nullable=False),
    Column("transaction_id", BigInteger, nullable=False, comment="Changes up to here have been gone through"),
    Column("seq", BigInteger, nullable=False),
    Column("until_transaction_id", BigInteger, nullable=False, comment="Later changes are for the ordinary course"),
    at("requested_at", now=True),
    CheckConstraint("what IN ('missed', 'everything')", name="what_is_known"),
    Index("webhook_replay_by_endpoint", "endpoint_id"),
    info=in_one_place(),
)
