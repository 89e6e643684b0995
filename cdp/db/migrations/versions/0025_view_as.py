"""Staff see the extranet as a client of an account sees it: by a link that opens once, for half an hour, and to read alone.

A view is a viewer of its own beside members: `current_account` and `current_member_role` answer for it, `current_member` doesn't,
and no row is added while it looks, whatever the policies of a table let members add.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

DEFINER = "SECURITY DEFINER SET search_path = public, pg_temp"
LIVES = "view_as.ended_at IS NULL AND view_as.opened_at >= now() - interval '30 minutes'"
LOOKING = f"""view_as.view_id = nullif(current_setting('cdp.view_id', true), '')::uuid
        AND view_as.account_id = nullif(current_setting('cdp.account_id', true), '')::uuid AND {LIVES}
        AND EXISTS (SELECT FROM staff WHERE staff.staff_id = view_as.staff_id AND staff.disabled_at IS NULL)"""
MEMBER = """membership.account_id = nullif(current_setting('cdp.account_id', true), '')::uuid
        AND membership.member_id = current_member() AND member.disabled_at IS NULL"""

FUNCTIONS = f"""
CREATE OR REPLACE FUNCTION current_account() RETURNS uuid LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT membership.account_id FROM membership JOIN member USING (member_id) WHERE {MEMBER}
    UNION ALL
    SELECT view_as.account_id FROM view_as WHERE {LOOKING}
$$;
CREATE OR REPLACE FUNCTION current_member_role() RETURNS text LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT membership.role FROM membership JOIN member USING (member_id) WHERE {MEMBER}
    UNION ALL
    SELECT view_as.role FROM view_as WHERE {LOOKING}
$$;
-- Opens what a link is for, once, within five minutes, under a session of its own; on record from then on.
CREATE FUNCTION portal_open_view(ticket bytea, opened bytea) RETURNS boolean LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    found view_as;
BEGIN
    UPDATE view_as SET session_hash = opened, opened_at = now()
    WHERE ticket_hash = ticket AND opened_at IS NULL AND created_at >= now() - interval '5 minutes'
        AND EXISTS (SELECT FROM staff WHERE staff.staff_id = view_as.staff_id AND staff.disabled_at IS NULL)
    RETURNING * INTO found;
    IF found.view_id IS NULL THEN
        RETURN false;
    END IF;
    INSERT INTO audit_record (event, outcome, actor, client_id, account_id, details)
    VALUES ('view_as', 'done', found.actor, found.client_id, found.account_id,
        jsonb_build_object('reason', found.reason, 'minutes', 30, 'role', found.role));
    RETURN true;
END $$;
-- The live view with this cookie.
CREATE FUNCTION portal_view(given bytea) RETURNS TABLE (
    view_id uuid, account_id uuid, role text, number text, name text, staff_name text, staff_email text, reason text,
    opened_at timestamptz
) LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT view_as.view_id, view_as.account_id, view_as.role, account.number, account.name, staff.name, staff.email,
        view_as.reason, view_as.opened_at
    FROM view_as JOIN account USING (account_id) JOIN staff USING (staff_id)
    WHERE view_as.session_hash = given AND staff.disabled_at IS NULL AND {LIVES}
$$;
CREATE FUNCTION portal_end_view(given bytea) RETURNS void LANGUAGE sql VOLATILE {DEFINER} AS $$
    WITH over AS (
        UPDATE view_as SET ended_at = now() WHERE session_hash = given AND {LIVES} RETURNING actor, client_id, account_id
    )
    INSERT INTO audit_record (event, outcome, actor, client_id, account_id)
    SELECT 'view_as_ended', 'done', actor, client_id, account_id FROM over
$$;
"""

PORTAL_FUNCTIONS = ("portal_open_view(bytea, bytea)", "portal_view(bytea)", "portal_end_view(bytea)")
READS_ALONE = """
DO $$
DECLARE
    written text;
BEGIN
    FOR written IN
        SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
            AND (has_any_column_privilege('cdp_portal', oid, 'INSERT') OR has_any_column_privilege('cdp_portal', oid, 'UPDATE'))
    LOOP
        EXECUTE format('CREATE POLICY nobody_writes_while_looking ON %I AS RESTRICTIVE FOR INSERT TO cdp_portal
            WITH CHECK (nullif(current_setting(''cdp.view_id'', true), '''') IS NULL)', written);
    END LOOP;
END $$;
"""


def upgrade() -> None:
    """The table, functions over it, and the wall against writing."""
    op.create_table(
        "view_as",
        sa.Column("view_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("ticket_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the link's secret"),
        sa.Column("session_hash", sa.LargeBinary(), comment="SHA-256 of the cookie, once it is opened"),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False, comment="As which role of member they look"),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False, comment="Their subject at the issuer"),
        sa.Column("client_id", sa.Text(), nullable=False, comment="The tool that asked"),
        sa.Column("reason", sa.Text(), nullable=False, comment="Told to the client"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("view_id", name="view_as_pkey"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], name="view_as_refers_to_staff"),
        sa.CheckConstraint(
            "role IN ('client_admin', 'finance', 'buyer', 'viewer')", name=op.f("view_as_role_is_known")
        ),
        sa.CheckConstraint("length(reason) BETWEEN 3 AND 500", name=op.f("view_as_reason_is_given")),
        sa.UniqueConstraint("ticket_hash", name="view_as_has_one_ticket_hash"),
        sa.UniqueConstraint("session_hash", name="view_as_has_one_session_hash"),
    )
    op.execute(FUNCTIONS)
    for signature in PORTAL_FUNCTIONS:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO cdp_portal")
    op.execute(READS_ALONE)
