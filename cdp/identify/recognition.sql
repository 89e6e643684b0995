-- name: recognise
-- Who one of the identifiers names, the strongest namespace first, shared values never; and what waits and may be about them.
-- One row always.
WITH asked AS (
    SELECT namespace, value, position
    FROM unnest(%(namespaces)s::text[], %(values)s::text[]) WITH ORDINALITY AS told (namespace, value, position)
), owner AS (
    SELECT identifier.customer_id
    FROM asked JOIN identifier USING (namespace, value)
    WHERE NOT identifier.shared
    ORDER BY array_position(%(order)s::text[], namespace) NULLS LAST, position
    LIMIT 1
)
SELECT
    customer.customer_id, customer.kind, customer.name, customer.email, customer.phone, customer.traits::text,
    customer.first_seen_at, customer.last_seen_at,
    EXISTS (SELECT FROM waiting_message WHERE sender = ANY (%(names)s::int[]))
    OR EXISTS (SELECT FROM waiting_message WHERE visitor = ANY (%(names)s::int[]))
    OR EXISTS (SELECT FROM waiting_message WHERE mailbox = ANY (%(mailboxes)s::int[])) AS more_waits
FROM (SELECT (SELECT customer_id FROM owner) AS customer_id) AS found
LEFT JOIN customer USING (customer_id);

-- name: told_of_user
-- What one source was told of one of its users under the user id: traits, each with its time and message, and messages that wait.
-- One row always; `profile_id` null where nothing is stitched.
SELECT
    known.profile_id, traits.names, traits.values, traits.stated_at, traits.message_ids,
    waiting.message_ids, waiting.seqs, waiting.received_at, waiting.bodies
FROM (SELECT) AS once
LEFT JOIN (
    SELECT profile_id, customer_id FROM profile_key
    WHERE source_id = %(source_id)s AND namespace = 'user_id' AND value = %(user_id)s
) AS known ON true
LEFT JOIN LATERAL (
    SELECT
        array_agg(trait) AS names, array_agg(value::text) AS values, array_agg(stated_at) AS stated_at,
        array_agg(message_id) AS message_ids
    FROM profile_trait
    WHERE customer_id = known.customer_id AND profile_id = known.profile_id AND trait = ANY (%(traits)s::text[])
) AS traits ON true
CROSS JOIN LATERAL (
    SELECT
        array_agg(message_id) AS message_ids, array_agg(seq) AS seqs, array_agg(received_at) AS received_at,
        array_agg(body::text) AS bodies
    FROM (
        SELECT message_id, inbox.seq, inbox.received_at, inbox.body
        FROM waiting_message AS waiting JOIN inbox USING (source_id, message_id)
        WHERE waiting.sender = %(fingerprint)s AND source_id = %(source_id)s
            AND inbox.body ->> 'userId' = %(user_id)s
            AND (inbox.body ->> 'type' = 'identify' OR inbox.body -> 'context' -> 'traits' IS NOT NULL)
        ORDER BY inbox.seq DESC
        LIMIT %(most)s
    ) AS latest
) AS waiting;
