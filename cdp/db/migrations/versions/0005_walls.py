"""Row-level security: what the portal may read, what it may call, and nothing else.

The portal plays a member in an account; both come from settings of the transaction, and count only while the membership
exists. Policies call STABLE functions inside a sub-select, so that they run once a statement and index scans stay possible.

Sessions and sign-in never become tables to the portal: it may call the `portal_…` functions, each of which answers one question
about one secret the caller must already hold. Every SECURITY DEFINER function names `pg_temp` last in its search path, because
where it is not named PostgreSQL looks there first, and anybody may put a table there (decision 0005).
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OF_THE_ACCOUNT = ("account", "sales_order", "order_line", "order_event", "shipment", "shipment_line")
OF_THE_LEDGER = ("ledger_entry", "allocation", "dispute")
OF_IDENTITY = ("customer", "customer_redirect", "affiliation")
COMPANY_SEES_ALL = (*OF_THE_ACCOUNT, *OF_THE_LEDGER, *OF_IDENTITY, "staff", "member", "membership")

DEFINER = "SECURITY DEFINER SET search_path = public, pg_temp"

VIEWER_FUNCTIONS = f"""
CREATE FUNCTION current_account() RETURNS uuid LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT account_id FROM membership
    WHERE account_id = nullif(current_setting('cdp.account_id', true), '')::uuid AND member_id = current_member()
$$;
CREATE FUNCTION current_member_role() RETURNS text LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT role FROM membership
    WHERE account_id = nullif(current_setting('cdp.account_id', true), '')::uuid AND member_id = current_member()
$$;
CREATE FUNCTION current_visible_customers() RETURNS uuid[] LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT array_agg(visible.customer_id)
    FROM (
        SELECT account.customer_id FROM account WHERE account.account_id = current_account()
        UNION
        SELECT affiliation.person_customer_id FROM account JOIN affiliation USING (customer_id)
        WHERE account.account_id = current_account()
    ) AS visible
$$;
-- The accounts the current member may switch to; no row unless they are a member of the current one.
CREATE FUNCTION current_accounts() RETURNS TABLE (account_id uuid, number text, name text, role text)
LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT account.account_id, account.number, account.name, membership.role
    FROM membership JOIN account USING (account_id)
    WHERE membership.member_id = current_member() AND current_account() IS NOT NULL
    ORDER BY account.number
$$;
"""

SESSION_FUNCTIONS = f"""
CREATE FUNCTION portal_begin_login(given_state bytea, given_browser bytea, given_return_to text) RETURNS void
LANGUAGE sql VOLATILE {DEFINER} AS $$
    DELETE FROM pending_login WHERE state_hash IN (
        SELECT state_hash FROM pending_login WHERE created_at < now() - interval '15 minutes' LIMIT 100 FOR UPDATE SKIP LOCKED
    );
    INSERT INTO pending_login (state_hash, browser_hash, return_to) VALUES (given_state, given_browser, given_return_to)
$$;
-- A pending login is good once, for the browser that began it, for 15 minutes.
CREATE FUNCTION portal_take_login(given_state bytea, given_browser bytea) RETURNS text
LANGUAGE sql VOLATILE {DEFINER} AS $$
    DELETE FROM pending_login
    WHERE state_hash = given_state AND browser_hash = given_browser AND created_at >= now() - interval '15 minutes'
    RETURNING return_to
$$;
-- Opens a session for the member with this issuer and subject, in the account of the session it replaces or else the first by
-- number. NULL where there is no such member or no membership.
CREATE FUNCTION portal_open_session(
    replaced bytea, opened bytea, given_issuer text, given_subject text, given_issuer_session text, given_id_token bytea,
    given_authenticated_at timestamptz
) RETURNS uuid LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    found_member uuid;
    found_account uuid;
