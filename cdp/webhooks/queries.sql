-- name: take_turn
-- How far the feed has been gone through, for whoever is first; no row while another worker is at it.
SELECT transaction_id, seq FROM webhook_progress FOR UPDATE SKIP LOCKED;

-- name: outlook
-- How many endpoints there are, the earliest transaction whose changes anybody enabled wants (NULL when nobody is), and
-- whether there is anything to replay.
SELECT count(*), min(from_transaction_id) FILTER (WHERE state = 'enabled'), EXISTS (SELECT FROM webhook_replay)
FROM webhook_endpoint;

-- name: make_deliveries
-- A delivery of each change for each enabled endpoint that wants its kind; and how far the feed has been gone through.
WITH made AS (
    INSERT INTO webhook_delivery (delivery_id, endpoint_id, seq, kind, occurred_at, body)
    SELECT md5(endpoint.endpoint_id || ':' || told.seq)::uuid, endpoint.endpoint_id, told.seq, told.kind, told.occurred_at,
        told.body
    FROM jsonb_to_recordset(%(changes)s::jsonb) AS told (
            transaction_id bigint, seq bigint, kind text, subject text, occurred_at timestamptz, body text
        ) JOIN webhook_endpoint AS endpoint ON endpoint.state = 'enabled'
            AND endpoint.from_transaction_id <= told.transaction_id
            AND (endpoint.kinds = '{}' OR endpoint.kinds && ARRAY[told.kind, told.subject || '.*'])
    ON CONFLICT (delivery_id) DO NOTHING
    RETURNING 1
), moved AS (
    UPDATE webhook_progress SET transaction_id = %(transaction_id)s, seq = %(seq)s
)
SELECT count(*) FROM made;

-- name: take_replay
-- The oldest replay that nobody else is at.
SELECT replay_id, endpoint_id, since, what, transaction_id, seq, until_transaction_id
FROM webhook_replay ORDER BY replay_id LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: make_again
-- Deliveries of changes for the one endpoint of a replay, as far as it wants their kind: those never made, and those that
-- died, or, of everything, that ended at all, as if never tried. Replays go on at a position, or end.
WITH again AS (
    INSERT INTO webhook_delivery AS delivery (delivery_id, endpoint_id, seq, kind, occurred_at, body)
    SELECT md5(endpoint.endpoint_id || ':' || told.seq)::uuid, endpoint.endpoint_id, told.seq, told.kind, told.occurred_at,
        told.body
    FROM jsonb_to_recordset(%(changes)s::jsonb) AS told (
            transaction_id bigint, seq bigint, kind text, subject text, occurred_at timestamptz, body text
        ) JOIN webhook_endpoint AS endpoint ON endpoint.endpoint_id = %(endpoint_id)s AND endpoint.state = 'enabled'
            AND (endpoint.kinds = '{}' OR endpoint.kinds && ARRAY[told.kind, told.subject || '.*'])
    WHERE told.occurred_at >= %(since)s
    ON CONFLICT (delivery_id) DO UPDATE
        SET state = 'pending', tries = 0, next_attempt_at = now(), claimed_at = NULL, ended_at = NULL
        WHERE delivery.state = 'dead' OR delivery.state = 'delivered' AND %(what)s = 'everything'
    RETURNING 1
), ended AS (
    DELETE FROM webhook_replay WHERE replay_id = %(replay_id)s AND %(is_last)s
), moved AS (
    UPDATE webhook_replay SET transaction_id = %(transaction_id)s, seq = %(seq)s
    WHERE replay_id = %(replay_id)s AND NOT %(is_last)s
)
SELECT count(*) FROM again;

