"""Webhooks, and a feed that may begin later than at its beginning: `prune_changes` is the one way in which changes end.

The application's role can't delete changes. It may call that function, which takes whole days only and keeps one at least.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

PRUNING = """
-- Forget the oldest changes, at most so many at a time, as far as they are older than so many days; how many were forgotten.
-- Readers below the floor are refused from the same moment on.
CREATE FUNCTION prune_changes(kept_days integer, most integer) RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    last_transaction_id bigint;
    last_seq bigint;
    forgotten integer;
BEGIN
    IF kept_days IS NULL OR kept_days < 1 THEN
        RAISE EXCEPTION 'a day of changes is kept at least' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT transaction_id, seq INTO last_transaction_id, last_seq
    FROM (
        SELECT transaction_id, seq, bool_and(
            changed_at < now() - make_interval(days => kept_days)
            AND transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
        ) OVER (ORDER BY transaction_id, seq) AS is_old
        FROM (SELECT transaction_id, seq, changed_at FROM change ORDER BY transaction_id, seq LIMIT most) AS oldest
    ) AS judged
    WHERE is_old ORDER BY transaction_id DESC, seq DESC LIMIT 1;
    IF last_seq IS NULL THEN
        RETURN 0;
    END IF;
    DELETE FROM change WHERE (transaction_id, seq) <= (last_transaction_id, last_seq);
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    UPDATE change_floor SET transaction_id = last_transaction_id, seq = last_seq
    WHERE (transaction_id, seq) < (last_transaction_id, last_seq);
    RETURN forgotten;
END $$
"""


def upgrade() -> None:
    """Create the tables and the function."""
    op.create_table(
        "change_floor",
        sa.Column("single", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "seq", sa.BigInteger(), server_default="0", nullable=False, comment="Changes up to here are no longer kept"
        ),
        sa.CheckConstraint("single", name=op.f("change_floor_there_is_one")),
        sa.PrimaryKeyConstraint("single", name=op.f("change_floor_pkey")),
    )
    op.create_table(
        "webhook_endpoint",
        sa.Column("endpoint_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "kinds",
            postgresql.ARRAY(sa.Text()),
            server_default="{}",
            nullable=False,
            comment="Kinds, or `order.*`; none: every kind",
        ),
        sa.Column("state", sa.Text(), server_default="enabled", nullable=False),
        sa.Column(
            "disabled_reason",
            sa.Text(),
            nullable=True,
            comment="by_request, failing (for long), gone (it answered 410)",
        ),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "from_transaction_id",
            sa.BigInteger(),
            nullable=False,
            comment="Changes of earlier transactions aren't for it",
        ),
        sa.Column(
            "failures", sa.Integer(), server_default="0", nullable=False, comment="Failed since the last that succeeded"
        ),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resting_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_by", sa.Text(), nullable=False, comment="A staff person's subject, client:…, or the command line"
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(state = 'disabled') = (disabled_reason IS NOT NULL)", name=op.f("webhook_endpoint_disabled_says_why")
        ),
        sa.CheckConstraint(
            "disabled_reason IN ('by_request', 'failing', 'gone')", name=op.f("webhook_endpoint_reason_is_known")
        ),
        sa.CheckConstraint("state IN ('enabled', 'disabled')", name=op.f("webhook_endpoint_state_is_known")),
        sa.PrimaryKeyConstraint("endpoint_id", name=op.f("webhook_endpoint_pkey")),
    )
    op.create_table(
        "webhook_secret",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("secret_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="Opens with CDP_SECRET_KEY"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoint.endpoint_id"],
            name=op.f("webhook_secret_refers_to_webhook_endpoint"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("endpoint_id", "secret_id", name=op.f("webhook_secret_pkey")),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column(
            "delivery_id",
            sa.Uuid(),
            nullable=False,
            comment="Of endpoint and change, so that the same is never made twice",
        ),
        sa.Column(
            "endpoint_id",
            sa.Uuid(),
            nullable=False,
            comment="No reference: deliveries outlive their endpoint for a while",
        ),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="The change's; 0 of a test"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="What is sent, byte for byte, at every attempt"),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column(
            "tries", sa.Integer(), server_default="0", nullable=False, comment="Attempts since it was made or replayed"
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False, comment="Attempts in all"),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True, comment="HTTP status of the last answer"),
        sa.Column("last_problem", sa.Text(), nullable=True, comment="Why the last attempt failed"),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'dead')", name=op.f("webhook_delivery_state_is_known")),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("webhook_delivery_pkey")),
    )
    op.create_index(
        "webhook_delivery_by_occurred",
        "webhook_delivery",
        ["endpoint_id", sa.literal_column("occurred_at DESC"), sa.literal_column("delivery_id DESC")],
        unique=False,
    )
    op.create_index(
        "webhook_delivery_dead",
        "webhook_delivery",
        ["endpoint_id", "occurred_at"],
        unique=False,
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_index(
        "webhook_delivery_due",
        "webhook_delivery",
        ["endpoint_id", "next_attempt_at", "seq"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "webhook_delivery_ended",
        "webhook_delivery",
        ["ended_at"],
        unique=False,
        postgresql_where=sa.text("state <> 'pending'"),
    )
    op.create_index(
        "webhook_delivery_tests",
        "webhook_delivery",
        ["next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending' AND kind = 'webhook.test'"),
    )
    op.create_table(
        "webhook_attempt",
        sa.Column("delivery_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True, comment="HTTP status, where there was an answer"),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.Column("excerpt", sa.Text(), nullable=True, comment="How the answer begins"),
        sa.Column("problem", sa.Text(), nullable=True, comment="What went wrong"),
        sa.CheckConstraint(
            "outcome IN ('delivered', 'refused', 'redirected', 'timed_out', 'unreachable', 'forbidden', 'interrupted')",
            name=op.f("webhook_attempt_outcome_is_known"),
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["webhook_delivery.delivery_id"],
            name=op.f("webhook_attempt_refers_to_webhook_delivery"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "attempt", name=op.f("webhook_attempt_pkey")),
    )
    op.create_table(
        "webhook_progress",
        sa.Column("single", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "seq",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="Changes up to here have their deliveries",
        ),
        sa.CheckConstraint("single", name=op.f("webhook_progress_there_is_one")),
        sa.PrimaryKeyConstraint("single", name=op.f("webhook_progress_pkey")),
    )
    op.create_table(
        "webhook_replay",
        sa.Column("replay_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column(
            "transaction_id", sa.BigInteger(), nullable=False, comment="Changes up to here have been gone through"
        ),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column(
            "until_transaction_id", sa.BigInteger(), nullable=False, comment="Later changes are for the ordinary course"
        ),
        sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("what IN ('missed', 'everything')", name=op.f("webhook_replay_what_is_known")),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoint.endpoint_id"],
            name=op.f("webhook_replay_refers_to_webhook_endpoint"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("replay_id", name=op.f("webhook_replay_pkey")),
    )
    op.create_index("webhook_replay_by_endpoint", "webhook_replay", ["endpoint_id"], unique=False)
    op.create_index("change_by_time", "change", ["changed_at"], unique=False, postgresql_using="brin")
    op.execute("INSERT INTO change_floor DEFAULT VALUES")
    op.execute("INSERT INTO webhook_progress DEFAULT VALUES")
    op.execute("REVOKE UPDATE, DELETE ON change_floor FROM cdp_app")
    op.execute(PRUNING)
    op.execute("REVOKE EXECUTE ON FUNCTION prune_changes(integer, integer) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION prune_changes(integer, integer) TO cdp_app")
