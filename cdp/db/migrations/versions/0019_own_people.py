"""Client admins look after the people of their account: they see them and open invitations, invite, change roles and remove.

They read by policies and change by functions, each of which asks again who the current member is: no table may be written. When
somebody last opened an account is noted by a trigger on sessions, at sign-in and at a switch of account alike.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

DEFINER = "SECURITY DEFINER SET search_path = public, pg_temp"
ADMIN = "account_id = (SELECT current_account()) AND (SELECT current_member_role()) = 'client_admin'"

SIGN_INS = f"""
CREATE FUNCTION session_opens_account() RETURNS trigger LANGUAGE plpgsql {DEFINER} AS $$
BEGIN
    UPDATE membership SET last_signed_in_at = now() WHERE account_id = NEW.account_id AND member_id = NEW.member_id;
    IF TG_OP = 'UPDATE' AND OLD.account_id <> NEW.account_id THEN
        INSERT INTO audit_record (event, outcome, actor, account_id)
        SELECT 'account_opened', 'done', member.subject, NEW.account_id FROM member WHERE member_id = NEW.member_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER session_opens_account AFTER INSERT OR UPDATE OF account_id ON login_session
    FOR EACH ROW EXECUTE FUNCTION session_opens_account();
"""

PEOPLE = f"""
-- What the issuer calls the current member, where they are a client admin of the current account; else NULL.
CREATE FUNCTION current_client_admin() RETURNS text LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT subject FROM member WHERE member_id = current_member() AND current_member_role() = 'client_admin'
$$;
-- Whether an account keeps a client admin who may sign in, without this one; the others are locked, so that two can't remove one
-- another at once.
CREATE FUNCTION another_client_admin(given_account uuid, given_member uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE {DEFINER}
AS $$
DECLARE
    found uuid[];
BEGIN
    SELECT array_agg(admins.member_id) INTO found FROM (
        SELECT member_id FROM membership WHERE account_id = given_account AND role = 'client_admin'
            AND member_id IN (SELECT member_id FROM member WHERE disabled_at IS NULL)
        ORDER BY member_id FOR UPDATE
    ) AS admins;
    RETURN EXISTS (SELECT FROM unnest(found) AS other WHERE other <> given_member);
END $$;
-- Keeps an invitation in place of open ones for the same address. `code` says what is wrong, NULL when nothing.
CREATE FUNCTION portal_invite(given bytea, given_email text, given_role text, seconds float8, most float8)
RETURNS TABLE (code text, wait_seconds float8) LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    me text := current_client_admin();
    here uuid := current_account();
    wait float8 := 0;
BEGIN
    IF me IS NULL THEN
        RETURN QUERY SELECT 'not_client_admin', 0::float8;
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM membership JOIN member USING (member_id)
            WHERE account_id = here AND lower(member.email) = lower(given_email)) THEN
        RETURN QUERY SELECT 'already_member', 0::float8;
        RETURN;
    END IF;
    IF most > 0 THEN
        wait := greatest(
            allowance_take(sha256(convert_to('own invites by ' || me, 'UTF8')), seconds, most),
            allowance_take(sha256(convert_to('own invites to ' || here::text, 'UTF8')), seconds, most));
    END IF;
    IF wait > 0 THEN
        RETURN QUERY SELECT 'too_many_requests', wait;
        RETURN;
    END IF;
    DELETE FROM invite WHERE account_id = here AND lower(email) = lower(given_email) AND accepted_at IS NULL;
    INSERT INTO invite (invite_hash, email, account_id, role, invited_by) VALUES (given, given_email, here, given_role, me);
    INSERT INTO audit_record (event, outcome, actor, account_id, details)
    VALUES ('member_invited', 'done', me, here, jsonb_build_object('role', given_role));
    RETURN QUERY SELECT NULL::text, 0::float8;
END $$;
CREATE FUNCTION portal_withdraw_invite(given uuid) RETURNS text LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    me text := current_client_admin();
    offered text;
BEGIN
    IF me IS NULL THEN
        RETURN 'not_client_admin';
    END IF;
    DELETE FROM invite WHERE invite_id = given AND account_id = current_account() AND accepted_at IS NULL
    RETURNING role INTO offered;
    IF offered IS NULL THEN
        RETURN 'invite_not_found';
    END IF;
    INSERT INTO audit_record (event, outcome, actor, account_id, details)
    VALUES ('invite_withdrawn', 'done', me, current_account(), jsonb_build_object('role', offered));
    RETURN NULL;
