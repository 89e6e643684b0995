-- name: review
-- A line of the queue, held until the transaction ends.
SELECT
    review_id, kind, state, namespace, value, one_customer_id, other_customer_id, weight, explanation, found_at,
    assigned_staff_id, decided_at, decided_by, reason, merge_id
FROM review WHERE review_id = %(review_id)s FOR UPDATE;

-- name: reviews
-- The queue: longest waiting first, from after a place on.
SELECT
    review_id, kind, state, namespace, value, one_customer_id, other_customer_id, weight, explanation, found_at,
    assigned_staff_id, decided_at, decided_by, reason, merge_id
FROM review
WHERE state = ANY (%(states)s::text[]) AND kind = ANY (%(kinds)s::text[])
    AND (%(assigned_staff_id)s::uuid IS NULL OR assigned_staff_id = %(assigned_staff_id)s)
    AND (%(after)s::uuid IS NULL OR (found_at, review_id) > (
        SELECT found_at, review_id FROM review WHERE review_id = %(after)s
    ))
ORDER BY found_at, review_id LIMIT %(most)s;

-- name: counts
-- How many wait, by kind.
SELECT kind, count(*) FROM review WHERE state = 'open' GROUP BY kind;

-- name: decide
-- What somebody decided of a line; of a pair also where it is listed for another reason.
UPDATE review AS held SET
    state = %(state)s, decided_at = clock_timestamp(), decided_by = %(actor)s, reason = %(reason)s,
    merge_id = coalesce(%(merge_id)s::uuid, held.merge_id)
FROM review AS asked
WHERE asked.review_id = %(review_id)s AND (held.review_id = asked.review_id OR (
    held.state = 'open' AND held.kind IN ('refusal', 'match') AND asked.kind IN ('refusal', 'match')
    AND (held.one_customer_id, held.other_customer_id) = (asked.one_customer_id, asked.other_customer_id)
));

-- name: assign
-- Who looks at it.
UPDATE review SET assigned_staff_id = %(staff_id)s WHERE review_id = %(review_id)s;

-- name: relist
-- A line that claims had taken away while it was being decided.
INSERT INTO review (
    review_id, kind, state, namespace, value, one_customer_id, other_customer_id, weight, explanation, found_at,
    assigned_staff_id
) VALUES (
    %(review_id)s, %(kind)s, 'open', %(namespace)s, %(value)s, %(one)s, %(other)s, %(weight)s, %(explanation)s,
    %(found_at)s, %(assigned_staff_id)s
)
ON CONFLICT (review_id) DO NOTHING;

-- name: staff_by_email
-- Somebody of the staff, by e-mail address.
SELECT staff_id FROM staff WHERE lower(email) = lower(%(email)s);

-- name: names
-- What customers are called by now, by any id they ever had, and staff.
SELECT asked.customer_id, customer.name
FROM unnest(%(customer_ids)s::uuid[]) AS asked (customer_id)
LEFT JOIN customer_redirect AS moved ON moved.customer_id = asked.customer_id
JOIN customer ON customer.customer_id = coalesce(moved.target_customer_id, asked.customer_id)
WHERE customer.name IS NOT NULL
UNION ALL
SELECT staff_id, email FROM staff WHERE staff_id = ANY (%(staff_ids)s::uuid[]);
