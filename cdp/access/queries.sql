-- name: begin_login
-- Note a sign-in that a browser begins; forgets those that were never completed.
SELECT portal_begin_login(%(state)s, %(browser)s, %(return_to)s, %(max_age_seconds)s);

-- name: take_login
-- Where to return to and how old the sign-in may be, for a pending sign-in of this browser; no row when there is none. Good once.
SELECT return_to, max_age_seconds FROM portal_take_login(%(state)s, %(browser)s);

-- name: open_session
-- Open a session for a member in place of the one the browser had; NULL when there is no such member or no membership.
SELECT portal_open_session(
    %(replaced)s, %(opened)s, %(issuer)s, %(subject)s, %(issuer_session)s, %(id_token)s, %(authenticated_at)s, %(device)s
);

-- name: session_by_cookie
-- The live session with this cookie's hash, its member, and the accounts they may choose.
SELECT member_id, name, email, locale, time_zone, account_id, role, accounts, authenticated_at, sites
FROM portal_session(%(session)s);

-- name: sessions_by_cookie
-- All live sessions of the member whose live session this is, the newest first.
SELECT named, device, created_at, last_seen_at, account_number, is_current FROM portal_sessions(%(session)s);

-- name: end_sessions
-- End the named session of the member whose live session this is; without a name all of them. How many ended.
SELECT portal_end_sessions(%(session)s, %(named)s);

-- name: back_channel_logout
-- End what an issuer's logout token names; false when the token came before.
SELECT portal_back_channel_logout(%(issuer)s, %(subject)s, %(sid)s, %(token)s, %(forget)s);

-- name: switch_account
-- Move a live session to another account of its member, under a new cookie; false when it is not theirs.
SELECT portal_switch_account(%(session)s, %(renewed)s, %(number)s, %(id_token)s);

-- name: sealed_id_token
-- The sealed ID token of a session.
SELECT portal_sealed_id_token(%(session)s);

-- name: close_session
-- End a session.
SELECT portal_close_session(%(session)s);

-- name: note_refusal
-- Record a sign-in that was refused before anybody was known.
SELECT portal_note_refusal(%(reason)s);

-- name: save_member
-- A member by issuer and subject; e-mail and name are brought up to date.
INSERT INTO member (issuer, subject, email, name, locale)
VALUES (%(issuer)s, %(subject)s, %(email)s, %(name)s, %(locale)s)
ON CONFLICT (issuer, subject) DO UPDATE SET email = excluded.email, name = excluded.name
RETURNING member_id;

-- name: save_memberships
-- Let a member into accounts, by number; answers the numbers that exist. A limit to sites stays, where the role can have one.
WITH wanted AS (
    SELECT account_key.account_id, wanted.number, wanted.role
    FROM unnest(%(numbers)s::text[], %(roles)s::text[]) AS wanted (number, role) JOIN account_key USING (number)
), saved AS (
    INSERT INTO membership (account_id, member_id, role) SELECT account_id, %(member_id)s, role FROM wanted
    ON CONFLICT (account_id, member_id) DO UPDATE SET role = excluded.role,
        sites = CASE WHEN excluded.role IN ('buyer', 'viewer') THEN membership.sites END
)
SELECT number FROM wanted;

-- name: save_membership
-- Let a member into an account, limited to sites or (NULL) not, or change what they are there.
INSERT INTO membership (account_id, member_id, role, sites) VALUES (%(account_id)s, %(member_id)s, %(role)s, %(sites)s)
ON CONFLICT (account_id, member_id) DO UPDATE SET role = excluded.role, sites = excluded.sites;

-- name: account_by_number
-- The account with this number.
SELECT account_id FROM account_key WHERE number = %(number)s;

-- name: save_staff
-- A member of staff by e-mail; the other fields are brought up to date.
INSERT INTO staff (email, name, title, phone, issuer, subject)
VALUES (%(email)s, %(name)s, %(title)s, %(phone)s, %(issuer)s, %(subject)s)
ON CONFLICT (email) DO UPDATE SET name = excluded.name, title = excluded.title, phone = excluded.phone,
    issuer = coalesce(excluded.issuer, staff.issuer), subject = coalesce(excluded.subject, staff.subject)
