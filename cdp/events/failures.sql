-- name: failures
-- Failed messages, the latest first, after a place in that order.
SELECT held.source_id, source.name, held.message_id, stage, code, error, attempts, failed_at, inbox.received_at
FROM failed_message AS held
JOIN source USING (source_id)
JOIN inbox USING (source_id, message_id)
WHERE (%(source)s::text IS NULL OR source.name = %(source)s)
    AND (%(stage)s::text IS NULL OR stage = %(stage)s)
    AND (%(code)s::text IS NULL OR code = %(code)s)
    AND (
        %(after_at)s::timestamptz IS NULL
        OR (failed_at, held.source_id, held.message_id) < (%(after_at)s, %(after_source)s::uuid, %(after_message)s::text)
    )
ORDER BY failed_at DESC, held.source_id DESC, held.message_id DESC
LIMIT %(most)s;

-- name: failure_counts
-- Failed messages, counted by source, stage and code, the most first.
SELECT source.name, stage, code, count(*), max(failed_at)
FROM failed_message JOIN source USING (source_id)
WHERE (%(source)s::text IS NULL OR source.name = %(source)s)
    AND (%(stage)s::text IS NULL OR stage = %(stage)s)
    AND (%(code)s::text IS NULL OR code = %(code)s)
    AND (%(message_id)s::text IS NULL OR message_id = %(message_id)s)
GROUP BY source.name, stage, code
ORDER BY count(*) DESC, source.name, stage, code;

-- name: failure
-- One failed message with what was sent.
SELECT
    held.source_id, source.name, held.message_id, stage, code, error, attempts, failed_at, inbox.received_at,
    inbox.body::text
FROM failed_message AS held
JOIN source USING (source_id)
JOIN inbox USING (source_id, message_id)
WHERE source.name = %(source)s AND held.message_id = %(message_id)s;

-- name: failures_to_replay
-- Keys of failed messages that fit, of those that failed before a moment, the oldest first.
SELECT held.source_id, held.message_id
FROM failed_message AS held JOIN source USING (source_id)
WHERE failed_at < %(before)s
    AND (%(source)s::text IS NULL OR source.name = %(source)s)
    AND (%(stage)s::text IS NULL OR stage = %(stage)s)
    AND (%(code)s::text IS NULL OR code = %(code)s)
    AND (%(message_id)s::text IS NULL OR held.message_id = %(message_id)s)
ORDER BY failed_at, held.source_id, held.message_id
LIMIT %(most)s;

-- name: replay_these
-- Those of these messages, whose lanes the caller holds, that failed wait again, unless they do already.
INSERT INTO waiting_message (lane, seq, source_id, message_id, received_at, sender, visitor, mailbox)
SELECT lane, seq, source_id, message_id, received_at, sender, visitor, mailbox
FROM unnest(%(source_ids)s::uuid[], %(message_ids)s::text[]) AS wanted (source_id, message_id)
JOIN failed_message USING (source_id, message_id)
JOIN inbox USING (source_id, message_id)
ON CONFLICT (seq) DO NOTHING;

-- name: states_of
-- How many of these messages are in each state.
SELECT
    CASE WHEN waiting.seq IS NOT NULL THEN 'pending' WHEN failed.source_id IS NOT NULL THEN 'failed' ELSE 'done' END AS state,
    count(*)
FROM unnest(%(source_ids)s::uuid[], %(message_ids)s::text[]) AS wanted (source_id, message_id)
JOIN inbox USING (source_id, message_id)
LEFT JOIN waiting_message AS waiting ON waiting.seq = inbox.seq
LEFT JOIN failed_message AS failed ON (failed.source_id, failed.message_id) = (inbox.source_id, inbox.message_id)
GROUP BY state;

-- name: clock
-- The database's time.
SELECT now();

-- name: announce_replay
-- Wake the stitchers when this transaction commits.
SELECT pg_notify('inbox', '');
