-- name: edges
-- Which claim speaks of which node, in which namespace, as numbers. Here and below in arrays, some two hundred of each: a row of
-- its own for each would take four times as long.
SELECT array_agg(one), array_agg(other), array_agg(third) FROM (
    SELECT hashtextextended(namespace || ':' || value, 0), uuid_hash_extended(claim_id, 0), hashtext(namespace)
    FROM claim_identifier
) AS read (one, other, third) GROUP BY one & 255;

-- name: stored_profiles
-- Whose each profile is; 1 for an organisation's, 2 for the one its customer began with.
SELECT array_agg(one), array_agg(other), array_agg(third) FROM (
    SELECT
        hashtextextended('profile:' || replace(profile_id::text, '-', ''), 0), uuid_hash_extended(customer_id, 0),
        (kind = 'organisation')::int + 2 * coalesce(founded_customer_id = customer_id, false)::int
    FROM profile
) AS read (one, other, third) GROUP BY one & 255;

-- name: stored_owners
-- Whose each identifier is; 1 for those that are nobody's.
SELECT array_agg(one), array_agg(other), array_agg(third) FROM (
    SELECT
        hashtextextended(namespace || ':' || value, 0), coalesce(uuid_hash_extended(customer_id, 0), 0), shared::int
    FROM identifier
) AS read (one, other, third) GROUP BY one & 255;

-- name: stored_shown
-- Which identifiers customers show.
SELECT array_agg(one), array_agg(other), array_agg(third) FROM (
    SELECT hashtextextended(namespace || ':' || value, 0), uuid_hash_extended(customer_id, 0), 0 FROM customer_identifier
) AS read (one, other, third) GROUP BY one & 255;

-- name: stored_customers
-- Customers; 1 for organisations, 2 for those in quarantine.
SELECT array_agg(one), array_agg(other), array_agg(third) FROM (
    SELECT
        uuid_hash_extended(customer_id, 0), 0::bigint,
        (kind = 'organisation')::int + 2 * (quarantined_at IS NOT NULL)::int
    FROM customer
) AS read (one, other, third) GROUP BY one & 255;

-- name: namespaces
-- Namespaces that claims speak in, by number.
WITH RECURSIVE each (namespace) AS (
    (SELECT namespace FROM claim_identifier ORDER BY namespace LIMIT 1)
    UNION ALL
    SELECT (SELECT namespace FROM claim_identifier WHERE namespace > each.namespace ORDER BY namespace LIMIT 1)
    FROM each WHERE each.namespace IS NOT NULL
)
SELECT hashtext(namespace), namespace FROM each WHERE namespace IS NOT NULL;

-- name: decided_nodes
-- What people and aliases have decided about.
SELECT hashtextextended(namespace || ':' || value, 0) FROM (
    SELECT one_namespace AS namespace, one_value AS value FROM decision WHERE withdrawn_at IS NULL
    UNION
    SELECT other_namespace, other_value FROM decision WHERE withdrawn_at IS NULL
) AS node;

-- name: full
-- Nodes that have enough claims.
SELECT hashtextextended(namespace || ':' || value, 0) FROM full_node;

-- name: refused_claims
-- Claims of which something is refused.
SELECT DISTINCT uuid_hash_extended(claim_id, 0) FROM refusal;

-- name: claims_of_people
-- Of these claims (by number) source and profile, where the profile's key isn't a device's.
SELECT uuid_hash_extended(claim_id, 0), claim.source_id, profile_id
FROM claim JOIN profile USING (profile_id)
WHERE uuid_hash_extended(claim_id, 0) = ANY (%(claims)s::bigint[]) AND NOT key_namespace = ANY (%(devices)s::text[]);

-- name: verdicts
-- What people decided of single values, the latest last.
SELECT kind, hashtextextended(one_namespace || ':' || one_value, 0)
FROM decision WHERE withdrawn_at IS NULL AND kind IN ('block', 'shared', 'unshared')
ORDER BY decided_at, decision_id;

-- name: values_said
-- All values that claims speak of, with their number.
SELECT DISTINCT hashtextextended(namespace || ':' || value, 0), namespace, value FROM claim_identifier
WHERE namespace <> 'profile';

-- name: profiles_numbered
-- The profiles of these numbers.
SELECT profile_id FROM profile
WHERE hashtextextended('profile:' || replace(profile_id::text, '-', ''), 0) = ANY (%(numbers)s::bigint[])
ORDER BY profile_id;

-- name: owners_numbered
-- The owned, shared or shown identifiers of these numbers.
SELECT namespace, value FROM identifier WHERE hashtextextended(namespace || ':' || value, 0) = ANY (%(numbers)s::bigint[])
UNION
SELECT namespace, value FROM customer_identifier
WHERE hashtextextended(namespace || ':' || value, 0) = ANY (%(numbers)s::bigint[]);

-- name: homeless
-- Customers of profiles that have no row of their own.
SELECT DISTINCT customer_id FROM profile WHERE NOT EXISTS (SELECT FROM customer WHERE customer.customer_id = profile.customer_id);

-- name: house
-- Give customers of profiles the row they lack.
INSERT INTO customer (customer_id, kind, first_seen_at, last_seen_at)
SELECT customer_id, min(kind), min(first_seen_at), max(last_seen_at) FROM profile
WHERE customer_id = ANY (%(customer_ids)s::uuid[]) GROUP BY customer_id
ON CONFLICT (customer_id) DO NOTHING;

-- name: empty
-- Customers without a profile.
SELECT customer_id FROM customer WHERE NOT EXISTS (SELECT FROM profile WHERE profile.customer_id = customer.customer_id);

-- name: delete_empty
-- Take customers without a profile away, if they still have none.
DELETE FROM customer WHERE customer_id = ANY (%(customer_ids)s::uuid[])
    AND NOT EXISTS (SELECT FROM profile WHERE profile.customer_id = customer.customer_id);

-- name: wrong_keys
-- Profiles that their key doesn't lead to.
SELECT profile.profile_id FROM profile
LEFT JOIN profile_key AS led ON led.source_id = profile.source_id AND led.namespace = profile.key_namespace
    AND led.value = profile.key_value
WHERE (led.profile_id, led.customer_id) IS DISTINCT FROM (profile.profile_id, profile.customer_id);

-- name: mend_keys
-- Let keys lead to these profiles.
INSERT INTO profile_key (source_id, namespace, value, profile_id, customer_id)
SELECT source_id, key_namespace, key_value, profile_id, customer_id FROM profile
WHERE profile_id = ANY (%(profile_ids)s::uuid[])
ON CONFLICT (source_id, namespace, value) DO UPDATE SET
    profile_id = excluded.profile_id, customer_id = excluded.customer_id;

-- name: unshow
-- These identifiers point at nobody, and nobody shows them.
WITH gone AS (
    SELECT * FROM unnest(%(namespaces)s::text[], %(values)s::text[]) AS gone (namespace, value)
), disowned AS (
    DELETE FROM identifier USING gone
    WHERE identifier.namespace = gone.namespace AND identifier.value = gone.value
)
DELETE FROM customer_identifier USING gone
WHERE customer_identifier.namespace = gone.namespace AND customer_identifier.value = gone.value;

-- name: customers_after
-- Customers, so many after one.
SELECT customer_id FROM customer WHERE customer_id > %(after)s ORDER BY customer_id LIMIT %(most)s;
