-- name: now
-- The time of a decision: taken under the lock, so that of two the later is the one made later.
SELECT clock_timestamp();

-- name: living
-- The customers that these ids mean today, each with the profile it began with.
SELECT asked.customer_id, customer.customer_id, customer.kind, founder.profile_id
FROM unnest(%(customer_ids)s::uuid[]) AS asked (customer_id)
LEFT JOIN customer_redirect AS moved ON moved.customer_id = asked.customer_id
JOIN customer ON customer.customer_id = coalesce(moved.target_customer_id, asked.customer_id)
JOIN profile AS founder
    ON founder.customer_id = customer.customer_id AND founder.founded_customer_id = customer.customer_id;

-- name: founders
-- The profiles with which these customers began, of those that are one customer now.
SELECT founded_customer_id, profile_id FROM profile
WHERE customer_id = %(customer_id)s AND founded_customer_id = ANY (%(founded)s::uuid[]);

-- name: merge
-- A line of the merge ledger.
SELECT merge_id, kind, customer_id, other_customer_ids[1], profile_ids FROM customer_merge WHERE merge_id = %(merge_id)s;

-- name: merge_of_request
-- The merge that a request with this decision's id has made already.
SELECT merge.merge_id, merge.kind, merge.customer_id, merge.other_customer_ids[1], merge.profile_ids
FROM decision JOIN customer_merge AS merge USING (merge_id)
WHERE decision.decision_id = %(decision_id)s;

-- name: joined_since
-- Profiles that came to a customer after a merge: by later ones, or from customers that they left.
SELECT unnest(profile_ids) FROM customer_merge
WHERE merge_id > %(merge_id)s AND (
    customer_id = %(customer_id)s AND kind = 'merge'
    OR other_customer_ids @> ARRAY[%(customer_id)s::uuid] AND kind = 'split'
);

-- name: tie_decisions
-- These decisions were made for this merge.
UPDATE decision SET merge_id = %(merge_id)s WHERE decision_id = ANY (%(decision_ids)s::uuid[]);

-- name: decisions_for
-- The decisions that were made for this merge.
SELECT decision_id FROM decision WHERE merge_id = %(merge_id)s;

-- name: belongings
-- What goes along with a customer: accounts, orders, interactions.
SELECT
    (SELECT count(*) FROM account WHERE customer_id = %(customer_id)s),
    (SELECT count(*) FROM sales_order WHERE customer_id = %(customer_id)s),
    (SELECT count(*) FROM interaction WHERE customer_id = %(customer_id)s);

-- name: conflicting_traits
-- Traits of which two customers' golden values differ.
SELECT coalesce(array_agg(mine.key ORDER BY mine.key COLLATE "C"), '{}')
FROM customer AS one
CROSS JOIN customer AS other
CROSS JOIN LATERAL jsonb_each(one.traits) AS mine
JOIN LATERAL jsonb_each(other.traits) AS theirs ON theirs.key = mine.key AND theirs.value <> mine.value
WHERE one.customer_id = %(one)s AND other.customer_id = %(other)s;

-- name: is_made
-- This decision, if it was ever made.
SELECT kind, one_namespace, one_value, other_namespace, other_value FROM decision WHERE decision_id = %(decision_id)s;

-- name: was_made
-- Whether this decision was ever made.
SELECT 1 FROM decision WHERE decision_id = %(decision_id)s;

-- name: claimants
-- How many profiles claim this value.
SELECT count(DISTINCT claim.profile_id)
FROM claim_identifier AS said JOIN claim USING (claim_id)
WHERE said.namespace = %(namespace)s AND said.value = %(value)s;

-- name: tie_withdrawn
-- These decisions were withdrawn for this merge.
UPDATE decision SET withdrawn_merge_id = %(merge_id)s WHERE decision_id = ANY (%(decision_ids)s::uuid[]);
