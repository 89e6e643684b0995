-- name: client
-- An OAuth client, enabled or not, locked.
SELECT client_id, name, auth_method, grant_types, redirect_uris, post_logout_redirect_uris, backchannel_logout_uri, scopes,
    trusted_only, disabled_at IS NOT NULL AS is_disabled
FROM oauth_client WHERE client_id = %(client_id)s FOR UPDATE;

-- name: change_client
-- Bring an OAuth client to these values.
UPDATE oauth_client SET name = %(name)s, redirect_uris = %(redirect_uris)s,
    post_logout_redirect_uris = %(post_logout_redirect_uris)s, backchannel_logout_uri = %(backchannel_logout_uri)s,
    grant_types = %(grant_types)s, scopes = %(scopes)s, trusted_only = %(trusted_only)s
WHERE client_id = %(client_id)s;

-- name: replace_secret
-- From now on the client tells this secret.
UPDATE oauth_client SET secret_hash = %(secret_hash)s, jwks = NULL, auth_method = 'client_secret_basic'
WHERE client_id = %(client_id)s;

-- name: replace_keys
-- From now on the client signs with one of these keys.
UPDATE oauth_client SET secret_hash = NULL, jwks = %(jwks)s, auth_method = 'private_key_jwt' WHERE client_id = %(client_id)s;

-- name: disable_client
-- Disable an OAuth client, or (false) enable it.
UPDATE oauth_client SET disabled_at = CASE WHEN %(is_disabled)s THEN coalesce(disabled_at, now()) END
WHERE client_id = %(client_id)s;

-- name: revoke_client_tokens
-- Refuse every token that the client has: access tokens issued until now, and refresh tokens.
WITH used AS (
    UPDATE refresh_token SET used_at = now() WHERE client_id = %(client_id)s AND used_at IS NULL
)
UPDATE oauth_client SET tokens_from = clock_timestamp() WHERE client_id = %(client_id)s;

-- name: member
-- A member with their memberships, locked.
SELECT member_id, issuer, subject, email, name, disabled_at IS NOT NULL AS is_disabled
FROM member WHERE member_id = %(member_id)s FOR UPDATE;

-- name: member_by_email
-- Members with this e-mail; several where several issuers know it.
SELECT member_id FROM member WHERE lower(email) = lower(%(email)s) ORDER BY member_id;

-- name: account_exists
-- Whether there is an account with this id; its number.
SELECT number FROM account_key WHERE account_id = %(account_id)s;

-- name: lock_admins
-- The client admins of an account who may sign in, locked, so that two can't remove one another at once.
SELECT member_id FROM membership WHERE account_id = %(account_id)s AND role = 'client_admin'
    AND member_id IN (SELECT member_id FROM member WHERE disabled_at IS NULL)
ORDER BY member_id FOR UPDATE;

-- name: role
-- A member's role in an account, and the sites that they are limited to there.
SELECT role, sites FROM membership WHERE account_id = %(account_id)s AND member_id = %(member_id)s FOR UPDATE;

-- name: set_role
-- Give a member another role in an account.
UPDATE membership SET role = %(role)s WHERE account_id = %(account_id)s AND member_id = %(member_id)s;

-- name: set_sites
-- Limit a member to sites of an account, or (NULL) let them see every one.
UPDATE membership SET sites = %(sites)s WHERE account_id = %(account_id)s AND member_id = %(member_id)s;

-- name: sites_problem
-- Why somebody in a role can't be limited to sites of an account; NULL when they can.
SELECT sites_problem(%(account_id)s, %(role)s, %(sites)s, %(held)s) AS code;

-- name: remove_membership
-- End a membership, and its sessions.
WITH ended AS (
    DELETE FROM login_session WHERE account_id = %(account_id)s AND member_id = %(member_id)s
)
DELETE FROM membership WHERE account_id = %(account_id)s AND member_id = %(member_id)s;

-- name: disable_member
-- Disable a member everywhere, or (false) enable them.
UPDATE member SET disabled_at = CASE WHEN %(is_disabled)s THEN coalesce(disabled_at, now()) END
WHERE member_id = %(member_id)s;

-- name: accounts_of_member
-- Ids of the accounts that a member belongs to.
SELECT account_id FROM membership WHERE member_id = %(member_id)s ORDER BY account_id;

-- name: end_session
-- End one session of the extranet, known by its name; its member and account.
DELETE FROM login_session WHERE encode(sha256(session_hash), 'hex') = %(session)s
RETURNING member_id, account_id, issuer_session;

-- name: end_sessions
-- End every session that a member has in the extranet; how many.
WITH ended AS (DELETE FROM login_session WHERE member_id = %(member_id)s RETURNING 1) SELECT count(*) FROM ended;

-- name: end_issuer_session
-- End a session at the embedded issuer by its name, and what came of it.
SELECT idp_end_sessions(user_id, sid, NULL) FROM idp_session WHERE sid::text = %(sid)s;

