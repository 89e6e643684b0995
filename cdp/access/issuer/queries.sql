-- name: client
-- An enabled OAuth client.
SELECT client_id, name, secret_hash, jwks, auth_method, grant_types, redirect_uris, post_logout_redirect_uris, scopes
FROM oauth_client WHERE client_id = %(client_id)s AND disabled_at IS NULL;

-- name: save_client
-- Register an OAuth client, or bring the one with this id to these values.
INSERT INTO oauth_client
    (client_id, name, secret_hash, jwks, auth_method, grant_types, redirect_uris, post_logout_redirect_uris,
        backchannel_logout_uri, scopes, trusted_only)
VALUES (%(client_id)s, %(name)s, %(secret_hash)s, %(jwks)s, %(auth_method)s, %(grant_types)s, %(redirect_uris)s,
    %(post_logout_redirect_uris)s, %(backchannel_logout_uri)s, %(scopes)s, %(trusted_only)s)
ON CONFLICT (client_id) DO UPDATE SET
    name = excluded.name, secret_hash = excluded.secret_hash, jwks = excluded.jwks, auth_method = excluded.auth_method,
    grant_types = excluded.grant_types, redirect_uris = excluded.redirect_uris,
    post_logout_redirect_uris = excluded.post_logout_redirect_uris,
    backchannel_logout_uri = excluded.backchannel_logout_uri, scopes = excluded.scopes,
    trusted_only = excluded.trusted_only;

-- name: person
-- Somebody who may sign in, by subject; `is_staff` says whether they may authorise tools.
SELECT person.user_id, person.email, person.name, person.locale,
    EXISTS (SELECT FROM staff WHERE staff.issuer = %(issuer)s AND staff.subject = person.user_id::text
        AND staff.disabled_at IS NULL) AS is_staff
FROM idp_user AS person WHERE person.user_id = %(user_id)s AND person.disabled_at IS NULL;

-- name: person_by_email
-- Subject and password hash of somebody who may sign in.
SELECT user_id, password_hash FROM idp_user WHERE email = %(email)s AND disabled_at IS NULL;

-- name: save_person
-- Register a person; no row when the e-mail is taken.
INSERT INTO idp_user (email, name, locale, password_hash) VALUES (%(email)s, %(name)s, %(locale)s, %(password_hash)s)
ON CONFLICT (email) DO NOTHING RETURNING user_id;

-- name: save_password
-- Replace a person's password hash.
UPDATE idp_user SET password_hash = %(password_hash)s, password_changed_at = now() WHERE user_id = %(user_id)s;

-- name: count_attempt
-- Count a sign-in attempt under a key before its password is looked at; no row while the key has to wait. The wait doubles with
-- each failure beyond the free ones, up to a limit; a day without failures starts afresh, and is forgotten.
WITH forgotten AS (
    DELETE FROM sign_in_failure WHERE key_hash IN (
        SELECT key_hash FROM sign_in_failure
        WHERE last_failed_at < now() - interval '1 day' AND key_hash <> %(key)s LIMIT 100 FOR UPDATE SKIP LOCKED
    )
)
INSERT INTO sign_in_failure AS known (key_hash, failures, last_failed_at) VALUES (%(key)s, 1, now())
ON CONFLICT (key_hash) DO UPDATE SET
    failures = CASE WHEN known.last_failed_at < now() - interval '1 day' THEN 1 ELSE known.failures + 1 END,
    last_failed_at = now()
WHERE known.failures <= %(free)s OR known.last_failed_at
    + least(%(longest_seconds)s, power(2, least(known.failures - %(free)s, 30))) * interval '1 second' <= now()
RETURNING failures;

-- name: remaining_wait
-- Seconds a key still has to wait.
SELECT ceil(extract(epoch FROM last_failed_at
    + least(%(longest_seconds)s, power(2, least(failures - %(free)s, 30))) * interval '1 second' - now()))::int
FROM sign_in_failure WHERE key_hash = %(key)s;

-- name: forget_attempts
-- A sign-in succeeded: its key starts afresh.
DELETE FROM sign_in_failure WHERE key_hash = %(key)s;

