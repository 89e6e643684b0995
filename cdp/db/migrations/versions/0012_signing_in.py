"""Signing in, complete: keys that overlap, clients with keys of their own, sign-out told to clients, second factors, new
passwords by mail, and members who see their own sessions and end them.

What may happen once (a client's assertion, a logout token, a passkey's challenge, a code of an authenticator) leaves its hash in
`used_once`. `idp_end_sessions` is the one way in which sessions at the issuer end before their time: it revokes what came of them
and notes whom to tell.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

DEFINER = "SECURITY DEFINER SET search_path = public, pg_temp"

END_SESSIONS = """
-- Ends sessions of a person at the issuer: the one with this sid, or (NULL) all but `keep`. Their tokens are revoked; clients
-- that want to know are told, session by session, or once for the person when every session ends. How many there were.
CREATE FUNCTION idp_end_sessions(given_user uuid, given_sid uuid, keep uuid) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
DECLARE
    ended uuid[];
    is_all boolean := given_sid IS NULL AND keep IS NULL;
BEGIN
    WITH gone AS (
        DELETE FROM idp_session
        WHERE user_id = given_user AND (given_sid IS NULL OR sid = given_sid) AND sid IS DISTINCT FROM keep
        RETURNING sid
    )
    SELECT coalesce(array_agg(sid), '{}') INTO ended FROM gone;
    WITH families AS (
        SELECT family_id FROM authorization_code
        WHERE user_id = given_user AND (is_all OR sid = ANY (ended)) AND redeemed_at IS NOT NULL
        UNION
        SELECT family_id FROM refresh_token WHERE is_all AND user_id = given_user AND used_at IS NULL
    ), used AS (
        UPDATE refresh_token SET used_at = now()
        WHERE used_at IS NULL AND family_id IN (SELECT family_id FROM families)
    )
    INSERT INTO token_revocation (revoked_id, forget_at) SELECT family_id::text, now() + interval '1 hour' FROM families
    ON CONFLICT (revoked_id) DO UPDATE SET forget_at = excluded.forget_at;
    INSERT INTO logout_notice (client_id, subject, sid)
    SELECT DISTINCT client_id, given_user::text, CASE WHEN is_all THEN NULL ELSE code.sid END
    FROM authorization_code AS code JOIN oauth_client USING (client_id)
    WHERE code.user_id = given_user AND (is_all OR code.sid = ANY (ended)) AND code.redeemed_at IS NOT NULL
        AND oauth_client.backchannel_logout_uri IS NOT NULL AND oauth_client.disabled_at IS NULL;
    RETURN cardinality(ended);
END $$;
"""

PORTAL = f"""
DROP FUNCTION portal_begin_login(bytea, bytea, text);
CREATE FUNCTION portal_begin_login(
    given_state bytea, given_browser bytea, given_return_to text, given_max_age_seconds integer
) RETURNS void LANGUAGE sql VOLATILE {DEFINER} AS $$
    DELETE FROM pending_login WHERE state_hash IN (
        SELECT state_hash FROM pending_login WHERE created_at < now() - interval '15 minutes' LIMIT 100 FOR UPDATE SKIP LOCKED
    );
    INSERT INTO pending_login (state_hash, browser_hash, return_to, max_age_seconds)
    VALUES (given_state, given_browser, given_return_to, given_max_age_seconds)
$$;
DROP FUNCTION portal_take_login(bytea, bytea);
-- A pending login is good once, for the browser that began it, for 15 minutes.
CREATE FUNCTION portal_take_login(given_state bytea, given_browser bytea)
RETURNS TABLE (return_to text, max_age_seconds integer) LANGUAGE sql VOLATILE {DEFINER} AS $$
    DELETE FROM pending_login
    WHERE state_hash = given_state AND browser_hash = given_browser AND created_at >= now() - interval '15 minutes'
    RETURNING return_to, max_age_seconds