RETURNING staff_id;

-- name: staff_by_subject
-- Whether this is somebody of our staff.
SELECT 1 FROM staff WHERE issuer = %(issuer)s AND subject = %(subject)s AND disabled_at IS NULL;

-- name: move_members
-- Members of an issuer are members of another: it is the same one at a new address.
UPDATE member SET issuer = %(issuer)s WHERE issuer = %(former)s;

-- name: move_staff
-- As `move_members`, for staff.
UPDATE staff SET issuer = %(issuer)s WHERE issuer = %(former)s;

-- name: save_invite
-- Keep an invite for an account.
INSERT INTO invite (invite_hash, email, account_id, role, invited_by, sites)
VALUES (%(invite)s, %(email)s, %(account_id)s, %(role)s, %(invited_by)s, %(sites)s);

-- name: withheld
-- What tokens that have not expired may not do: ids and families of access tokens, and OAuth clients, that are refused; OAuth
-- clients whose tokens are refused that were issued before an instant; those that may run trusted documents only.
SELECT revoked_id AS name, 'refused' AS what, NULL::float8 AS since FROM token_revocation WHERE forget_at >= now()
UNION ALL SELECT 'client ' || client_id, 'refused', NULL FROM oauth_client WHERE disabled_at IS NOT NULL
UNION ALL SELECT 'staff ' || issuer || ' ' || subject, 'refused', NULL FROM staff WHERE disabled_at IS NOT NULL
UNION ALL SELECT 'key ' || kid, 'refused', NULL FROM signing_key WHERE withdrawn_at IS NOT NULL
UNION ALL SELECT client_id, 'earlier', extract(epoch FROM tokens_from)::float8 FROM oauth_client
    WHERE tokens_from > now() - interval '1 day'
UNION ALL SELECT client_id, 'trusted_only', NULL FROM oauth_client WHERE trusted_only AND disabled_at IS NULL;

-- name: public_keys
-- Public keys whose tokens may still be about.
SELECT public_jwk FROM signing_key
WHERE withdrawn_at IS NULL AND (retired_at IS NULL OR retired_at >= now() - interval '13 hours');

-- name: audit
-- Append to the audit record: one row for each element of the arrays.
INSERT INTO audit_record (event, outcome, actor, client_id, account_id, target, reason, details)
SELECT event, CASE WHEN reason IS NULL THEN 'done' ELSE 'refused' END, actor, client_id, account_id, target, reason, details
FROM unnest(
    %(events)s::text[], %(actors)s::text[], %(client_ids)s::text[], %(account_ids)s::uuid[], %(targets)s::text[],
    %(reasons)s::text[], %(details)s::jsonb[]
) AS entry (event, actor, client_id, account_id, target, reason, details);

-- name: audit_settle
-- Record what was only counted of refusals that have stopped.
SELECT audit_settle();

-- name: audit_forget
-- Forget records from before; for the owner alone.
SELECT audit_forget(%(before)s);

-- name: allowance_take
-- Take from a key's allowance; 0, or the seconds to wait.
SELECT allowance_take(%(key)s, %(seconds)s, %(most)s);

-- name: allowance_spend
-- Tell what keys have spent; how many seconds each is ahead.
SELECT key_hash, ahead_seconds FROM allowance_spend(%(keys)s, %(seconds)s);

-- name: export
-- Whether the member of this session may take a file away, which is recorded; 0, or the seconds to wait.
SELECT portal_export(%(session)s, %(what)s, %(form)s, %(seconds)s, %(most)s);

-- name: unsubscribe
-- No more letters about a topic, for the member that a signed link names.
SELECT portal_unsubscribe(%(member_id)s, %(topic)s, %(wording)s);

-- name: open_view
-- Open a staff person's view by its link, once, under a session of its own; false when it is over.
SELECT portal_open_view(%(ticket)s, %(session)s);

-- name: view_by_cookie
-- The live view with this cookie's hash: whose, of what, why, since when.
SELECT view_id, account_id, role, number, name, staff_name, staff_email, reason, opened_at FROM portal_view(%(session)s);

-- name: end_view
-- End a view.
SELECT portal_end_view(%(session)s);