-- name: renew_idp_session
-- The same person signs in again in the same browser: the session goes on under a new cookie. No row when there is none to renew.
UPDATE idp_session
SET session_hash = %(opened)s, authenticated_at = now(), last_seen_at = now(), device = %(device)s, methods = %(methods)s
WHERE session_hash = %(replaced)s AND user_id = %(user_id)s AND authenticated_at >= now() - interval '12 hours'
    AND last_seen_at >= now() - interval '30 minutes'
RETURNING sid;

-- name: open_idp_session
-- Open a session at the issuer; forgets sessions that are over.
WITH over AS (
    DELETE FROM idp_session WHERE session_hash IN (
        SELECT session_hash FROM idp_session
        WHERE authenticated_at < now() - interval '12 hours' OR last_seen_at < now() - interval '30 minutes'
        LIMIT 100 FOR UPDATE SKIP LOCKED
    )
)
INSERT INTO idp_session (session_hash, sid, user_id, authenticated_at, device, methods)
VALUES (%(opened)s, new_id(), %(user_id)s, now(), %(device)s, %(methods)s);

-- name: idp_session
-- The live session at the issuer with this cookie's hash; counts as activity.
UPDATE idp_session SET last_seen_at = now()
WHERE session_hash = %(session)s AND authenticated_at >= now() - interval '12 hours'
    AND last_seen_at >= now() - interval '30 minutes'
RETURNING sid, user_id, authenticated_at, methods;

-- name: close_idp_session
-- End a session at the issuer, known by its cookie's hash or by its name in ID tokens, and what came of it.
SELECT idp_end_sessions(user_id, sid, NULL) FROM idp_session WHERE session_hash = %(session)s OR sid = %(sid)s;

-- name: end_idp_sessions
-- End a person's sessions at the issuer: the one with this sid, or (NULL) all but the one to keep. How many ended.
SELECT idp_end_sessions(%(user_id)s, %(sid)s, %(keep)s) AS ended;

-- name: idp_sessions
-- A person's live sessions at the issuer, the newest first.
SELECT sid, device, authenticated_at, last_seen_at, methods FROM idp_session
WHERE user_id = %(user_id)s AND authenticated_at >= now() - interval '12 hours'
    AND last_seen_at >= now() - interval '30 minutes'
ORDER BY authenticated_at DESC, sid;

-- name: take_logout_notices
-- Logout tokens to send now; each is due again later, in case nobody tells that it arrived. What is older than any session is dropped.
WITH over AS (
    DELETE FROM logout_notice WHERE created_at < now() - interval '12 hours'
)
UPDATE logout_notice AS notice
SET attempts = attempts + 1, due_at = now() + least(600, 5 * power(3, least(attempts, 10))) * interval '1 second'
FROM oauth_client AS client
WHERE client.client_id = notice.client_id AND client.backchannel_logout_uri IS NOT NULL AND notice_id IN (
    SELECT notice_id FROM logout_notice WHERE due_at <= now() AND created_at >= now() - interval '12 hours'
    ORDER BY due_at LIMIT 50 FOR UPDATE SKIP LOCKED
)
RETURNING notice_id, notice.client_id, subject, sid, backchannel_logout_uri AS uri;

-- name: drop_logout_notices
-- These have arrived, or were refused for good.
DELETE FROM logout_notice WHERE notice_id = ANY (%(notice_ids)s);

-- name: take_once
-- Whether this comes for the first time; it is remembered.
SELECT take_once(%(token)s, %(forget)s) AS is_new;

-- name: save_code
-- Keep an authorization code until it is redeemed; forgets those that nobody can need any more.
WITH old AS (
    DELETE FROM authorization_code WHERE code_hash IN (
        SELECT code_hash FROM authorization_code WHERE created_at < now() - interval '1 day'
        LIMIT 100 FOR UPDATE SKIP LOCKED
    )
)
INSERT INTO authorization_code
    (code_hash, client_id, user_id, family_id, redirect_uri, scope, nonce, code_challenge, sid, authenticated_at, methods)
