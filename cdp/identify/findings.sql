-- name: open_reviews
-- List findings that were never listed; of a match that is still open, what was found last counts. What was decided stays so.
INSERT INTO review AS held (
    review_id, kind, namespace, value, one_customer_id, other_customer_id, weight, explanation
)
SELECT review_id, kind, namespace, value, one_customer_id, other_customer_id, weight, explanation
FROM json_to_recordset(%(findings)s) AS found (
    review_id uuid, kind text, namespace text, value text, one_customer_id uuid, other_customer_id uuid,
    weight double precision, explanation jsonb
)
ON CONFLICT (review_id) DO UPDATE SET weight = excluded.weight, explanation = excluded.explanation
WHERE held.state = 'open' AND (held.weight, held.explanation) IS DISTINCT FROM (excluded.weight, excluded.explanation)
RETURNING held.xmax = 0;

-- name: close_vanished
-- Take from the list what claims had shown of these customers and show no longer.
DELETE FROM review
WHERE state = 'open' AND kind IN ('refusal', 'quarantine') AND one_customer_id = ANY (%(customer_ids)s::uuid[])
    AND review_id <> ALL (%(review_ids)s::uuid[]);

-- name: close_merged
-- Take from the list the matches of which these were one, and which are one customer by now.
DELETE FROM review
WHERE state = 'open' AND kind = 'match'
    AND (one_customer_id = ANY (%(customer_ids)s::uuid[]) OR other_customer_id = ANY (%(customer_ids)s::uuid[]))
    AND coalesce(
        (SELECT target_customer_id FROM customer_redirect WHERE customer_id = one_customer_id), one_customer_id
    ) = coalesce(
        (SELECT target_customer_id FROM customer_redirect WHERE customer_id = other_customer_id), other_customer_id
    );