-- name: claim_deliveries
-- Deliveries that are due, claimed until their lease runs out: of each endpoint so many at a time, one as long as it keeps
-- failing, none while it rests; tests in any case. With what sending them needs. A claim that ran out is noted as interrupted.
WITH due AS (
    SELECT found.*
    FROM webhook_endpoint AS endpoint CROSS JOIN LATERAL (
        SELECT delivery_id, attempts, claimed_at
        FROM webhook_delivery
        WHERE endpoint_id = endpoint.endpoint_id AND state = 'pending' AND next_attempt_at <= now()
        ORDER BY next_attempt_at, seq
        LIMIT greatest(
            0,
            CASE WHEN endpoint.failures >= %(rest_after_failures)s THEN 1 ELSE %(most_each)s END
                - coalesce((%(busy)s::jsonb ->> endpoint.endpoint_id::text)::integer, 0)
        )
        FOR UPDATE SKIP LOCKED
    ) AS found
    WHERE endpoint.state = 'enabled' AND (endpoint.resting_until IS NULL OR endpoint.resting_until <= now())
    LIMIT %(most)s
), tests AS (
    SELECT delivery_id, attempts, claimed_at
    FROM webhook_delivery
    WHERE state = 'pending' AND kind = 'webhook.test' AND next_attempt_at <= now()
    ORDER BY next_attempt_at LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
), chosen AS (
    SELECT * FROM due UNION SELECT * FROM tests
), interrupted AS (
    INSERT INTO webhook_attempt (delivery_id, attempt, attempted_at, outcome, problem)
    SELECT delivery_id, attempts, claimed_at, 'interrupted', 'Its worker ended before an answer was on record.'
    FROM chosen WHERE claimed_at IS NOT NULL
    ON CONFLICT DO NOTHING
), claimed AS (
    UPDATE webhook_delivery AS delivery
    SET attempts = delivery.attempts + 1, tries = tries + 1, claimed_at = now(),
        next_attempt_at = now() + make_interval(secs => %(lease_seconds)s)
    FROM chosen WHERE delivery.delivery_id = chosen.delivery_id
    RETURNING delivery.delivery_id, delivery.endpoint_id, delivery.seq, delivery.kind, delivery.body, delivery.attempts,
        delivery.tries
)
SELECT claimed.delivery_id, claimed.endpoint_id, claimed.kind, claimed.body, claimed.attempts, claimed.tries, endpoint.url,
    array(
        SELECT sealed FROM webhook_secret AS secret
        WHERE secret.endpoint_id = claimed.endpoint_id AND (expires_at IS NULL OR expires_at > now())
        ORDER BY created_at DESC
    )
FROM claimed JOIN webhook_endpoint AS endpoint USING (endpoint_id)
ORDER BY claimed.seq;

-- name: record_attempts
-- How attempts went, what becomes of their deliveries, and how their endpoints fare: one success ends a row of failures;
-- many in a row let it rest; an answer 410, or failing for too long, disables it. The endpoints that were disabled, and why.
WITH told AS (
    SELECT *
    FROM jsonb_to_recordset(%(attempts)s::jsonb) AS told (
        delivery_id uuid, endpoint_id uuid, attempt integer, attempted_at timestamptz, outcome text, status integer,
        milliseconds integer, excerpt text, problem text, state text, next_attempt_at timestamptz, is_test boolean
    )
), settled AS (
    UPDATE webhook_delivery AS delivery
    SET state = told.state, next_attempt_at = told.next_attempt_at, claimed_at = NULL, last_status = told.status,
        last_problem = told.problem, ended_at = CASE WHEN told.state <> 'pending' THEN now() END
    FROM told
    WHERE delivery.delivery_id = told.delivery_id AND delivery.attempts = told.attempt AND delivery.state = 'pending'
), noted AS (
    INSERT INTO webhook_attempt (delivery_id, attempt, attempted_at, outcome, status, milliseconds, excerpt, problem)
    SELECT delivery_id, attempt, attempted_at, outcome, status, milliseconds, excerpt, told.problem
    FROM told JOIN webhook_delivery USING (delivery_id)
    ON CONFLICT (delivery_id, attempt) DO UPDATE
        SET outcome = excluded.outcome, status = excluded.status, milliseconds = excluded.milliseconds,
            excerpt = excluded.excerpt, problem = excluded.problem
), fared AS (
    SELECT endpoint_id,
        max(attempted_at) FILTER (WHERE outcome = 'delivered') AS delivered_at,
        min(attempted_at) FILTER (WHERE outcome <> 'delivered' AND NOT is_test) AS failed_at,
        count(*) FILTER (WHERE outcome <> 'delivered' AND NOT is_test) AS failures,
        bool_or(status = 410 AND NOT is_test) AS is_gone
    FROM told GROUP BY endpoint_id
), judged AS (
    SELECT endpoint.endpoint_id, fared.delivered_at,
        CASE WHEN fared.delivered_at IS NULL THEN endpoint.failures + fared.failures ELSE 0 END AS failures,
        CASE WHEN fared.delivered_at IS NULL THEN coalesce(endpoint.failing_since, fared.failed_at) END AS failing_since,
        CASE
            WHEN endpoint.state = 'disabled' THEN endpoint.disabled_reason
            WHEN fared.is_gone THEN 'gone'
            WHEN fared.delivered_at IS NULL AND fared.failures > 0 AND coalesce(endpoint.failing_since, fared.failed_at)
                <= now() - make_interval(secs => %(disable_after_seconds)s) THEN 'failing'
        END AS disabled_reason
    FROM fared JOIN webhook_endpoint AS endpoint USING (endpoint_id)
), changed AS (
    UPDATE webhook_endpoint AS endpoint
    SET failures = judged.failures, failing_since = judged.failing_since,
        delivered_at = coalesce(judged.delivered_at, endpoint.delivered_at),
        resting_until = CASE WHEN judged.failures >= %(rest_after_failures)s THEN now() + make_interval(secs => least(
            %(longest_rest_seconds)s,
            %(rest_seconds)s * power(2, least(judged.failures - %(rest_after_failures)s, 20)) * %(luck)s
        )) END,
        state = CASE WHEN judged.disabled_reason IS NULL THEN 'enabled' ELSE 'disabled' END,
        disabled_reason = judged.disabled_reason,
        disabled_at = CASE WHEN judged.disabled_reason IS NOT NULL THEN coalesce(endpoint.disabled_at, now()) END
    FROM judged, webhook_endpoint AS before
    WHERE endpoint.endpoint_id = judged.endpoint_id AND before.endpoint_id = judged.endpoint_id
    RETURNING endpoint.endpoint_id, endpoint.disabled_reason, before.state AS state_before
)
SELECT endpoint_id, disabled_reason FROM changed WHERE disabled_reason IS NOT NULL AND state_before = 'enabled';

