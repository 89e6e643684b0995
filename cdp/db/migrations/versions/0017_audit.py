"""The audit record bounded, read by client admins and forgotten by the owner alone; allowances; people and clients disabled.

A refusal is recorded once a minute for each event, actor, client, account and reason: a trigger counts the others, so that
nobody who is refused can fill the disk, whoever writes the record. `allowance` is a generic cell rate algorithm: one instant a
key, until when what it took would last at the rate it may have; unlogged, because after a crash everybody may start afresh.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

DEFINER = "SECURITY DEFINER SET search_path = public, pg_temp"

AUDIT = f"""
-- The first refusal of a kind in a minute is recorded, with how many were not since the last; the others are counted.
CREATE FUNCTION audit_bounds_refusals() RETURNS trigger LANGUAGE plpgsql {DEFINER} AS $$
DECLARE
    this_minute timestamptz := date_trunc('minute', clock_timestamp());
    kind bytea := sha256(convert_to(jsonb_build_array(
        NEW.event, NEW.actor, NEW.client_id, NEW.account_id, NEW.target, NEW.reason)::text, 'UTF8'));
    known audit_refusal;
BEGIN
    INSERT INTO audit_refusal (kind_hash, minute, event, actor, client_id, account_id, target, reason)
    VALUES (kind, this_minute, NEW.event, NEW.actor, NEW.client_id, NEW.account_id, NEW.target, NEW.reason)
    ON CONFLICT (kind_hash) DO NOTHING;
    IF FOUND THEN
        RETURN NEW;
    END IF;
    SELECT * INTO known FROM audit_refusal WHERE kind_hash = kind FOR UPDATE;
    IF known.minute >= this_minute THEN
        UPDATE audit_refusal
        SET unrecorded = unrecorded + 1 + coalesce((NEW.details ->> 'unrecorded')::bigint, 0) WHERE kind_hash = kind;
        RETURN NULL;
    END IF;
    UPDATE audit_refusal SET minute = this_minute, unrecorded = 0 WHERE kind_hash = kind;
    IF known.unrecorded > 0 THEN
        NEW.details := NEW.details || jsonb_build_object(
            'unrecorded', known.unrecorded + coalesce((NEW.details ->> 'unrecorded')::bigint, 0));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_bounds_refusals BEFORE INSERT ON audit_record
    FOR EACH ROW WHEN (NEW.outcome = 'refused') EXECUTE FUNCTION audit_bounds_refusals();
-- Records what was only counted of refusals that stopped ten minutes ago, and forgets those kinds. How many there were.
CREATE FUNCTION audit_settle() RETURNS integer LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    over audit_refusal;
    settled integer := 0;
BEGIN
    FOR over IN
        DELETE FROM audit_refusal WHERE kind_hash IN (
            SELECT kind_hash FROM audit_refusal WHERE minute < now() - interval '10 minutes'
            ORDER BY minute LIMIT 1000 FOR UPDATE SKIP LOCKED
        ) RETURNING *
    LOOP
        settled := settled + 1;
        IF over.unrecorded > 0 THEN
            INSERT INTO audit_record (event, outcome, actor, client_id, account_id, target, reason, details)
            VALUES (over.event, 'refused', over.actor, over.client_id, over.account_id, over.target, over.reason,
                jsonb_build_object('unrecorded', over.unrecorded, 'until', over.minute + interval '1 minute'));
        END IF;
    END LOOP;
    RETURN settled;
END $$;
-- Whoever did what a record of the caller's own account tells, by name: for its client admins, who see no other record.
CREATE FUNCTION audit_actor_name(given uuid) RETURNS text LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT coalesce(
        (SELECT member.name FROM member JOIN membership USING (member_id)
            WHERE member.subject = record.actor AND membership.account_id = record.account_id LIMIT 1),
        (SELECT staff.name FROM staff WHERE staff.subject = record.actor LIMIT 1))
    FROM audit_record AS record
    WHERE record.audit_id = given AND record.account_id = (SELECT current_account())
        AND (SELECT current_member_role()) = 'client_admin'
