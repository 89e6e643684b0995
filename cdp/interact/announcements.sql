-- name: publish
-- Tell clients something on their home pages; no row where the account isn't there.
INSERT INTO announcement (title, body, tier, account_id, written_by, ends_on)
SELECT %(title)s, %(body)s, %(tier)s, %(account_id)s::uuid, %(written_by)s, %(ends_on)s
WHERE %(account_id)s::uuid IS NULL OR EXISTS (SELECT FROM account_key WHERE account_id = %(account_id)s)
RETURNING announcement_id;

-- name: withdraw
-- Tell it no more.
UPDATE announcement SET withdrawn_at = coalesce(withdrawn_at, now()) WHERE announcement_id = %(announcement_id)s
RETURNING announcement_id;

-- name: put_away
-- A member has read it, as far as it is for them.
INSERT INTO announcement_read (announcement_id, member_id)
SELECT announcement_id, %(member_id)s FROM announcement WHERE announcement_id = %(announcement_id)s
ON CONFLICT DO NOTHING;