END $$;
CREATE FUNCTION portal_set_member_role(given uuid, given_role text) RETURNS text LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    me text := current_client_admin();
    here uuid := current_account();
    others boolean;
    before text;
BEGIN
    IF me IS NULL THEN
        RETURN 'not_client_admin';
    END IF;
    others := another_client_admin(here, given);
    SELECT role INTO before FROM membership WHERE account_id = here AND member_id = given FOR UPDATE;
    IF before IS NULL THEN
        RETURN 'membership_not_found';
    END IF;
    IF before = 'client_admin' AND given_role <> 'client_admin' AND NOT others THEN
        RETURN 'last_client_admin';
    END IF;
    IF before <> given_role THEN
        UPDATE membership SET role = given_role WHERE account_id = here AND member_id = given;
        INSERT INTO audit_record (event, outcome, actor, account_id, target, details)
        VALUES ('member_role_changed', 'done', me, here, 'mem_' || replace(given::text, '-', ''),
            jsonb_build_object('before', before, 'after', given_role));
    END IF;
    RETURN NULL;
END $$;
-- Ends a membership, and its sessions.
CREATE FUNCTION portal_remove_member(given uuid) RETURNS text LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    me text := current_client_admin();
    here uuid := current_account();
    others boolean;
    before text;
BEGIN
    IF me IS NULL THEN
        RETURN 'not_client_admin';
    END IF;
    others := another_client_admin(here, given);
    SELECT role INTO before FROM membership WHERE account_id = here AND member_id = given FOR UPDATE;
    IF before IS NULL THEN
        RETURN 'membership_not_found';
    END IF;
    IF before = 'client_admin' AND NOT others THEN
        RETURN 'last_client_admin';
    END IF;
    DELETE FROM login_session WHERE account_id = here AND member_id = given;
    DELETE FROM membership WHERE account_id = here AND member_id = given;
    INSERT INTO audit_record (event, outcome, actor, account_id, target, details)
    VALUES ('member_removed', 'done', me, here, 'mem_' || replace(given::text, '-', ''), jsonb_build_object('before', before));
    RETURN NULL;
END $$;
"""

PORTAL_FUNCTIONS = (
    "portal_invite(bytea, text, text, float8, float8)",
    "portal_withdraw_invite(uuid)",
    "portal_set_member_role(uuid, text)",
    "portal_remove_member(uuid)",
)
OWN_FUNCTIONS = ("session_opens_account()", "current_client_admin()", "another_client_admin(uuid, uuid)")


def upgrade() -> None:
    """Columns, functions, then policies and grants."""
    op.add_column(
        "membership",
        sa.Column("last_signed_in_at", sa.DateTime(timezone=True), comment="When a session last opened the account"),
    )
    op.add_column(
        "invite",
        sa.Column(
            "invite_id",
            sa.Uuid(),
            server_default=sa.text("new_id()"),
            nullable=False,
            comment="Names it; opens nothing",
        ),
    )
    op.create_unique_constraint("invite_has_one_invite_id", "invite", ["invite_id"])
    op.create_index("invite_by_account_id", "invite", ["account_id"])
    for statements in (SIGN_INS, PEOPLE):
        op.execute(statements)
    for signature in (*PORTAL_FUNCTIONS, *OWN_FUNCTIONS):
        op.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
    for signature in PORTAL_FUNCTIONS:
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO cdp_portal")
    op.execute("ALTER TABLE invite ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE invite FORCE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY company_sees_all ON invite TO cdp_owner, cdp_app USING (true) WITH CHECK (true)")
    for table in ("invite", "membership"):
        op.execute(f"CREATE POLICY client_admin_sees_own_account ON {table} FOR SELECT TO cdp_portal USING ({ADMIN})")
    # The sub-select is under membership's own policies: a client admin's are those of the account.
    op.execute("""CREATE POLICY client_admin_sees_own_account ON member FOR SELECT TO cdp_portal
        USING ((SELECT current_member_role()) = 'client_admin'
            AND member_id IN (SELECT member_id FROM membership WHERE account_id = (SELECT current_account())))""")
    op.execute("GRANT SELECT (invite_id, email, account_id, role, created_at, accepted_at) ON invite TO cdp_portal")
    op.execute("GRANT SELECT (created_at, last_signed_in_at) ON membership TO cdp_portal")
    op.execute("GRANT SELECT (disabled_at) ON member TO cdp_portal")