VALUES (%(code)s, %(client_id)s, %(user_id)s, new_id(), %(redirect_uri)s, %(scope)s, %(nonce)s, %(code_challenge)s,
    %(sid)s, %(authenticated_at)s, %(methods)s);

-- name: redeem_code
-- Redeem a code of this client: once, within a minute.
UPDATE authorization_code SET redeemed_at = now()
WHERE code_hash = %(code)s AND client_id = %(client_id)s AND redeemed_at IS NULL
    AND created_at >= now() - interval '1 minute'
RETURNING user_id, family_id, redirect_uri, scope, nonce, code_challenge, sid, authenticated_at, methods;

-- name: family_of_redeemed_code
-- The family of tokens that came from a code somebody brings a second time.
SELECT family_id FROM authorization_code
WHERE code_hash = %(code)s AND client_id = %(client_id)s AND redeemed_at IS NOT NULL;

-- name: nonce_exists
-- Whether this client already used this nonce.
SELECT 1 FROM authorization_code WHERE client_id = %(client_id)s AND nonce = %(nonce)s LIMIT 1;

-- name: save_refresh_token
-- Keep a refresh token of a family; forgets families that are over.
WITH old AS (
    DELETE FROM refresh_token WHERE token_hash IN (
        SELECT token_hash FROM refresh_token WHERE authenticated_at < now() - interval '31 days'
        LIMIT 100 FOR UPDATE SKIP LOCKED
    )
)
INSERT INTO refresh_token (token_hash, family_id, client_id, user_id, scope, authenticated_at)
VALUES (%(token)s, %(family_id)s, %(client_id)s, %(user_id)s, %(scope)s, %(authenticated_at)s);

-- name: use_refresh_token
-- Use a refresh token of this client: once, within a week of its issue and 30 days of the sign-in.
UPDATE refresh_token SET used_at = now()
WHERE token_hash = %(token)s AND client_id = %(client_id)s AND used_at IS NULL
    AND created_at >= now() - interval '7 days' AND authenticated_at >= now() - interval '30 days'
RETURNING family_id, client_id, user_id, scope, authenticated_at, created_at;

-- name: family_of_refresh_token
-- The family of a refresh token of this client, used or not.
SELECT family_id FROM refresh_token WHERE token_hash = %(token)s AND client_id = %(client_id)s;

-- name: refresh_token
-- An unused refresh token of this client.
SELECT family_id, client_id, user_id, scope, authenticated_at, created_at FROM refresh_token
WHERE token_hash = %(token)s AND client_id = %(client_id)s AND used_at IS NULL
    AND created_at >= now() - interval '7 days' AND authenticated_at >= now() - interval '30 days';

-- name: revoke
-- Refuse access tokens with this id or of this family from now on, and use up the family's refresh tokens.
WITH family AS (
    UPDATE refresh_token SET used_at = now() WHERE family_id = %(family_id)s AND used_at IS NULL
), forgotten AS (
    DELETE FROM token_revocation WHERE forget_at < now()
)
INSERT INTO token_revocation (revoked_id, forget_at) VALUES (%(revoked_id)s, now() + interval '1 hour')
ON CONFLICT (revoked_id) DO UPDATE SET forget_at = excluded.forget_at;

-- name: is_revoked
-- Whether an access token is refused, by its id or family.
SELECT 1 FROM token_revocation WHERE revoked_id = ANY (%(ids)s) LIMIT 1;

-- name: is_cut_off
-- Whether an OAuth client is disabled, or its access tokens of this time are refused.
SELECT 1 FROM oauth_client
WHERE client_id = %(client_id)s AND (disabled_at IS NOT NULL OR tokens_from > to_timestamp(%(issued_at)s));

-- name: signing_keys
-- Every key whose signatures may still be about, the newest first; `signs` says which may sign now.
SELECT kid, algorithm, public_jwk, sealed_private_jwk, created_at, signs_from, retired_at,
    signs_from <= now() AND (retired_at IS NULL OR retired_at > now()) AS signs
FROM signing_key
WHERE withdrawn_at IS NULL AND (retired_at IS NULL OR retired_at >= now() - interval '13 hours')
ORDER BY signs_from DESC, kid;