-- name: end_issuer_sessions
-- End every session that a person has at the embedded issuer, and what came of them: tokens too.
SELECT idp_end_sessions(user_id, NULL, NULL) FROM idp_user WHERE user_id::text = %(subject)s;

-- name: sessions
-- Live sessions of a member, the newest first.
SELECT encode(sha256(live.session_hash), 'hex') AS session, live.device, live.created_at, live.last_seen_at, account.number
FROM login_session AS live JOIN account ON account.account_id = live.account_id
WHERE live.member_id = %(member_id)s
    AND live.last_seen_at >= now() - interval '30 minutes' AND live.created_at >= now() - interval '12 hours'
ORDER BY live.created_at DESC, live.session_hash;

-- name: clients
-- OAuth clients by name; secrets are not among the columns.
SELECT client_id, name, auth_method, grant_types, redirect_uris, scopes, trusted_only, created_at, disabled_at
FROM oauth_client ORDER BY name, client_id;

-- name: members
-- Members by e-mail, of one account or (NULL) of all, with their accounts, roles, and sites where they are limited to some.
SELECT member.member_id, member.email, member.name, member.disabled_at,
    (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('account', account_key.number, 'role', role, 'sites', sites))
            ORDER BY account_key.number), '[]')
        FROM membership JOIN account_key USING (account_id) WHERE membership.member_id = member.member_id) AS accounts
FROM member
WHERE %(number)s::text IS NULL OR member_id IN (
    SELECT member_id FROM membership JOIN account_key USING (account_id) WHERE account_key.number = %(number)s)
ORDER BY member.email, member.member_id LIMIT %(most)s;

-- name: staff_person
-- Somebody of the staff, locked.
SELECT staff_id, email, name, title, phone, issuer, subject, disabled_at IS NOT NULL AS is_disabled
FROM staff WHERE staff_id = %(staff_id)s FOR UPDATE;

-- name: change_staff
-- Bring somebody of the staff to these values.
UPDATE staff SET name = %(name)s, title = %(title)s, phone = %(phone)s WHERE staff_id = %(staff_id)s;

-- name: staff_by_email
-- Somebody of the staff by e-mail.
SELECT staff_id FROM staff WHERE lower(email) = lower(%(email)s);

-- name: set_absence
-- When somebody of the staff is away, and who stands in; NULLs: they aren't.
UPDATE staff SET away_from_on = %(from_on)s, away_to_on = %(to_on)s, deputy_staff_id = %(deputy_id)s
WHERE staff_id = %(staff_id)s;

-- name: staff_people
-- The staff by e-mail, with who stands in.
SELECT staff.email, staff.name, staff.title, staff.disabled_at, staff.away_from_on, staff.away_to_on, deputy.name
FROM staff LEFT JOIN staff AS deputy ON deputy.staff_id = staff.deputy_staff_id
ORDER BY staff.email LIMIT %(most)s;

-- name: add_staff
-- Somebody new of the staff; no row when the e-mail is known.
INSERT INTO staff (email, name, title, phone, issuer, subject)
VALUES (%(email)s, %(name)s, %(title)s, %(phone)s, %(issuer)s, %(subject)s)
ON CONFLICT DO NOTHING RETURNING staff_id;

-- name: disable_staff
-- Disable somebody of the staff, or (false) enable them.
UPDATE staff SET disabled_at = CASE WHEN %(is_disabled)s THEN coalesce(disabled_at, now()) END WHERE staff_id = %(staff_id)s;

-- name: audit_records
-- The latest records, newest first.
SELECT recorded_at, event, outcome, actor, client_id, account_id, target, reason, details
FROM audit_record
WHERE (%(event)s::text IS NULL OR event = %(event)s) AND (%(actor)s::text IS NULL OR actor = %(actor)s)
    AND (%(since)s::timestamptz IS NULL OR recorded_at >= %(since)s)
    AND (%(number)s::text IS NULL OR account_id IN (SELECT account_id FROM account_key WHERE number = %(number)s))
    AND (NOT %(only_refused)s OR outcome = 'refused')
ORDER BY recorded_at DESC, audit_id DESC LIMIT %(most)s;

-- name: start_view
-- Let somebody of the staff look at an account; whether they and it are known.
WITH who AS (
    SELECT staff_id FROM staff WHERE subject = %(actor)s AND disabled_at IS NULL LIMIT 1
), made AS (
    INSERT INTO view_as (ticket_hash, account_id, role, staff_id, actor, client_id, reason)
    SELECT %(ticket)s, account_key.account_id, %(role)s, who.staff_id, %(actor)s, %(client_id)s, %(reason)s
    FROM who, account_key WHERE account_key.account_id = %(account_id)s
    RETURNING 1
)
SELECT EXISTS (SELECT FROM who), EXISTS (SELECT FROM made);
