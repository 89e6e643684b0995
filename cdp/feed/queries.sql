-- name: append_changes
-- Changes in the order given; listeners are woken when the transaction commits.
WITH appended AS (
    INSERT INTO change (kind, subject_id, customer_id, data)
    SELECT told ->> 0, (told ->> 1)::uuid, (told ->> 2)::uuid, told -> 3
    FROM jsonb_array_elements(%(changes)s::jsonb) WITH ORDINALITY AS given (told, position)
    ORDER BY position
)
SELECT pg_notify('change', '');

-- name: read_changes
-- The floor, below which nothing is kept, and beside it changes beyond a position, as far as they are final: a transaction
-- that is still running may yet commit a change with its lower number, so nothing is handed out from the oldest of them on.
-- One row of NULLs beside the floor where there is none.
SELECT floor.transaction_id, floor.seq, found.*
FROM change_floor AS floor LEFT JOIN LATERAL (
    SELECT transaction_id, seq, changed_at, kind, subject_id, customer_id, data::text
    FROM change
    WHERE (transaction_id, seq) > (%(transaction_id)s, %(seq)s)
        AND transaction_id < (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
    ORDER BY transaction_id, seq
    LIMIT %(most)s
) AS found ON true;

-- name: prune_changes
-- Forget the oldest changes, as far as they are older than so many days; how many were forgotten.
SELECT prune_changes(%(kept_days)s, %(most)s);

-- name: position_at
-- The position before the first change at or after an instant, or before what is yet to come.
SELECT coalesce(
    (SELECT min(transaction_id) FROM change WHERE changed_at >= %(since)s),
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint
);

-- name: feed_state
-- The oldest transaction still running, the next one to come, whether changes wait for an older one to end, and the floor.
-- Whether one waits is asked of the last change, at the end of the key: EXISTS would be planned as a walk through all of them.
SELECT oldest, next, coalesce((SELECT max(transaction_id) FROM change) >= oldest, false), floor.transaction_id, floor.seq
FROM change_floor AS floor, (
    SELECT pg_snapshot_xmin(snapshot)::text::bigint AS oldest, pg_snapshot_xmax(snapshot)::text::bigint AS next
    FROM pg_current_snapshot() AS snapshot
) AS now;