$$;
DROP FUNCTION portal_open_session(bytea, bytea, text, text, text, bytea, timestamptz);
-- Opens a session for the member with this issuer and subject, in the account of the session it replaces or else the first by
-- number. NULL where there is no such member or no membership.
CREATE FUNCTION portal_open_session(
    replaced bytea, opened bytea, given_issuer text, given_subject text, given_issuer_session text, given_id_token bytea,
    given_authenticated_at timestamptz, given_device text
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
    INSERT INTO login_session
        (session_hash, member_id, account_id, issuer_session, sealed_id_token, authenticated_at, device)
    VALUES (opened, found_member, found_account, given_issuer_session, given_id_token, given_authenticated_at,
        left(given_device, 100));
    INSERT INTO audit_record (event, outcome, actor, account_id)
    VALUES ('sign_in', 'done', left(given_subject, 255), found_account);
    RETURN found_member;
END $$;
DROP FUNCTION portal_session(bytea);
-- The live session with this cookie; counts as activity (written once a minute). A session that is over is deleted.
CREATE FUNCTION portal_session(given bytea) RETURNS TABLE (
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
    WHERE live.session_hash = given
        AND live.last_seen_at >= now() - interval '30 minutes' AND live.created_at >= now() - interval '12 hours';
    IF FOUND THEN
        UPDATE login_session SET last_seen_at = now()
        WHERE session_hash = given AND last_seen_at < now() - interval '1 minute';
    ELSE
        DELETE FROM login_session WHERE session_hash = given;
    END IF;
END $$;
-- The live sessions of the member whose live session this is, the newest first; `named` names one without opening it.
CREATE FUNCTION portal_sessions(given bytea) RETURNS TABLE (
    named text, device text, created_at timestamptz, last_seen_at timestamptz, account_number text, is_current boolean
) LANGUAGE sql STABLE {DEFINER} AS $$
    SELECT encode(sha256(live.session_hash), 'hex'), live.device, live.created_at, live.last_seen_at, account.number,
        live.session_hash = given
    FROM login_session AS own
        JOIN login_session AS live USING (member_id)
        JOIN account ON account.account_id = live.account_id
    WHERE own.session_hash = given
        AND own.last_seen_at >= now() - interval '30 minutes' AND own.created_at >= now() - interval '12 hours'
        AND live.last_seen_at >= now() - interval '30 minutes' AND live.created_at >= now() - interval '12 hours'
    ORDER BY live.created_at DESC, live.session_hash
$$;
-- Ends sessions of the member whose live session this is: the named one, or (NULL) all of them, and those at the embedded issuer
-- that they came from. How many ended here.
CREATE FUNCTION portal_end_sessions(given bytea, given_name text) RETURNS integer LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
DECLARE
    own record;
    ended text[];
    how_many integer;
    person uuid;
BEGIN
    SELECT live.member_id, live.account_id, member.subject INTO own
    FROM login_session AS live JOIN member USING (member_id)
    WHERE live.session_hash = given
        AND live.last_seen_at >= now() - interval '30 minutes' AND live.created_at >= now() - interval '12 hours';
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    WITH gone AS (
        DELETE FROM login_session
        WHERE member_id = own.member_id AND (given_name IS NULL OR encode(sha256(session_hash), 'hex') = given_name)
        RETURNING issuer_session
    )
    SELECT count(*), array_agg(issuer_session) INTO how_many, ended FROM gone;
    SELECT user_id INTO person FROM idp_user WHERE user_id::text = own.subject;
    IF person IS NOT NULL AND given_name IS NULL THEN
        PERFORM idp_end_sessions(person, NULL, NULL);
    ELSIF person IS NOT NULL THEN
        PERFORM idp_end_sessions(person, sid, NULL) FROM idp_session WHERE user_id = person AND sid::text = ANY (ended);
    END IF;
    IF how_many > 0 THEN
        INSERT INTO audit_record (event, outcome, actor, account_id, details)
        VALUES ('sessions_revoked', 'done', own.subject, own.account_id,
            jsonb_build_object('sessions', how_many, 'everywhere', given_name IS NULL));
    END IF;
    RETURN how_many;
END $$;
-- What an issuer's logout token asks: end the sessions that came of its session, or else all of its subject. False when the token
-- (its hash) came before.
CREATE FUNCTION portal_back_channel_logout(
    given_issuer text, given_subject text, given_sid text, token bytea, forget timestamptz
) RETURNS boolean LANGUAGE plpgsql VOLATILE {DEFINER} AS $$
BEGIN
    IF NOT take_once(token, forget) THEN
        RETURN false;
    END IF;
    WITH closed AS (
        DELETE FROM login_session AS live USING member
        WHERE member.member_id = live.member_id AND member.issuer = given_issuer
            AND (given_subject IS NULL OR member.subject = given_subject)
            AND (given_sid IS NULL OR live.issuer_session = given_sid)
            AND (given_sid IS NOT NULL OR given_subject IS NOT NULL)
        RETURNING member.subject, live.account_id
    )
    INSERT INTO audit_record (event, outcome, actor, account_id, reason)
    SELECT 'sign_out', 'done', subject, account_id, 'back_channel' FROM closed;
    RETURN true;
END $$;
"""

ONCE = """
-- True the first time that something with this hash comes; remembers it until then.
CREATE FUNCTION take_once(given bytea, forget timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM used_once WHERE token_hash IN (
        SELECT token_hash FROM used_once WHERE forget_at < now() LIMIT 100 FOR UPDATE SKIP LOCKED
    );
    INSERT INTO used_once (token_hash, forget_at) VALUES (given, forget) ON CONFLICT (token_hash) DO NOTHING;
    RETURN FOUND;
END $$;
"""

FOR_THE_PORTAL = (
    "portal_begin_login(bytea, bytea, text, integer)",
    "portal_take_login(bytea, bytea)",
    "portal_open_session(bytea, bytea, text, text, text, bytea, timestamptz, text)",
    "portal_session(bytea)",
    "portal_sessions(bytea)",
    "portal_end_sessions(bytea, text)",
    "portal_back_channel_logout(text, text, text, bytea, timestamptz)",
)
FOR_THE_APPLICATION = ("idp_end_sessions(uuid, uuid, uuid)", "take_once(bytea, timestamptz)")


def upgrade() -> None:
    """Add tables and columns, then the functions over them."""
    instant = sa.DateTime(timezone=True)
    op.drop_constraint("oauth_client_auth_method_is_known", "oauth_client")
    op.drop_constraint("oauth_client_secret_unless_public", "oauth_client")
    op.add_column(
        "oauth_client", sa.Column("jwks", postgresql.JSONB(), comment="Public keys of a client that signs (RFC 7523)")
    )
    op.add_column(
        "oauth_client", sa.Column("backchannel_logout_uri", sa.Text(), comment="Where it is told that a session ended")
    )
    op.alter_column(
        "oauth_client",
        "auth_method",
        comment="client_secret_basic, private_key_jwt or none (public)",
        existing_comment="client_secret_basic or none (public)",
        existing_type=sa.Text(),
        existing_nullable=False,
    )
    op.alter_column(
        "oauth_client",
        "secret_hash",
        comment="SHA-256 of the secret; NULL for a client without one",
        existing_comment="SHA-256 of the secret; NULL for a public client",
        existing_type=sa.LargeBinary(),
        existing_nullable=True,
    )
    op.create_check_constraint(
        "auth_method_is_known", "oauth_client", "auth_method IN ('client_secret_basic', 'private_key_jwt', 'none')"
    )
    op.create_check_constraint(
        "secret_or_keys",
        "oauth_client",
        "(auth_method = 'client_secret_basic') = (secret_hash IS NOT NULL)"
        " AND (auth_method = 'private_key_jwt') = (jwks IS NOT NULL)",
    )
    methods = sa.text("'{pwd}'")
    op.add_column("idp_session", sa.Column("device", sa.Text(), comment="Browser and system, in words"))
    op.add_column(
        "idp_session",
        sa.Column(
            "methods", postgresql.ARRAY(sa.Text()), server_default=methods, nullable=False, comment="RFC 8176: `amr`"
        ),
    )
    op.add_column(
        "authorization_code", sa.Column("methods", postgresql.ARRAY(sa.Text()), server_default=methods, nullable=False)
    )
    op.create_index("authorization_code_by_sid", "authorization_code", ["sid"])
    op.add_column(
        "signing_key",
        sa.Column(
            "signs_from",
            instant,
            server_default=sa.text("now()"),
            nullable=False,
            comment="Published before it signs, so that nobody meets it unknown",
        ),
    )
    op.add_column("signing_key", sa.Column("withdrawn_at", instant, comment="Nothing it signed is believed any more"))
    op.add_column("login_session", sa.Column("device", sa.Text(), comment="Browser and system, in words"))
    op.add_column(
        "pending_login",
        sa.Column("max_age_seconds", sa.Integer(), comment="How long ago the sign-in may be, where that was asked"),
    )
    op.create_table(
        "used_once",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of what may come once"),
        sa.Column("forget_at", instant, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="used_once_pkey"),
    )
    op.create_index("used_once_by_forget_at", "used_once", ["forget_at"])
    op.create_table(
        "password_reset",
        sa.Column("reset_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the link's secret"),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", instant, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("reset_hash", name="password_reset_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["idp_user.user_id"], name="password_reset_refers_to_idp_user"),
    )
    op.create_index("password_reset_by_user_id", "password_reset", ["user_id"])
    op.create_table(
        "authenticator",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False, comment="The shared secret (RFC 6238)"),
        sa.Column("created_at", instant, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="authenticator_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["idp_user.user_id"], name="authenticator_refers_to_idp_user"),
    )
    op.create_table(
        "recovery_code",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False, comment="Keyed hash of the code and its owner"),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", instant, server_default=sa.text("now()"), nullable=False),
        sa.Column("used_at", instant),
        sa.PrimaryKeyConstraint("code_hash", name="recovery_code_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["idp_user.user_id"], name="recovery_code_refers_to_idp_user"),
    )
    op.create_index("recovery_code_by_user_id", "recovery_code", ["user_id"])
    op.create_table(
        "passkey",
        sa.Column("credential_id", sa.LargeBinary(), nullable=False, comment="As the authenticator names it"),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False, comment="COSE key"),
        sa.Column("sign_count", sa.BigInteger(), nullable=False, comment="0 where the authenticator does not count"),
        sa.Column("name", sa.Text(), nullable=False, comment="What its owner calls it"),
        sa.Column("transports", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", instant, server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", instant),
        sa.PrimaryKeyConstraint("credential_id", name="passkey_pkey"),
        sa.ForeignKeyConstraint(["user_id"], ["idp_user.user_id"], name="passkey_refers_to_idp_user"),
    )
    op.create_index("passkey_by_user_id", "passkey", ["user_id"])
    op.create_table(
        "logout_notice",
        sa.Column("notice_id", sa.Uuid(), server_default=sa.text("new_id()"), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sid", sa.Uuid(), comment="The session that ended; NULL: all of the subject's"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", instant, server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", instant, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("notice_id", name="logout_notice_pkey"),
        sa.ForeignKeyConstraint(["client_id"], ["oauth_client.client_id"], name="logout_notice_refers_to_oauth_client"),
    )
    op.create_index("logout_notice_by_due_at", "logout_notice", ["due_at"])
    for statements in (ONCE, END_SESSIONS, PORTAL):
        op.execute(statements)
    for signature in (*FOR_THE_PORTAL, *FOR_THE_APPLICATION):
        op.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
    for signature in FOR_THE_PORTAL:
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO cdp_portal")
    for signature in FOR_THE_APPLICATION:
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO cdp_app")
