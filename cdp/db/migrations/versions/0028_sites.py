"""Members limited to sites: they see the orders of these, and what belongs to them; everything of other sites isn't there.

A site is what orders of the account call one (`sales_order.location`). NULL is no limit; roles that see the account's ledger,
which can't be split by site, are never limited (decision 0027). The wall is one restrictive policy a table over those that were
there: `enter_account` tells the sites once a transaction, so that a policy compares with what it told.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

DEFINER = "SECURITY DEFINER SET search_path = public, pg_temp"
FITS = "sites IS NULL OR (role IN ('buyer', 'viewer') AND cardinality(sites) > 0)"
EVERY = "(SELECT current_sites()) IS NULL"
OF_AN_ORDER = ("order_line", "order_event", "shipment", "shipment_line")

ENTERING = f"""
-- As before, and with the sites that the member is limited to.
CREATE OR REPLACE FUNCTION enter_account(given_member uuid, given_view uuid, given_account uuid) RETURNS boolean
LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    entered text;
    limited text;
BEGIN
    IF given_view IS NULL THEN
        SELECT membership.role, coalesce(membership.sites::text, 'every') INTO entered, limited
        FROM membership JOIN member USING (member_id)
        WHERE membership.account_id = given_account AND membership.member_id = given_member AND member.disabled_at IS NULL;
    ELSIF given_member IS NULL THEN
        SELECT view_as.role, 'every' INTO entered, limited FROM view_as JOIN staff USING (staff_id)
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
        set_config('cdp.member_role', coalesce(entered, ''), true),
        set_config('cdp.member_sites', coalesce(limited, ''), true);
    RETURN entered IS NOT NULL;
END $$;
-- Sites whose orders are seen; NULL: of every one, and of none. Nobody sees any.
CREATE FUNCTION current_sites() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN current_setting('cdp.member_sites', true) = 'every' THEN NULL
        ELSE coalesce(nullif(current_setting('cdp.member_sites', true), ''), '{{}}')::text[] END
$$;
"""

SESSIONS = f"""
DROP FUNCTION portal_session(bytea);
-- As before, and with the sites that the member is limited to in the account.
CREATE FUNCTION portal_session(given bytea) RETURNS TABLE (
    member_id uuid, name text, email text, locale text, time_zone text, account_id uuid, role text, accounts jsonb,
    authenticated_at timestamptz, sites text[]
) LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT member.member_id, member.name, member.email, member.locale, member.time_zone, live.account_id, current.role,
        (SELECT jsonb_agg(jsonb_build_object('account_id', account.account_id, 'number', account.number, 'name', account.name,
                'role', choice.role) ORDER BY account.number)
            FROM membership AS choice JOIN account USING (account_id) WHERE choice.member_id = member.member_id),
        live.authenticated_at, current.sites
    FROM login_session AS live
        JOIN member USING (member_id)
        JOIN membership AS current ON current.member_id = live.member_id AND current.account_id = live.account_id
    WHERE live.session_hash = given AND member.disabled_at IS NULL
        AND live.last_seen_at >= now() - interval '30 minutes' AND live.created_at >= now() - interval '12 hours';
    IF FOUND THEN
        UPDATE login_session SET last_seen_at = now()
        WHERE session_hash = given AND last_seen_at < now() - interval '1 minute';
    ELSE
        DELETE FROM login_session WHERE session_hash = given;
    END IF;
END $$;
"""

PEOPLE = f"""
-- Why somebody in a role can't be limited to these sites of an account; NULL when they can. A site is one that an order names, or
-- one that they were limited to before.
CREATE FUNCTION sites_problem(given_account uuid, given_role text, given_sites text[], held text[]) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN given_sites IS NULL THEN NULL
        WHEN given_role NOT IN ('buyer', 'viewer') THEN 'role_sees_every_site'
        WHEN cardinality(given_sites) = 0 THEN 'no_site'
        WHEN EXISTS (
            SELECT FROM unnest(given_sites) AS given (site)
            WHERE given.site IS NULL OR (given.site <> ALL (coalesce(held, '{{}}')) AND NOT EXISTS (
                SELECT FROM sales_order WHERE sales_order.account_id = given_account AND sales_order.location = given.site))
        ) THEN 'site_unknown'
    END
$$;
DROP FUNCTION portal_invite(bytea, text, text, float8, float8);
-- As before, and into these sites alone.
CREATE FUNCTION portal_invite(
    given bytea, given_email text, given_role text, seconds float8, most float8, given_sites text[] DEFAULT NULL
) RETURNS TABLE (code text, wait_seconds float8) LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    me text := current_client_admin();
    here uuid := current_account();
    wait float8 := 0;
    wrong text;
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
    wrong := sites_problem(here, given_role, given_sites, NULL);
    IF wrong IS NOT NULL THEN
        RETURN QUERY SELECT wrong, 0::float8;
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
    INSERT INTO invite (invite_hash, email, account_id, role, invited_by, sites)
    VALUES (given, given_email, here, given_role, me, given_sites);
    INSERT INTO audit_record (event, outcome, actor, account_id, details)
    VALUES ('member_invited', 'done', me, here,
        jsonb_strip_nulls(jsonb_build_object('role', given_role, 'sites', to_jsonb(given_sites))));
    RETURN QUERY SELECT NULL::text, 0::float8;