-- name: bury_deliveries
-- Deliveries that wait for an endpoint that is disabled are dead, at most so many at a time; how many.
WITH buried AS (
    UPDATE webhook_delivery SET state = 'dead', ended_at = now(), claimed_at = NULL, last_problem = 'The endpoint is disabled.'
    WHERE delivery_id = ANY (array(
        SELECT found.delivery_id
        FROM webhook_endpoint AS endpoint CROSS JOIN LATERAL (
            SELECT delivery_id FROM webhook_delivery
            WHERE endpoint_id = endpoint.endpoint_id AND state = 'pending' AND kind <> 'webhook.test'
                AND (claimed_at IS NULL OR next_attempt_at <= now())
            LIMIT %(most)s FOR UPDATE SKIP LOCKED
        ) AS found
        WHERE endpoint.state = 'disabled'
        LIMIT %(most)s
    ))
    RETURNING 1
)
SELECT count(*) FROM buried;

-- name: forget_deliveries
-- Deliveries that ended long ago, and those whose endpoint was deleted, go, with their attempts, at most so many; how many.
-- (The endpoints that deliveries name are found by leaps through an index, not by reading every delivery.)
WITH RECURSIVE named AS (
    (SELECT endpoint_id FROM webhook_delivery ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (
        SELECT delivery.endpoint_id FROM webhook_delivery AS delivery
        WHERE delivery.endpoint_id > named.endpoint_id ORDER BY delivery.endpoint_id LIMIT 1
    )
    FROM named WHERE named.endpoint_id IS NOT NULL
), old AS (
    SELECT delivery_id FROM webhook_delivery
    WHERE state <> 'pending' AND ended_at < now() - make_interval(days => %(kept_days)s)
    LIMIT %(most)s
), orphaned AS (
    SELECT found.delivery_id
    FROM named CROSS JOIN LATERAL (
        SELECT delivery_id FROM webhook_delivery WHERE endpoint_id = named.endpoint_id LIMIT %(most)s
    ) AS found
    WHERE named.endpoint_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM webhook_endpoint AS endpoint WHERE endpoint.endpoint_id = named.endpoint_id)
    LIMIT %(most)s
), gone AS (
    DELETE FROM webhook_delivery
    WHERE delivery_id = ANY (array(SELECT delivery_id FROM old UNION SELECT delivery_id FROM orphaned))
    RETURNING 1
)
SELECT count(*) FROM gone;

-- name: create_endpoint
-- A new endpoint, for changes from now on.
INSERT INTO webhook_endpoint (url, description, kinds, from_transaction_id, created_by)
VALUES (%(url)s, %(description)s, %(kinds)s, pg_snapshot_xmin(pg_current_snapshot())::text::bigint, %(actor)s)
RETURNING endpoint_id;

-- name: count_endpoints
-- How many endpoints there are.
SELECT count(*) FROM webhook_endpoint;

-- name: endpoint
-- An endpoint's state, locked for this transaction.
SELECT state FROM webhook_endpoint WHERE endpoint_id = %(endpoint_id)s FOR UPDATE;

-- name: update_endpoint
-- What is given takes the place of what was, NULL leaves it. Whoever is enabled begins anew, with changes from now on.
UPDATE webhook_endpoint
SET url = coalesce(%(url)s, url), description = coalesce(%(description)s, description),
    kinds = coalesce(%(kinds)s, kinds), changed_at = now()
WHERE endpoint_id = %(endpoint_id)s;