$$;
-- Forgets records from before; the owner alone may, for what is older than 90 days, and it is on record.
CREATE FUNCTION audit_forget(before timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
DECLARE
    forgotten bigint;
BEGIN
    IF before > now() - interval '90 days' THEN
        RAISE EXCEPTION 'the audit record is kept for 90 days at least' USING ERRCODE = 'check_violation';
    END IF;
    PERFORM set_config('cdp.audit_forgets', 'yes', true);
    DELETE FROM audit_record WHERE recorded_at < before;
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    PERFORM set_config('cdp.audit_forgets', '', true);
    INSERT INTO audit_record (event, outcome, actor, details)
    VALUES ('audit_forgotten', 'done', 'owner', jsonb_build_object('records', forgotten, 'before', before));
    RETURN forgotten;
END $$;
CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'cdp_owner' AND current_setting('cdp.audit_forgets', true) = 'yes' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'audit_record is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
"""

ALLOWANCES = f"""
-- Takes from a key's allowance what lasts `seconds` at its rate, where it may be `most` seconds ahead: 0, or the seconds to wait.
CREATE FUNCTION allowance_take(given bytea, seconds float8, most float8) RETURNS float8
LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    here timestamptz := clock_timestamp();
    until timestamptz;
BEGIN
    DELETE FROM allowance WHERE key_hash IN (
        SELECT key_hash FROM allowance WHERE free_at < here LIMIT 10 FOR UPDATE SKIP LOCKED
    ) AND key_hash <> given;
    INSERT INTO allowance AS known (key_hash, free_at) VALUES (given, here + seconds * interval '1 second')
    ON CONFLICT (key_hash) DO UPDATE SET free_at = greatest(known.free_at, here) + seconds * interval '1 second'
        WHERE greatest(known.free_at, here) + seconds * interval '1 second' <= here + most * interval '1 second'
    RETURNING free_at INTO until;
    IF until IS NOT NULL THEN
        RETURN 0;
    END IF;
    SELECT free_at INTO until FROM allowance WHERE key_hash = given;
    RETURN greatest(0.001, extract(epoch FROM until - here) + seconds - most);
END $$;
-- Tells what keys have spent meanwhile, each at most once; how many seconds each is ahead with everybody's spending.
CREATE FUNCTION allowance_spend(given bytea[], seconds float8[]) RETURNS TABLE (key_hash bytea, ahead_seconds float8)
LANGUAGE sql VOLATILE {DEFINER} AS $$
    INSERT INTO allowance AS known (key_hash, free_at)
    SELECT spent.key_hash, clock_timestamp() + spent.seconds * interval '1 second'
    FROM unnest(given, seconds) AS spent (key_hash, seconds) ORDER BY spent.key_hash
    ON CONFLICT (key_hash) DO UPDATE
        SET free_at = greatest(known.free_at, clock_timestamp()) + (excluded.free_at - clock_timestamp())
    RETURNING known.key_hash, extract(epoch FROM known.free_at - clock_timestamp())::float8
$$;
-- Whether the member whose live session this is may take a file away: 0, or the seconds to wait; either way it is on record.
CREATE FUNCTION portal_export(given bytea, what text, form text, seconds float8, most float8) RETURNS float8
LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    own record;
    wait float8;
BEGIN
    SELECT live.account_id, member.subject, member.member_id INTO own
    FROM login_session AS live JOIN member USING (member_id) JOIN membership USING (member_id, account_id)
    WHERE live.session_hash = given
        AND live.last_seen_at >= now() - interval '30 minutes' AND live.created_at >= now() - interval '12 hours';
    IF NOT FOUND THEN
        RETURN 1;
    END IF;
    wait := CASE WHEN most > 0
        THEN allowance_take(sha256(convert_to('export ' || own.member_id::text, 'UTF8')), seconds, most) ELSE 0 END;
    INSERT INTO audit_record (event, outcome, actor, account_id, target, reason, details)
    VALUES ('export', CASE WHEN wait > 0 THEN 'refused' ELSE 'done' END, own.subject, own.account_id, left(what, 100),
        CASE WHEN wait > 0 THEN 'too_many_requests' END, jsonb_build_object('format', left(form, 20)));
    RETURN wait;
END $$;
"""

DISABLED = f"""
CREATE OR REPLACE FUNCTION current_account() RETURNS uuid LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT account_id FROM membership JOIN member USING (member_id)
    WHERE account_id = nullif(current_setting('cdp.account_id', true), '')::uuid AND member_id = current_member()
        AND member.disabled_at IS NULL
$$;
CREATE OR REPLACE FUNCTION current_member_role() RETURNS text LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT role FROM membership JOIN member USING (member_id)
    WHERE account_id = nullif(current_setting('cdp.account_id', true), '')::uuid AND member_id = current_member()
        AND member.disabled_at IS NULL
$$;
-- As before, but for whom was disabled.
CREATE OR REPLACE FUNCTION portal_open_session(
    replaced bytea, opened bytea, given_issuer text, given_subject text, given_issuer_session text, given_id_token bytea,
    given_authenticated_at timestamptz, given_device text
) RETURNS uuid LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    found_member uuid;
    found_account uuid;
BEGIN
    SELECT member_id INTO found_member FROM member WHERE issuer = given_issuer AND subject = given_subject
        AND disabled_at IS NULL;
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
    INSERT INTO login_session
        (session_hash, member_id, account_id, issuer_session, sealed_id_token, authenticated_at, device)
    VALUES (opened, found_member, found_account, given_issuer_session, given_id_token, given_authenticated_at,
        left(given_device, 100));
    INSERT INTO audit_record (event, outcome, actor, account_id)
    VALUES ('sign_in', 'done', left(given_subject, 255), found_account);
    RETURN found_member;
END $$;
CREATE OR REPLACE FUNCTION portal_session(given bytea) RETURNS TABLE (
    member_id uuid, name text, email text, locale text, time_zone text, account_id uuid, role text, accounts jsonb,
    authenticated_at timestamptz
) LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT member.member_id, member.name, member.email, member.locale, member.time_zone, live.account_id, current.role,
        (SELECT jsonb_agg(jsonb_build_object('account_id', account.account_id, 'number', account.number, 'name', account.name,
                'role', choice.role) ORDER BY account.number)
            FROM membership AS choice JOIN account USING (account_id) WHERE choice.member_id = member.member_id),
        live.authenticated_at
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

PORTAL_FUNCTIONS = (
    "audit_actor_name(uuid)",
    "allowance_spend(bytea[], float8[])",
    "portal_export(bytea, text, text, float8, float8)",
)
APPLICATION_FUNCTIONS = (
    "audit_actor_name(uuid)",
    "audit_settle()",
    "allowance_take(bytea, float8, float8)",
    "allowance_spend(bytea[], float8[])",
)
OWN_FUNCTIONS = ("audit_forget(timestamptz)", "audit_bounds_refusals()")


def upgrade() -> None:
    """Columns and tables, then the functions over them, then who may call and read what."""
    instant = sa.DateTime(timezone=True)
    op.add_column("member", sa.Column("disabled_at", instant))
    op.add_column("staff", sa.Column("disabled_at", instant))
    op.add_column("oauth_client", sa.Column("tokens_from", instant, comment="Access tokens issued earlier are refused"))
    op.add_column(
        "audit_record",
        sa.Column("target", sa.Text(), comment="What it was done to: a typed id, an OAuth client, a kind of file"),
    )
    op.create_index("audit_record_by_actor", "audit_record", ["actor", "recorded_at"])
    op.create_table(
        "audit_refusal",
        sa.Column("kind_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the columns that tell its kind"),
        sa.Column("minute", instant, nullable=False, comment="The last one in which a record was made"),
        sa.Column("unrecorded", sa.BigInteger(), server_default="0", nullable=False, comment="Counted since then"),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text()),
        sa.Column("account_id", sa.Uuid()),
        sa.Column("target", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.PrimaryKeyConstraint("kind_hash", name="audit_refusal_pkey"),
    )
    op.create_index("audit_refusal_by_minute", "audit_refusal", ["minute"])
    op.create_table(
        "allowance",
        sa.Column(
            "key_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the kind of request and who makes it"
        ),
        sa.Column("free_at", instant, nullable=False, comment="When all that was taken is made up for"),
        sa.PrimaryKeyConstraint("key_hash", name="allowance_pkey"),
        prefixes=["UNLOGGED"],
    )
    op.create_index("allowance_by_free_at", "allowance", ["free_at"])
    for statements in (AUDIT, ALLOWANCES, DISABLED):
        op.execute(statements)
    for signature in {*PORTAL_FUNCTIONS, *APPLICATION_FUNCTIONS, *OWN_FUNCTIONS}:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
    for signature in PORTAL_FUNCTIONS:
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO cdp_portal")
    for signature in APPLICATION_FUNCTIONS:
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO cdp_app")
    op.execute("ALTER TABLE audit_record ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE audit_record FORCE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY company_sees_all ON audit_record TO cdp_owner, cdp_app USING (true) WITH CHECK (true)")
    op.execute("""CREATE POLICY client_admin_sees_own_account ON audit_record FOR SELECT TO cdp_portal
        USING (account_id = (SELECT current_account()) AND (SELECT current_member_role()) = 'client_admin')""")
    op.execute("""GRANT SELECT (audit_id, recorded_at, event, outcome, actor, client_id, account_id, target, reason, details)
        ON audit_record TO cdp_portal""")