END $$;
-- As before, but for roles that see every site, and a member who is limited to some.
CREATE OR REPLACE FUNCTION portal_set_member_role(given uuid, given_role text) RETURNS text
LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    me text := current_client_admin();
    here uuid := current_account();
    others boolean;
    before text;
    limited text[];
    wrong text;
BEGIN
    IF me IS NULL THEN
        RETURN 'not_client_admin';
    END IF;
    others := another_client_admin(here, given);
    SELECT role, sites INTO before, limited FROM membership WHERE account_id = here AND member_id = given FOR UPDATE;
    IF before IS NULL THEN
        RETURN 'membership_not_found';
    END IF;
    IF before = 'client_admin' AND given_role <> 'client_admin' AND NOT others THEN
        RETURN 'last_client_admin';
    END IF;
    wrong := sites_problem(here, given_role, limited, limited);
    IF wrong IS NOT NULL THEN
        RETURN wrong;
    END IF;
    IF before <> given_role THEN
        UPDATE membership SET role = given_role WHERE account_id = here AND member_id = given;
        INSERT INTO audit_record (event, outcome, actor, account_id, target, details)
        VALUES ('member_role_changed', 'done', me, here, 'mem_' || replace(given::text, '-', ''),
            jsonb_build_object('before', before, 'after', given_role));
    END IF;
    RETURN NULL;
END $$;
-- Limits a member to these sites, or (NULL) lets them see every one.
CREATE FUNCTION portal_set_member_sites(given uuid, given_sites text[]) RETURNS text
LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    me text := current_client_admin();
    here uuid := current_account();
    found membership;
    wrong text;
BEGIN
    IF me IS NULL THEN
        RETURN 'not_client_admin';
    END IF;
    SELECT * INTO found FROM membership WHERE account_id = here AND member_id = given FOR UPDATE;
    IF found.member_id IS NULL THEN
        RETURN 'membership_not_found';
    END IF;
    wrong := sites_problem(here, found.role, given_sites, found.sites);
    IF wrong IS NOT NULL THEN
        RETURN wrong;
    END IF;
    IF found.sites IS DISTINCT FROM given_sites THEN
        UPDATE membership SET sites = given_sites WHERE account_id = here AND member_id = given;
        INSERT INTO audit_record (event, outcome, actor, account_id, target, details)
        VALUES ('member_sites_changed', 'done', me, here, 'mem_' || replace(given::text, '-', ''),
            jsonb_build_object('before', to_jsonb(found.sites), 'after', to_jsonb(given_sites)));
    END IF;
    RETURN NULL;
END $$;
"""

PORTAL_FUNCTIONS = (
    "portal_session(bytea)",
    "portal_invite(bytea, text, text, float8, float8, text[])",
    "portal_set_member_sites(uuid, text[])",
)


def upgrade() -> None:
    """Columns, functions, then the policies over those that were there."""
    comment = "Sites whose orders they see, by name; NULL: of every one"
    for table in ("membership", "invite"):
        op.add_column(table, sa.Column("sites", ARRAY(sa.Text()), comment=comment))
        op.create_check_constraint(op.f(f"{table}_sites_fit_the_role"), table, FITS)
        op.execute(f"GRANT SELECT (sites) ON {table} TO cdp_portal")
    for statements in (ENTERING, SESSIONS, PEOPLE):
        op.execute(statements)
    for signature in (*PORTAL_FUNCTIONS, "sites_problem(uuid, text, text[], text[])"):
        op.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
    for signature in PORTAL_FUNCTIONS:
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO cdp_portal")
    op.execute("GRANT EXECUTE ON FUNCTION sites_problem(uuid, text, text[], text[]) TO cdp_app")
    op.execute(f"""CREATE POLICY only_of_own_sites ON sales_order AS RESTRICTIVE FOR SELECT TO cdp_portal
        USING ({EVERY} OR location = ANY ((SELECT current_sites())::text[]))""")
    # The sub-selects are under the policies of orders themselves, and are asked for members who are limited alone.
    for table in OF_AN_ORDER:
        op.execute(f"""CREATE POLICY only_of_own_sites ON {table} AS RESTRICTIVE FOR SELECT TO cdp_portal
            USING ({EVERY} OR EXISTS (SELECT FROM sales_order AS held
                WHERE held.customer_id = {table}.customer_id AND held.order_id = {table}.order_id))""")
    op.execute(f"""CREATE POLICY only_of_own_sites ON customer_case AS RESTRICTIVE FOR SELECT TO cdp_portal
        USING ({EVERY} OR (entry_id IS NULL AND (order_id IS NULL OR EXISTS (SELECT FROM sales_order AS held
            WHERE held.customer_id = customer_case.customer_id AND held.order_id = customer_case.order_id))))""")