-- name: enable_endpoint
-- Enabled anew, with changes from now on; one that is enabled already stays as it is but for its rest, which is over.
UPDATE webhook_endpoint
SET from_transaction_id = CASE WHEN state = 'enabled' THEN from_transaction_id
        ELSE pg_snapshot_xmin(pg_current_snapshot())::text::bigint END,
    state = 'enabled', disabled_reason = NULL, disabled_at = NULL, failures = 0, failing_since = NULL, resting_until = NULL,
    changed_at = now()
WHERE endpoint_id = %(endpoint_id)s;

-- name: disable_endpoint
-- Disabled by request.
UPDATE webhook_endpoint
SET state = 'disabled', disabled_reason = 'by_request', disabled_at = now(), resting_until = NULL, changed_at = now()
WHERE endpoint_id = %(endpoint_id)s AND state = 'enabled';

-- name: delete_endpoint
-- An endpoint and its secrets; its deliveries are forgotten by and by.
DELETE FROM webhook_endpoint WHERE endpoint_id = %(endpoint_id)s RETURNING endpoint_id;

-- name: live_secrets
-- How many secrets of an endpoint sign.
SELECT count(*) FROM webhook_secret
WHERE endpoint_id = %(endpoint_id)s AND (expires_at IS NULL OR expires_at > now());

-- name: add_secret
-- A new secret; those before it sign for so many more hours at most, and those that no longer do are forgotten.
WITH forgotten AS (
    DELETE FROM webhook_secret WHERE endpoint_id = %(endpoint_id)s AND expires_at <= now()
), ending AS (
    UPDATE webhook_secret SET expires_at = now() + make_interval(hours => %(overlap_hours)s)
    WHERE endpoint_id = %(endpoint_id)s
        AND coalesce(expires_at, 'infinity') > now() + make_interval(hours => %(overlap_hours)s)
)
INSERT INTO webhook_secret (endpoint_id, sealed) VALUES (%(endpoint_id)s, %(sealed)s);

-- name: replay_delivery
-- One delivery as if never tried, unless it is on its way anyhow; its endpoint's state, no row when there is no such delivery.
WITH found AS (
    SELECT delivery_id, endpoint.state, endpoint.endpoint_id
    FROM webhook_delivery JOIN webhook_endpoint AS endpoint USING (endpoint_id)
    WHERE delivery_id = %(delivery_id)s
), again AS (
    UPDATE webhook_delivery AS delivery
    SET state = 'pending', tries = 0, next_attempt_at = now(), ended_at = NULL
    FROM found
    WHERE delivery.delivery_id = found.delivery_id AND found.state = 'enabled' AND delivery.claimed_at IS NULL
)
SELECT endpoint_id, state FROM found;

-- name: replay_dead
-- Deliveries of an endpoint that died since then, as if never tried; how many. Also those whose change is no longer kept.
WITH again AS (
    UPDATE webhook_delivery SET state = 'pending', tries = 0, next_attempt_at = now(), ended_at = NULL
    WHERE endpoint_id = %(endpoint_id)s AND state = 'dead' AND occurred_at >= %(since)s AND kind <> 'webhook.test'
    RETURNING 1
)
SELECT count(*) FROM again;

-- name: request_replay
-- Go through the feed again for one endpoint, from an instant up to now.
INSERT INTO webhook_replay (endpoint_id, since, what, transaction_id, seq, until_transaction_id)
VALUES (%(endpoint_id)s, %(since)s, %(what)s, %(transaction_id)s, 0, pg_snapshot_xmin(pg_current_snapshot())::text::bigint);

-- name: create_test
-- A delivery that tells of nothing, tried once.
INSERT INTO webhook_delivery (delivery_id, endpoint_id, seq, kind, occurred_at, body)
VALUES (%(delivery_id)s, %(endpoint_id)s, 0, 'webhook.test', %(now)s, %(body)s);

-- name: wake
-- Wake whoever delivers when this transaction commits.
SELECT pg_notify('change', '');

-- name: list_endpoints
-- Every endpoint, oldest first.
SELECT endpoint_id, url, description, kinds, state, disabled_reason, failing_since, delivered_at, created_at
FROM webhook_endpoint ORDER BY created_at, endpoint_id;

-- name: list_deliveries
-- Deliveries of an endpoint, latest first: in a state, or all.
SELECT delivery_id, kind, occurred_at, state, attempts, next_attempt_at, last_status, last_problem
FROM webhook_delivery
WHERE endpoint_id = %(endpoint_id)s AND (%(state)s::text IS NULL OR state = %(state)s)
ORDER BY occurred_at DESC, delivery_id DESC LIMIT %(most)s;

-- name: delivery
-- How one delivery stands.
SELECT state, last_status, last_problem FROM webhook_delivery WHERE delivery_id = %(delivery_id)s;