-- name: save_signing_key
-- Keep the first signing key, unless another process just made one.
INSERT INTO signing_key (kid, algorithm, public_jwk, sealed_private_jwk)
SELECT %(kid)s, %(algorithm)s, %(public_jwk)s, %(sealed_private_jwk)s
WHERE NOT EXISTS (SELECT FROM signing_key WHERE retired_at IS NULL AND withdrawn_at IS NULL);

-- name: rotate_signing_keys
-- Keep a new key, which signs after so many seconds; until then the one before does, and no longer.
WITH retired AS (
    UPDATE signing_key SET retired_at = now() + %(after_seconds)s * interval '1 second'
    WHERE retired_at IS NULL AND withdrawn_at IS NULL
)
INSERT INTO signing_key (kid, algorithm, public_jwk, sealed_private_jwk, signs_from)
VALUES (%(kid)s, %(algorithm)s, %(public_jwk)s, %(sealed_private_jwk)s, now() + %(after_seconds)s * interval '1 second')
RETURNING signs_from;

-- name: withdraw_signing_key
-- Believe nothing more that this key signed; no row when there is no such key.
UPDATE signing_key SET withdrawn_at = now(), retired_at = least(coalesce(retired_at, now()), now())
WHERE kid = %(kid)s AND withdrawn_at IS NULL
RETURNING kid;

-- name: every_signing_key
-- Every key there was, the newest first.
SELECT kid, algorithm, created_at, signs_from, retired_at, withdrawn_at, CASE
        WHEN withdrawn_at IS NOT NULL THEN 'withdrawn'
        WHEN signs_from > now() THEN 'published'
        WHEN retired_at IS NULL OR retired_at > now() THEN 'signing'
        WHEN retired_at >= now() - interval '13 hours' THEN 'verifying'
        ELSE 'over'
    END AS state
FROM signing_key ORDER BY signs_from DESC, kid;

-- name: lock_signing_keys
-- One process at a time makes the first key.
SELECT pg_advisory_xact_lock(hashtext('cdp signing key'));

-- name: open_invite
-- An invite that can still be accepted, and the name of its account.
SELECT invite.email, invite.account_id, invite.role, invite.sites, account.name,
    EXISTS (SELECT FROM idp_user WHERE idp_user.email = invite.email) AS is_known
FROM invite JOIN account USING (account_id)
WHERE invite_hash = %(invite)s AND accepted_at IS NULL AND invite.created_at >= now() - interval '72 hours';

-- name: accept_invite
-- Use an invite up; no row when somebody was faster.
UPDATE invite SET accepted_at = now()
WHERE invite_hash = %(invite)s AND accepted_at IS NULL AND created_at >= now() - interval '72 hours'
RETURNING email, account_id, role, sites;

-- name: note
-- Append to the audit record.
INSERT INTO audit_record (event, outcome, actor, client_id, account_id, reason, details)
VALUES (%(event)s, %(outcome)s, %(actor)s, %(client_id)s, %(account_id)s, %(reason)s, %(details)s);

-- name: password_of
-- A person's password hash, e-mail and name.
SELECT password_hash, email, name FROM idp_user WHERE user_id = %(user_id)s AND disabled_at IS NULL;

-- name: save_reset
-- Keep the secret of a link to a new password, and no older one of the same person.
WITH older AS (
    DELETE FROM password_reset WHERE user_id = %(user_id)s OR created_at < now() - interval '1 hour'
)
INSERT INTO password_reset (reset_hash, user_id) VALUES (%(reset)s, %(user_id)s);

-- name: open_reset
-- Whose password a link is for, within an hour of its making.
SELECT person.user_id, person.email, person.name
FROM password_reset AS reset JOIN idp_user AS person USING (user_id)
WHERE reset_hash = %(reset)s AND reset.created_at >= now() - interval '1 hour' AND person.disabled_at IS NULL;

-- name: use_reset
-- Use a link up, and every other of the same person; no row when somebody was faster.
WITH used AS (
    DELETE FROM password_reset WHERE reset_hash = %(reset)s AND created_at >= now() - interval '1 hour' RETURNING user_id
)
SELECT user_id FROM used;