BEGIN
    SELECT member_id INTO found_member FROM member WHERE issuer = given_issuer AND subject = given_subject;
    SELECT membership.account_id INTO found_account
    FROM membership JOIN account USING (account_id)
    LEFT JOIN login_session AS before ON before.session_hash = replaced AND before.member_id = membership.member_id
        AND before.account_id = membership.account_id
    WHERE membership.member_id = found_member
    ORDER BY before.account_id IS NULL, account.number LIMIT 1;
    DELETE FROM login_session WHERE session_hash = replaced OR (
        member_id = found_member
        AND (created_at < now() - interval '12 hours' OR last_seen_at < now() - interval '30 minutes')
    );
    IF found_account IS NULL THEN
        INSERT INTO audit_record (event, outcome, actor, reason) VALUES ('sign_in', 'refused', left(given_subject, 255),
            CASE WHEN found_member IS NULL THEN 'no_such_member' ELSE 'no_membership' END);
        RETURN NULL;
    END IF;
    INSERT INTO login_session (session_hash, member_id, account_id, issuer_session, sealed_id_token, authenticated_at)
    VALUES (opened, found_member, found_account, given_issuer_session, given_id_token, given_authenticated_at);
    INSERT INTO audit_record (event, outcome, actor, account_id)
    VALUES ('sign_in', 'done', left(given_subject, 255), found_account);
    RETURN found_member;
END $$;
-- The live session with this cookie; counts as activity (written once a minute). A session that is over is deleted.
CREATE FUNCTION portal_session(given bytea) RETURNS TABLE (
    member_id uuid, name text, email text, locale text, time_zone text, account_id uuid, role text, accounts jsonb
) LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT member.member_id, member.name, member.email, member.locale, member.time_zone, live.account_id, current.role,
        (SELECT jsonb_agg(jsonb_build_object('account_id', account.account_id, 'number', account.number, 'name', account.name,
                'role', choice.role) ORDER BY account.number)
            FROM membership AS choice JOIN account USING (account_id) WHERE choice.member_id = member.member_id)
    FROM login_session AS live
        JOIN member USING (member_id)
        JOIN membership AS current ON current.member_id = live.member_id AND current.account_id = live.account_id
    WHERE live.session_hash = given
        AND live.last_seen_at >= now() - interval '30 minutes' AND live.created_at >= now() - interval '12 hours';
    IF FOUND THEN
        UPDATE login_session SET last_seen_at = now()
        WHERE session_hash = given AND last_seen_at < now() - interval '1 minute';
    ELSE
        DELETE FROM login_session WHERE session_hash = given;
    END IF;
END $$;
-- Moves a live session to another account of its member, under a new cookie; the absolute limit runs on.
CREATE FUNCTION portal_switch_account(given bytea, renewed bytea, given_number text, given_id_token bytea) RETURNS boolean
LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
BEGIN
    UPDATE login_session
    SET session_hash = renewed, account_id = choice.account_id, sealed_id_token = given_id_token, last_seen_at = now()
    FROM membership AS choice JOIN account USING (account_id)
    WHERE login_session.session_hash = given AND choice.member_id = login_session.member_id AND account.number = given_number
        AND login_session.last_seen_at >= now() - interval '30 minutes'
        AND login_session.created_at >= now() - interval '12 hours';
    RETURN FOUND;
END $$;
CREATE FUNCTION portal_sealed_id_token(given bytea) RETURNS bytea LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT sealed_id_token FROM login_session WHERE session_hash = given
$$;
CREATE FUNCTION portal_close_session(given bytea) RETURNS void LANGUAGE sql VOLATILE {DEFINER} AS $$
    WITH closed AS (DELETE FROM login_session WHERE session_hash = given RETURNING member_id, account_id)
    INSERT INTO audit_record (event, outcome, actor, account_id)
    SELECT 'sign_out', 'done', member.subject, closed.account_id FROM closed JOIN member USING (member_id)
$$;
CREATE FUNCTION portal_note_refusal(given_reason text) RETURNS void LANGUAGE sql VOLATILE {DEFINER} AS $$
    INSERT INTO audit_record (event, outcome, actor, reason) VALUES ('sign_in', 'refused', 'portal', left(given_reason, 64))
