"""Announcements: what the company tells clients on their home page, all of them, a tier or one account; who put which away.

Members read what is for their account and still stands, and note for themselves that they have; they do so in the portal's role.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

STANDS = """published_at <= now() AND withdrawn_at IS NULL AND (ends_on IS NULL OR ends_on >= current_date - 1)"""
FOR_ME = """(SELECT current_account()) IS NOT NULL AND (account_id IS NULL OR account_id = (SELECT current_account()))
    AND (tier IS NULL OR tier = (SELECT account.tier FROM account WHERE account.account_id = (SELECT current_account())))"""
OWN = "member_id = (SELECT current_member()) AND (SELECT current_account()) IS NOT NULL"


def upgrade() -> None:
    """Tables, then walls."""
    op.create_table(
        "announcement",
        sa.Column("announcement_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), comment="For accounts of this tier; NULL: of any"),
        sa.Column("account_id", sa.Uuid(), comment="For this account; NULL: for all"),
        sa.Column("written_by", sa.Text(), nullable=False, comment="client:… or a staff person's subject"),
        sa.Column("published_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("ends_on", sa.Date(), comment="Last day it is shown"),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("announcement_id", name="announcement_pkey"),
        sa.CheckConstraint("tier IN ('standard', 'key')", name=op.f("announcement_tier_is_known")),
    )
    op.create_index("announcement_by_published_at", "announcement", ["published_at"])
    op.create_table(
        "announcement_read",
        sa.Column("announcement_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("announcement_id", "member_id", name="announcement_read_pkey"),
        sa.ForeignKeyConstraint(
            ["announcement_id"], ["announcement.announcement_id"], name="announcement_read_refers_to_announcement"
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.member_id"], name="announcement_read_refers_to_member"),
    )
    for table in ("announcement", "announcement_read"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY company_sees_all ON {table} TO cdp_owner, cdp_app USING (true) WITH CHECK (true)")
    op.execute(f"""CREATE POLICY members_see_theirs ON announcement FOR SELECT TO cdp_portal
        USING ({FOR_ME} AND {STANDS})""")
    op.execute("""GRANT SELECT (announcement_id, title, body, tier, account_id, published_at, ends_on, withdrawn_at)
        ON announcement TO cdp_portal""")
    op.execute(f"CREATE POLICY member_sees_own ON announcement_read FOR SELECT TO cdp_portal USING ({OWN})")
    # The sub-select is under the announcement's own policy: nobody notes what isn't for them.
    op.execute(f"""CREATE POLICY member_puts_away ON announcement_read FOR INSERT TO cdp_portal
        WITH CHECK ({OWN} AND announcement_id IN (SELECT announcement.announcement_id FROM announcement))""")
    op.execute("""CREATE POLICY nobody_writes_while_looking ON announcement_read AS RESTRICTIVE FOR INSERT TO cdp_portal
        WITH CHECK (nullif(current_setting('cdp.view_id', true), '') IS NULL)""")
    op.execute("GRANT SELECT, INSERT ON announcement_read TO cdp_portal")
