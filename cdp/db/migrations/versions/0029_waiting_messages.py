"""Which messages wait to be stitched is a small table of its own: the inbox is written once and never again.

As a column of the inbox, in the conditions of its indexes, a message's state made the whole message be written a second time,
with an entry in each index. What waits now is moved; failed messages have their rows already.
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The table, what waits, then the column."""
    op.create_table(
        "waiting_message",
        sa.Column("lane", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False, comment="As in the inbox"),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sender", sa.Integer()),
        sa.Column("visitor", sa.Integer()),
        sa.Column("mailbox", sa.Integer()),
        sa.PrimaryKeyConstraint("lane", "seq", name="waiting_message_pkey"),
        # It fills and empties all the time: to vacuum it is cheap while it is small, and keeps it small.
        postgresql_with={"autovacuum_vacuum_scale_factor": "0", "autovacuum_vacuum_threshold": "20000"},
    )
    for name in ("sender", "visitor", "mailbox"):
        where = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"waiting_message_by_{name}", "waiting_message", [name], postgresql_where=where)
    op.execute("""
        INSERT INTO waiting_message (lane, seq, source_id, message_id, received_at, sender, visitor, mailbox)
        SELECT lane, seq, source_id, message_id, received_at, sender, visitor, mailbox FROM inbox WHERE state = 'pending'""")
    for name in ("inbox_pending", "inbox_pending_by_sender", "inbox_pending_by_visitor", "inbox_pending_by_mailbox"):
        op.drop_index(name, table_name="inbox")
    op.drop_column("inbox", "state")
