-- name: owners_of_two
-- Whose two identifiers are, where each is somebody's.
SELECT one.customer_id, other.customer_id
FROM identifier AS one CROSS JOIN identifier AS other
WHERE (one.namespace, one.value) = (%(one_namespace)s, %(one_value)s)
    AND (other.namespace, other.value) = (%(other_namespace)s, %(other_value)s)
    AND NOT one.shared AND NOT other.shared;

-- name: statements_of
-- What sources say of a customer's profiles, as far as it counts, in canonical order.
SELECT
    claim.claim_id, claim.profile_id, profile.key_namespace, profile.key_value, source.name, claim.first_at,
    claim.first_message_id, said.namespaces, said.values
FROM profile
JOIN claim USING (profile_id)
JOIN source ON source.source_id = claim.source_id
CROSS JOIN LATERAL (
    SELECT array_agg(namespace) AS namespaces, array_agg(value) AS values
    FROM claim_identifier AS one
    WHERE one.claim_id = claim.claim_id AND namespace <> 'profile'
        AND NOT EXISTS (
            SELECT FROM refusal
            WHERE refusal.claim_id = one.claim_id AND refusal.namespace = one.namespace AND refusal.value = one.value
        )
) AS said
WHERE profile.customer_id = %(customer_id)s
ORDER BY claim.first_at, claim.source_id, claim.first_message_id COLLATE "C", claim.claim_id
LIMIT %(most)s;
