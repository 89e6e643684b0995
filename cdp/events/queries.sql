-- name: put_messages
-- Acknowledged messages; one that is there already stays as it is. Those of one batch are received a microsecond apart, so
-- that messages without a time of their own keep the order in which they were told. What is new waits to be stitched.
WITH stored AS (
    INSERT INTO inbox (source_id, message_id, lane, body, received_at, sender, visitor, mailbox, introduces)
    SELECT
        %(source_id)s, message_id, lane, body::json, now() + (place - 1) * interval '1 microsecond',
        sender, visitor, mailbox, introduces
    FROM unnest(
        %(message_ids)s::text[], %(lanes)s::smallint[], %(bodies)s::text[], %(senders)s::int[], %(visitors)s::int[],
        %(mailboxes)s::int[], %(introduces)s::int[]
    ) WITH ORDINALITY AS told (message_id, lane, body, sender, visitor, mailbox, introduces, place)
    ON CONFLICT (source_id, message_id) DO NOTHING
    RETURNING lane, seq, source_id, message_id, received_at, sender, visitor, mailbox
)
INSERT INTO waiting_message (lane, seq, source_id, message_id, received_at, sender, visitor, mailbox) SELECT * FROM stored;

-- name: announce_messages
-- Wake the stitchers when this transaction commits.
SELECT pg_notify('inbox', '');

-- name: waiting_lanes
-- Of each lane its oldest waiting message, if any, and up to which transaction it is settled now: what the transactions before
-- left waiting is done, and they are over. What was done since is not looked at: rows that are gone stay in an index
-- until no snapshot may see them, for hours beside a dump.
SELECT (place - 1)::smallint AS lane, oldest.seq, least(oldest.transaction_id, running.oldest) AS settled
FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest) AS running
CROSS JOIN unnest(%(settled)s::bigint[]) WITH ORDINALITY AS known (settled, place)
LEFT JOIN LATERAL (
    SELECT waiting.transaction_id, waiting.seq
    FROM waiting_message AS waiting
    WHERE waiting.lane = (place - 1)::smallint AND waiting.transaction_id >= known.settled
    ORDER BY waiting.transaction_id, waiting.seq
    LIMIT 1
) AS oldest ON true
ORDER BY place;

-- name: hold_lanes
-- The first of these lanes that no other stitcher holds; held until the transaction ends.
SELECT lane
FROM (SELECT lane FROM unnest(%(lanes)s::smallint[]) WITH ORDINALITY AS waiting (lane, place) ORDER BY place OFFSET 0) AS waiting
WHERE pg_try_advisory_xact_lock(%(class_id)s, lane)
LIMIT %(most)s;

-- name: messages_to_stitch
-- The oldest waiting messages of each of these lanes, which the caller holds, from where they are settled on; they wait no
-- longer when this transaction commits.
WITH taken AS (
    DELETE FROM waiting_message WHERE ctid = ANY (ARRAY(
        SELECT oldest.place
        FROM unnest(%(lanes)s::smallint[], %(settled)s::bigint[]) AS held (lane, settled)
        CROSS JOIN LATERAL (
            SELECT ctid AS place
            FROM waiting_message
            WHERE lane = held.lane AND transaction_id >= held.settled
            ORDER BY transaction_id, seq
            LIMIT %(most_of_each)s
        ) AS oldest
    ))
    RETURNING source_id, message_id
)
SELECT source_id, message_id, seq, received_at, body::text FROM taken JOIN inbox USING (source_id, message_id);

-- name: waiting_about
-- Messages that wait and have one of these fingerprints, the oldest first, once for each kind of fingerprint; not locked.
SELECT source_id, message_id, inbox.seq, inbox.received_at, inbox.body::text
FROM (
    SELECT source_id, message_id, seq FROM waiting_message WHERE sender = ANY (%(names)s)
    UNION ALL
    SELECT source_id, message_id, seq FROM waiting_message WHERE visitor = ANY (%(names)s)
    UNION ALL
    SELECT source_id, message_id, seq FROM waiting_message WHERE mailbox = ANY (%(mailboxes)s)
    ORDER BY seq
    LIMIT %(most)s
) AS found
JOIN inbox USING (source_id, message_id)
ORDER BY inbox.seq;

