-- name: revision
-- The migration the database is at; no row before the first.
SELECT version_num FROM alembic_version;

-- name: signing_keys
-- How many keys may sign tokens now.
SELECT count(*) FROM signing_key WHERE retired_at IS NULL;

-- name: inbox
-- Acknowledged messages that wait, the age in seconds of the oldest (0 when none waits), and messages that failed.
SELECT
    (SELECT count(*) FROM inbox WHERE state = 'pending'),
    (SELECT coalesce(extract(epoch FROM now() - min(received_at)), 0)::float8 FROM inbox WHERE state = 'pending'),
    (SELECT count(*) FROM failed_message);