-- name: factors
-- A person's second factors: whether there is an authenticator, since when, and how many recovery codes are left.
SELECT authenticator.created_at AS authenticator_since,
    (SELECT count(*) FROM recovery_code AS code WHERE code.user_id = person.user_id AND code.used_at IS NULL) AS recovery_codes
FROM idp_user AS person LEFT JOIN authenticator USING (user_id) WHERE person.user_id = %(user_id)s;

-- name: passkeys
-- A person's passkeys, the oldest first.
SELECT credential_id, name, transports, created_at, last_used_at FROM passkey WHERE user_id = %(user_id)s
ORDER BY created_at, credential_id;

-- name: sealed_authenticator
-- The sealed secret of a person's authenticator.
SELECT sealed_secret FROM authenticator WHERE user_id = %(user_id)s;

-- name: save_authenticator
-- A person's authenticator, in place of the one before.
INSERT INTO authenticator (user_id, sealed_secret) VALUES (%(user_id)s, %(sealed_secret)s)
ON CONFLICT (user_id) DO UPDATE SET sealed_secret = excluded.sealed_secret, created_at = now();

-- name: drop_authenticator
-- A person's authenticator is no more.
DELETE FROM authenticator WHERE user_id = %(user_id)s RETURNING user_id;

-- name: save_recovery_codes
-- A person's recovery codes, in place of those before.
WITH before AS (
    DELETE FROM recovery_code WHERE user_id = %(user_id)s
)
INSERT INTO recovery_code (code_hash, user_id) SELECT code_hash, %(user_id)s FROM unnest(%(code_hashes)s::bytea[]) AS code_hash;

-- name: use_recovery_code
-- Use a recovery code up; no row when it is none of theirs, or used.
UPDATE recovery_code SET used_at = now()
WHERE code_hash = %(code_hash)s AND user_id = %(user_id)s AND used_at IS NULL
RETURNING (SELECT count(*) - 1 FROM recovery_code AS code WHERE code.user_id = %(user_id)s AND code.used_at IS NULL) AS remaining;

-- name: drop_idle_recovery_codes
-- Recovery codes of somebody without any second factor open nothing, and go.
DELETE FROM recovery_code WHERE user_id = %(user_id)s
    AND NOT EXISTS (SELECT FROM authenticator WHERE user_id = %(user_id)s)
    AND NOT EXISTS (SELECT FROM passkey WHERE user_id = %(user_id)s);

-- name: drop_factors
-- A person has no second factor any more; how many there were.
WITH passkeys AS (
    DELETE FROM passkey WHERE user_id = %(user_id)s RETURNING 1
), authenticators AS (
    DELETE FROM authenticator WHERE user_id = %(user_id)s RETURNING 1
), codes AS (
    DELETE FROM recovery_code WHERE user_id = %(user_id)s
)
SELECT (SELECT count(*) FROM passkeys) + (SELECT count(*) FROM authenticators) AS dropped;

-- name: save_passkey
-- A person's new passkey; no row when the authenticator's name for it is taken.
INSERT INTO passkey (credential_id, user_id, public_key, sign_count, name, transports)
VALUES (%(credential_id)s, %(user_id)s, %(public_key)s, %(sign_count)s, %(name)s, %(transports)s)
ON CONFLICT (credential_id) DO NOTHING RETURNING credential_id;

-- name: passkey
-- A passkey by the authenticator's name for it, and who signs in with it.
SELECT passkey.user_id, public_key, sign_count FROM passkey JOIN idp_user AS person USING (user_id)
WHERE credential_id = %(credential_id)s AND person.disabled_at IS NULL;

-- name: use_passkey
-- A passkey was used.
UPDATE passkey SET sign_count = %(sign_count)s, last_used_at = now() WHERE credential_id = %(credential_id)s;

-- name: drop_passkey
-- A person's passkey is no more; no row when it is none of theirs.
DELETE FROM passkey WHERE credential_id = %(credential_id)s AND user_id = %(user_id)s RETURNING name;