-- name: anything_waits
-- Whether a message waits that has one of these fingerprints.
SELECT
    EXISTS (SELECT FROM waiting_message WHERE sender = ANY (%(names)s))
    OR EXISTS (SELECT FROM waiting_message WHERE visitor = ANY (%(names)s))
    OR EXISTS (SELECT FROM waiting_message WHERE mailbox = ANY (%(mailboxes)s));

-- name: introductions
-- What a visitor said of who they are, stitched or not, the latest first: their own messages, and nothing that follows from them.
SELECT source_id, message_id, seq, received_at, body::text
FROM inbox
WHERE introduces = %(fingerprint)s AND source_id = %(source_id)s AND body ->> 'anonymousId' = %(anonymous_id)s
ORDER BY seq DESC
LIMIT %(most)s;

-- name: hold_lanes_of
-- Hold the lanes of these messages until the transaction ends, one after the other in their order; waits for who holds them.
SELECT pg_advisory_xact_lock(%(class_id)s, lane)
FROM (
    SELECT DISTINCT lane
    FROM inbox JOIN unnest(%(source_ids)s::uuid[], %(message_ids)s::text[]) AS wanted (source_id, message_id)
        USING (source_id, message_id)
    ORDER BY lane
    OFFSET 0
) AS lanes;

-- name: take_these
-- Of these messages, whose lanes the caller holds, those that wait; they wait no longer when this transaction commits.
WITH taken AS (
    DELETE FROM waiting_message AS waiting
    USING unnest(%(source_ids)s::uuid[], %(message_ids)s::text[]) AS wanted (source_id, message_id)
    JOIN inbox USING (source_id, message_id)
    WHERE waiting.seq = inbox.seq
    RETURNING inbox.source_id, inbox.message_id, inbox.seq, inbox.received_at, inbox.body
)
SELECT source_id, message_id, seq, received_at, body::text FROM taken ORDER BY seq;

-- name: put_failures
-- Messages that could not be applied: stage, code and error; the error holds nothing of the message.
INSERT INTO failed_message AS held (source_id, message_id, stage, code, error)
SELECT * FROM unnest(
    %(source_ids)s::uuid[], %(message_ids)s::text[], %(stages)s::text[], %(codes)s::text[], %(errors)s::text[]
)
ON CONFLICT (source_id, message_id) DO UPDATE SET
    stage = excluded.stage, code = excluded.code, error = excluded.error,
    attempts = held.attempts + 1, failed_at = now();

-- name: forget_failures
-- Messages that failed once and are done now.
DELETE FROM failed_message AS held
USING unnest(%(source_ids)s::uuid[], %(message_ids)s::text[]) AS done (source_id, message_id)
WHERE held.source_id = done.source_id AND held.message_id = done.message_id;

-- name: any_failures
-- Whether there is any failed message at all.
SELECT EXISTS (SELECT FROM failed_message);

-- name: backlog
-- Messages waiting, at most a million counted, and when the oldest came.
SELECT count(*), min(received_at) FROM (SELECT received_at FROM waiting_message LIMIT 1000000) AS waiting;

-- name: interaction_keys
-- Interactions known under these keys of their sources.
SELECT source_id, external_id, record_id, customer_id, version
FROM unnest(%(source_ids)s::uuid[], %(external_ids)s::text[]) AS wanted (source_id, external_id)
JOIN interaction_key USING (source_id, external_id);

-- name: contacts_kept_by_key
-- Of these messages those that failed before and whose contact has a key of its own.
SELECT told.source_id, told.message_id
FROM unnest(%(source_ids)s::uuid[], %(message_ids)s::text[]) AS told (source_id, message_id)
JOIN failed_message USING (source_id, message_id)
JOIN interaction_key ON (interaction_key.source_id, interaction_key.external_id) = (told.source_id, told.message_id);

