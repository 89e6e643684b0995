"""The portal enters an account once a transaction, and policies compare with what was found out then.

`enter_account` looks the membership up (or the view of staff) and tells the transaction who reads what as which role, or that
nobody does. `current_account` and `current_member_role`, which policies call at each scan of a table, repeat it (decision 0026).
"""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

FUNCTIONS = """
-- Plays a member, or a view of staff, in an account until the transaction ends. False, and then nobody is played, unless the
-- member belongs to it and isn't disabled, or the view is open.
CREATE FUNCTION enter_account(given_member uuid, given_view uuid, given_account uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    entered text;
BEGIN
    IF given_view IS NULL THEN
        SELECT membership.role INTO entered FROM membership JOIN member USING (member_id)
        WHERE membership.account_id = given_account AND membership.member_id = given_member AND member.disabled_at IS NULL;
    ELSIF given_member IS NULL THEN
        SELECT view_as.role INTO entered FROM view_as JOIN staff USING (staff_id)
        WHERE view_as.view_id = given_view AND view_as.account_id = given_account AND view_as.ended_at IS NULL
            AND view_as.opened_at >= now() - interval '30 minutes' AND staff.disabled_at IS NULL;
    END IF;
    IF entered IS NULL THEN
        given_member := NULL;
        given_view := NULL;
        given_account := NULL;
    END IF;
    PERFORM set_config('cdp.member_id', coalesce(given_member::text, ''), true),
        set_config('cdp.view_id', coalesce(given_view::text, ''), true),
        set_config('cdp.account_id', coalesce(given_account::text, ''), true),
        set_config('cdp.member_role', coalesce(entered, ''), true);
    RETURN entered IS NOT NULL;
END $$;
CREATE OR REPLACE FUNCTION current_account() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT nullif(current_setting('cdp.account_id', true), '')::uuid
$$;
CREATE OR REPLACE FUNCTION current_member_role() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT nullif(current_setting('cdp.member_role', true), '')
$$;
REVOKE EXECUTE ON FUNCTION enter_account(uuid, uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION enter_account(uuid, uuid, uuid) TO cdp_portal, cdp_app;
"""


def upgrade() -> None:
    """The function to enter by, and the two that repeat what it found."""
    op.execute(FUNCTIONS)
