-- name: revision
-- The migration the database is at; no row before the first.
SELECT version_num FROM alembic_version;

-- name: signing_keys
-- How many keys may sign tokens now.
SELECT count(*) FROM signing_key WHERE retired_at IS NULL;

-- name: inbox
-- Acknowledged messages that wait, the age in seconds of the oldest (0 when none waits), and messages that failed.
SELECT
    (SELECT count(*) FROM waiting_message),
    (SELECT coalesce(extract(epoch FROM now() - min(received_at)), 0)::float8 FROM waiting_message),
    (SELECT count(*) FROM failed_message);

-- name: webhooks
-- How many seconds the most overdue delivery, or change that has none yet, has been waiting; and how many endpoints fail, or
-- were disabled because they did.
SELECT
    greatest(
        0,
        (
            SELECT extract(epoch FROM now() - min(overdue.next_attempt_at))
            FROM webhook_endpoint AS endpoint CROSS JOIN LATERAL (
                SELECT next_attempt_at FROM webhook_delivery
                WHERE endpoint_id = endpoint.endpoint_id AND state = 'pending' ORDER BY next_attempt_at, seq LIMIT 1
            ) AS overdue
            WHERE endpoint.state = 'enabled' AND (endpoint.resting_until IS NULL OR endpoint.resting_until < now())
        ),
        (
            SELECT extract(epoch FROM now() - change.changed_at)
            FROM change CROSS JOIN webhook_progress AS progress
            WHERE (change.transaction_id, change.seq) > (progress.transaction_id, progress.seq)
                AND change.transaction_id >= (SELECT min(from_transaction_id) FROM webhook_endpoint WHERE state = 'enabled')
            ORDER BY change.transaction_id, change.seq LIMIT 1
        )
    )::float8,
    (SELECT count(*) FROM webhook_endpoint WHERE failing_since IS NOT NULL OR disabled_reason IN ('failing', 'gone'));