$$;
"""

# Also the signatures that are revoked from PUBLIC, who may call any new function by default.
VIEWER_SIGNATURES = (
    "current_account()",
    "current_member_role()",
    "current_visible_customers()",
    "current_accounts()",
)
SESSION_SIGNATURES = (
    "portal_begin_login(bytea, bytea, text)",
    "portal_take_login(bytea, bytea)",
    "portal_open_session(bytea, bytea, text, text, text, bytea, timestamptz)",
    "portal_session(bytea)",
    "portal_switch_account(bytea, bytea, text, bytea)",
    "portal_sealed_id_token(bytea)",
    "portal_close_session(bytea)",
    "portal_note_refusal(text)",
)

APPEND_ONLY = """
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_record is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_record
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
REVOKE UPDATE, DELETE ON audit_record FROM cdp_app;
"""


def upgrade() -> None:
    """Enable and force policies on every table the portal can read; grant it just those, and the functions."""
    for statements in (VIEWER_FUNCTIONS, SESSION_FUNCTIONS, APPEND_ONLY):
        op.execute(statements)
    for signature in VIEWER_SIGNATURES:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO cdp_portal, cdp_app")
    for signature in SESSION_SIGNATURES:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO cdp_portal")
    for table in COMPANY_SEES_ALL:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY company_sees_all ON {table} TO cdp_owner, cdp_app USING (true) WITH CHECK (true)")
    for table in OF_THE_ACCOUNT:
        op.execute(f"""CREATE POLICY member_sees_own_account ON {table} FOR SELECT TO cdp_portal
            USING (account_id = (SELECT current_account()))""")
        op.execute(f"GRANT SELECT ON {table} TO cdp_portal")
    for table in OF_THE_LEDGER:
        op.execute(f"""CREATE POLICY finance_sees_own_ledger ON {table} FOR SELECT TO cdp_portal
            USING (account_id = (SELECT current_account()) AND (SELECT current_member_role()) IN ('finance', 'client_admin'))""")
        op.execute(f"GRANT SELECT ON {table} TO cdp_portal")
    op.execute("""CREATE POLICY member_sees_holder_and_contacts ON customer FOR SELECT TO cdp_portal
        USING (customer_id = ANY ((SELECT current_visible_customers())::uuid[]))""")
    op.execute("GRANT SELECT (customer_id, kind, name) ON customer TO cdp_portal")
    op.execute("""CREATE POLICY member_sees_where_visible_customers_came_from ON customer_redirect FOR SELECT TO cdp_portal
        USING (target_customer_id = ANY ((SELECT current_visible_customers())::uuid[]))""")
    op.execute("GRANT SELECT (customer_id, target_customer_id) ON customer_redirect TO cdp_portal")
    op.execute("""CREATE POLICY member_sees_own_affiliations ON affiliation FOR SELECT TO cdp_portal
        USING (customer_id IN (SELECT customer_id FROM account WHERE account_id = (SELECT current_account())))""")
    op.execute("GRANT SELECT (customer_id, person_customer_id, role) ON affiliation TO cdp_portal")
    op.execute("""CREATE POLICY member_sees_account_manager ON staff FOR SELECT TO cdp_portal
        USING (staff_id IN (SELECT manager_staff_id FROM account WHERE account_id = (SELECT current_account())))""")
    op.execute("GRANT SELECT (staff_id, email, name, title, phone) ON staff TO cdp_portal")
    for table in ("member", "membership"):
        op.execute(f"""CREATE POLICY member_sees_self ON {table} FOR SELECT TO cdp_portal
            USING (member_id = (SELECT current_member()) AND (SELECT current_account()) IS NOT NULL)""")
    op.execute("GRANT SELECT (member_id, email, name, locale, time_zone) ON member TO cdp_portal")
    op.execute("GRANT SELECT (account_id, member_id, role) ON membership TO cdp_portal")