-- name: claim_interaction_keys
-- Keys of new interactions; known ones stay as they are.
INSERT INTO interaction_key (source_id, external_id, record_id, customer_id, version)
SELECT * FROM unnest(
    %(source_ids)s::uuid[], %(external_ids)s::text[], %(record_ids)s::uuid[], %(customer_ids)s::uuid[],
    %(versions)s::bigint[]
)
ON CONFLICT (source_id, external_id) DO NOTHING;

-- name: put_interaction_keys
-- New versions of known interactions.
INSERT INTO interaction_key (source_id, external_id, record_id, customer_id, version)
SELECT * FROM unnest(
    %(source_ids)s::uuid[], %(external_ids)s::text[], %(record_ids)s::uuid[], %(customer_ids)s::uuid[],
    %(versions)s::bigint[]
)
ON CONFLICT (source_id, external_id) DO UPDATE SET
    customer_id = excluded.customer_id, version = excluded.version, recorded_at = now();

-- name: delete_interactions
-- Interactions that a newer version replaces.
DELETE FROM interaction
USING unnest(%(customer_ids)s::uuid[], %(record_ids)s::uuid[]) AS gone (customer_id, interaction_id)
WHERE interaction.customer_id = gone.customer_id AND interaction.interaction_id = gone.interaction_id;

-- name: put_interactions
-- Contacts, each in one channel; one that is there already stays as it is.
INSERT INTO interaction (
    customer_id, interaction_id, profile_id, source_id, kind, direction, name, topic, product, channel, division, location,
    occurred_at, duration_seconds, properties, time_suspect
)
SELECT
    customer_id, interaction_id, profile_id, source_id, kind, direction, name, topic, product, channel, division, location,
    occurred_at, duration_seconds, properties::jsonb, time_suspect
FROM unnest(
    %(customer_ids)s::uuid[], %(interaction_ids)s::uuid[], %(profile_ids)s::uuid[], %(source_ids)s::uuid[],
    %(kinds)s::text[], %(directions)s::text[], %(names)s::text[], %(topics)s::text[], %(products)s::text[],
    %(channels)s::text[], %(divisions)s::text[], %(locations)s::text[], %(occurred_at)s::timestamptz[],
    %(durations)s::int[], %(properties)s::text[], %(suspects)s::boolean[]
) AS told (
    customer_id, interaction_id, profile_id, source_id, kind, direction, name, topic, product, channel, division, location,
    occurred_at, duration_seconds, properties, time_suspect
)
ON CONFLICT (customer_id, occurred_at, interaction_id) DO NOTHING;

-- name: rehome_interactions
-- Interactions follow the profile they came through.
WITH moved AS (
    DELETE FROM interaction AS held
    USING unnest(%(profile_ids)s::uuid[], %(old)s::uuid[], %(new)s::uuid[]) AS move (profile_id, old, new)
    -- The customers' contacts are gone through once, however many of their profiles move.
    WHERE held.customer_id = ANY (%(old)s) AND held.customer_id = move.old AND held.profile_id = move.profile_id
    RETURNING move.new, held.*
)
INSERT INTO interaction (
    customer_id, interaction_id, profile_id, source_id, kind, direction, name, topic, product, channel, division, location,
    occurred_at, duration_seconds, properties, time_suspect, recorded_at
)
SELECT
    new, interaction_id, profile_id, source_id, kind, direction, name, topic, product, channel, division, location,
    occurred_at, duration_seconds, properties, time_suspect, recorded_at
FROM moved
RETURNING interaction_id, customer_id;

-- name: rehome_interaction_keys
-- The look-up follows.
UPDATE interaction_key SET customer_id = moved.customer_id
FROM unnest(%(interaction_ids)s::uuid[], %(customer_ids)s::uuid[]) AS moved (interaction_id, customer_id)
WHERE interaction_key.record_id = moved.interaction_id AND interaction_key.customer_id = ANY (%(old)s);
