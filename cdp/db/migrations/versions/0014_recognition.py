"""Recognition: messages that wait are found by whom they name, and a source says what its visitors may be told."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the indexes; messages that wait already have neither, and are found once they are stitched."""
    op.add_column(
        "inbox", sa.Column("introduces", sa.Integer(), comment="Fingerprint of the anonymous id whose person it names")
    )
    op.create_index(
        "inbox_by_introduces", "inbox", ["introduces", "seq"], postgresql_where=sa.text("introduces IS NOT NULL")
    )
    op.add_column("inbox", sa.Column("sender", sa.Integer(), comment="Fingerprint of the user id, else anonymous id"))
    op.add_column(
        "inbox", sa.Column("visitor", sa.Integer(), comment="Fingerprint of the anonymous id beside a user id")
    )
    op.add_column("inbox", sa.Column("mailbox", sa.Integer(), comment="Fingerprint of the e-mail address it tells"))
    for column in ("sender", "visitor", "mailbox"):
        where = sa.text(f"state = 'pending' AND {column} IS NOT NULL")
        op.create_index(f"inbox_pending_by_{column}", "inbox", [column], postgresql_where=where)
    op.add_column(
        "source",
        sa.Column(
            "visitor_traits",
            ARRAY(sa.Text()),
            nullable=False,
            server_default="{name,firstName,first_name}",
            comment="Traits that a visitor with a token may be told of themselves",
        ),
    )
    op.add_column(
        "source",
        sa.Column(
            "visitor_generation",
            sa.Integer(),
            nullable=False,
            server_default="1",
            comment="Visitors' tokens of an earlier generation are no longer taken",
        ),
    )
