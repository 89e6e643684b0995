-- name: begin_login
-- Note a sign-in that a browser begins; forgets those that were never completed.
SELECT portal_begin_login(%(state)s, %(browser)s, %(return_to)s);

-- name: take_login
-- Where to return to, for a pending sign-in of this browser; NULL when there is none. Good once.
SELECT portal_take_login(%(state)s, %(browser)s);

-- name: open_session
-- Open a session for a member in place of the one the browser had; NULL when there is no such member or no membership.
SELECT portal_open_session(
    %(replaced)s, %(opened)s, %(issuer)s, %(subject)s, %(issuer_session)s, %(id_token)s, %(authenticated_at)s
);

-- name: session_by_cookie
-- The live session with this cookie's hash, its member, and the accounts they may choose.
SELECT member_id, name, email, locale, time_zone, account_id, role, accounts FROM portal_session(%(session)s);

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
