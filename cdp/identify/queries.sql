-- name: sources
-- Which of these sources outrank others, and which region reads their national phone numbers.
SELECT source_id, verified, default_region FROM source WHERE source_id = ANY (%(source_ids)s);

-- name: profile_keys
-- The profiles known under these keys, and whose they are. Looked up in the order of the index, as all of a batch that is seen
-- again: what stands side by side there is found side by side, and among millions that is a sixth of the time.
SELECT source_id, namespace, value, profile_id, customer_id
FROM (
    SELECT * FROM unnest(%(source_ids)s::uuid[], %(namespaces)s::text[], %(values)s::text[]) AS wanted (source_id, namespace, value)
    ORDER BY namespace, value
) AS wanted
JOIN profile_key USING (source_id, namespace, value);

-- name: generation
-- How often profiles have moved.
SELECT generation FROM identity_generation;

-- name: next_generation
-- Profiles move.
UPDATE identity_generation SET generation = generation + 1;

-- name: claim_times
-- First and last time of claims already told.
SELECT claim_id, first_at, first_message_id, last_at FROM claim WHERE claim_id = ANY (%(claim_ids)s);

-- name: put_claims
-- New claims.
INSERT INTO claim (claim_id, source_id, profile_id, first_at, first_message_id, last_at)
SELECT * FROM unnest(
    %(claim_ids)s::uuid[], %(source_ids)s::uuid[], %(profile_ids)s::uuid[],
    %(first_at)s::timestamptz[], %(first_message_ids)s::text[], %(last_at)s::timestamptz[]
);

-- name: see_claims
-- New times of known claims, which may have become earlier or later already.
UPDATE claim SET
    first_at = least(claim.first_at, seen.first_at),
    first_message_id = CASE
        WHEN (seen.first_at, seen.first_message_id COLLATE "C") < (claim.first_at, claim.first_message_id COLLATE "C")
        THEN seen.first_message_id ELSE claim.first_message_id
    END,
    last_at = greatest(claim.last_at, seen.last_at)
FROM (
    SELECT * FROM unnest(
        %(claim_ids)s::uuid[], %(first_at)s::timestamptz[], %(first_message_ids)s::text[], %(last_at)s::timestamptz[]
    ) AS seen (claim_id, first_at, first_message_id, last_at)
    ORDER BY claim_id
) AS seen
WHERE claim.claim_id = seen.claim_id;

-- name: put_claim_identifiers
-- What new claims say, their profile's own node included.
INSERT INTO claim_identifier (namespace, value, claim_id, value_given)
SELECT * FROM unnest(%(namespaces)s::text[], %(values)s::text[], %(claim_ids)s::uuid[], %(given)s::text[])
ON CONFLICT (namespace, value, claim_id) DO NOTHING;

-- name: heard_of
-- Which of these values any claim, decision or owner knows; each is looked up for itself, by index.
SELECT DISTINCT namespace, value
FROM unnest(%(namespaces)s::text[], %(values)s::text[]) AS wanted (namespace, value)
CROSS JOIN LATERAL (
    (
        SELECT FROM claim_identifier AS held
        WHERE held.namespace = wanted.namespace AND held.value = wanted.value LIMIT 1
    )
    UNION ALL
    (SELECT FROM identifier AS held WHERE held.namespace = wanted.namespace AND held.value = wanted.value LIMIT 1)
    UNION ALL
    (SELECT FROM decision WHERE one_namespace = wanted.namespace AND one_value = wanted.value LIMIT 1)
    UNION ALL
    (SELECT FROM decision WHERE other_namespace = wanted.namespace AND other_value = wanted.value LIMIT 1)
    UNION ALL
    (SELECT FROM full_node AS held WHERE held.namespace = wanted.namespace AND held.value = wanted.value LIMIT 1)
) AS found;

-- name: put_decisions
-- Decisions not yet on record; one told again counts from its earliest time, and stays withdrawn if it was.
INSERT INTO decision AS held (
    decision_id, kind, one_namespace, one_value, other_namespace, other_value, rule, actor, reason, decided_at, most
)
SELECT * FROM unnest(
    %(decision_ids)s::uuid[], %(kinds)s::text[], %(one_namespaces)s::text[], %(one_values)s::text[],
    %(other_namespaces)s::text[], %(other_values)s::text[], %(rules)s::text[], %(actors)s::text[], %(reasons)s::text[],
    %(decided_at)s::timestamptz[], %(most)s::integer[]
)
ON CONFLICT (decision_id) DO UPDATE SET decided_at = least(held.decided_at, excluded.decided_at)
WHERE excluded.decided_at < held.decided_at
RETURNING decision_id;

-- name: withdraw_decisions
-- Decisions that no longer count.
UPDATE decision SET withdrawn_at = clock_timestamp()
WHERE decision_id = ANY (%(decision_ids)s::uuid[]) AND withdrawn_at IS NULL;

-- name: reinstate_decisions
-- Decisions that count again.
UPDATE decision SET withdrawn_at = NULL, withdrawn_merge_id = NULL WHERE decision_id = ANY (%(decision_ids)s::uuid[]);

-- name: free_values
-- Values that may point at somebody again.
DELETE FROM identifier
USING unnest(%(namespaces)s::text[], %(values)s::text[]) AS freed (namespace, value)
WHERE (identifier.namespace, identifier.value) = (freed.namespace, freed.value) AND shared;

-- name: make_staff_source
-- The source of what people of the company say of who is who.
INSERT INTO source (name, channel, identifier_namespace, verified) VALUES ('staff', 'crm', 'staff_id', true)
ON CONFLICT (name) DO NOTHING;

-- name: staff_source
-- Its id.
SELECT source_id FROM source WHERE name = 'staff';

-- name: put_events
-- Lines of customers' histories.
INSERT INTO identity_event (customer_id, kind, other_customer_ids, identifiers, actor, reason)
SELECT
    customer_id, kind, ARRAY(SELECT jsonb_array_elements_text(others)::uuid), identifiers, actor, reason
FROM unnest(
    %(customer_ids)s::uuid[], %(kinds)s::text[], %(others)s::jsonb[], %(identifiers)s::jsonb[], %(actors)s::text[],
    %(reasons)s::text[]
) AS event (customer_id, kind, others, identifiers, actor, reason);

-- name: component
-- All claims connected with the seeds through unshared values, profiles and decisions, with what they say. Shared values
-- connect nothing, and so what they would have tied together stays small.
WITH RECURSIVE reached (namespace, value) AS (
    SELECT seed.namespace, seed.value
    FROM unnest(%(namespaces)s::text[], %(values)s::text[]) AS seed (namespace, value)
    WHERE NOT EXISTS (
        SELECT FROM identifier AS known
        WHERE known.namespace = seed.namespace AND known.value = seed.value AND known.shared
    )
    UNION
    SELECT step.namespace, step.value
    FROM reached
    CROSS JOIN LATERAL (
        SELECT beside.namespace, beside.value
        FROM claim_identifier AS here
        JOIN claim_identifier AS beside USING (claim_id)
        WHERE here.namespace = reached.namespace AND here.value = reached.value
        UNION ALL
        SELECT other_namespace, other_value FROM decision
        WHERE one_namespace = reached.namespace AND one_value = reached.value AND withdrawn_at IS NULL
        UNION ALL
        SELECT one_namespace, one_value FROM decision
        WHERE other_namespace = reached.namespace AND other_value = reached.value AND withdrawn_at IS NULL
    ) AS step
    WHERE NOT EXISTS (
        SELECT FROM identifier AS known
        WHERE known.namespace = step.namespace AND known.value = step.value AND known.shared
    )
), connected AS (
    SELECT DISTINCT claim_id FROM reached JOIN claim_identifier USING (namespace, value)
)
SELECT
    claim_id, claim.profile_id, claim.source_id, claim.first_at, claim.first_message_id, claim.last_at,
    said.namespaces, said.values, said.given, said.is_set_aside
FROM connected
JOIN claim USING (claim_id)
CROSS JOIN LATERAL (
    SELECT
        array_agg(namespace) FILTER (WHERE namespace <> 'profile') AS namespaces,
        array_agg(value) FILTER (WHERE namespace <> 'profile') AS values,
        array_agg(value_given) FILTER (WHERE namespace <> 'profile') AS given,
        NOT bool_or(namespace = 'profile') AS is_set_aside
    FROM claim_identifier AS one
    WHERE one.claim_id = connected.claim_id
) AS said;

-- name: full_nodes
-- Which of these nodes have enough claims, and the last that counts of each.
SELECT namespace, value, last_at, last_source_id, last_message_id, last_claim_id
FROM unnest(%(namespaces)s::text[], %(values)s::text[]) AS wanted (namespace, value)
JOIN full_node USING (namespace, value);

-- name: put_full_nodes
-- Nodes that have enough claims.
INSERT INTO full_node (namespace, value, last_at, last_source_id, last_message_id, last_claim_id)
SELECT * FROM unnest(
    %(namespaces)s::text[], %(values)s::text[], %(at)s::timestamptz[], %(source_ids)s::uuid[], %(message_ids)s::text[],
    %(claim_ids)s::uuid[]
)
ON CONFLICT (namespace, value) DO UPDATE SET
    last_at = excluded.last_at, last_source_id = excluded.last_source_id, last_message_id = excluded.last_message_id,
    last_claim_id = excluded.last_claim_id;

-- name: put_set_aside
-- What new claims say of nodes that have enough: kept, and not read again.
INSERT INTO claim_set_aside (namespace, value, claim_id, value_given)
SELECT * FROM unnest(%(namespaces)s::text[], %(values)s::text[], %(claim_ids)s::uuid[], %(given)s::text[])
ON CONFLICT (namespace, value, claim_id) DO NOTHING;

-- name: set_aside
-- What claims say that no longer counts.
WITH gone AS (
    DELETE FROM claim_identifier AS held
    USING unnest(%(namespaces)s::text[], %(values)s::text[], %(claim_ids)s::uuid[]) AS late (namespace, value, claim_id)
    WHERE held.namespace = late.namespace AND held.value = late.value AND held.claim_id = late.claim_id
    RETURNING held.*
)
INSERT INTO claim_set_aside (namespace, value, claim_id, value_given)
SELECT namespace, value, claim_id, value_given FROM gone
ON CONFLICT (namespace, value, claim_id) DO NOTHING;

-- name: take_back
-- What claims say that counts again.
WITH back AS (
    DELETE FROM claim_set_aside AS held
    USING unnest(%(namespaces)s::text[], %(values)s::text[], %(claim_ids)s::uuid[]) AS early (namespace, value, claim_id)
    WHERE held.namespace = early.namespace AND held.value = early.value AND held.claim_id = early.claim_id
    RETURNING held.*
)
INSERT INTO claim_identifier (namespace, value, claim_id, value_given)
SELECT namespace, value, claim_id, value_given FROM back
ON CONFLICT (namespace, value, claim_id) DO NOTHING;

-- name: quarantine
-- Customers into which nothing merges, since when and why; these customers, where nothing is said, are not.
UPDATE customer SET quarantined_at = told.at, quarantine = told.why
FROM unnest(%(customer_ids)s::uuid[], %(at)s::timestamptz[], %(why)s::text[]) AS told (customer_id, at, why)
WHERE customer.customer_id = told.customer_id
    AND (customer.quarantined_at, customer.quarantine) IS DISTINCT FROM (told.at, told.why)
RETURNING customer.customer_id;

-- name: quarantined
-- Those of these customers that are in quarantine.
SELECT customer_id, quarantined_at, quarantine FROM customer
WHERE customer_id = ANY (%(customer_ids)s::uuid[]) AND quarantined_at IS NOT NULL;

-- name: profiles_of
-- The profiles of a customer.
SELECT profile_id FROM profile WHERE customer_id = %(customer_id)s;

-- name: early_set_aside
-- What was set aside about these nodes, and would count if so many claims did about each.
WITH node AS (
    SELECT * FROM unnest(%(namespaces)s::text[], %(values)s::text[]) AS node (namespace, value)
), said AS (
    SELECT namespace, value, claim_id, true AS is_aside FROM node JOIN claim_set_aside USING (namespace, value)
    UNION ALL
    SELECT namespace, value, claim_id, false FROM node JOIN claim_identifier USING (namespace, value)
), ranked AS (
    SELECT
        namespace, value, claim_id, is_aside,
        row_number() OVER (
            PARTITION BY namespace, value ORDER BY first_at, source_id, first_message_id COLLATE "C", claim_id
        ) AS place
    FROM said JOIN claim USING (claim_id)
)
SELECT namespace, value, claim_id FROM ranked WHERE is_aside AND place <= %(most)s;

-- name: delete_full_nodes
-- Nodes that may have more claims.
DELETE FROM full_node
USING unnest(%(namespaces)s::text[], %(values)s::text[]) AS node (namespace, value)
WHERE full_node.namespace = node.namespace AND full_node.value = node.value;

-- name: rules_in_force
-- The rules that were set last.
SELECT rules::text FROM identity_rules ORDER BY rules_id DESC LIMIT 1;

-- name: put_rules
-- Rules that are in force from now on.
INSERT INTO identity_rules (rules, actor) VALUES (%(rules)s, %(actor)s);

-- name: sources_named
-- The sources of these names.
SELECT name, source_id FROM source WHERE name = ANY (%(names)s::text[]);

-- name: delete_trait_ranks
-- No source outranks another by name.
DELETE FROM trait_rank;

-- name: put_trait_ranks
-- Which sources outrank others, of which traits.
INSERT INTO trait_rank (trait, source_id, rank)
SELECT * FROM unnest(%(traits)s::text[], %(source_ids)s::uuid[], %(ranks)s::integer[]);

-- name: decisions_about
-- Decisions in force about any of these nodes.
SELECT decision_id, kind, one_namespace, one_value, other_namespace, other_value, rule, decided_at, actor, reason, most
FROM unnest(%(namespaces)s::text[], %(values)s::text[]) AS node (namespace, value)
JOIN decision ON (one_namespace, one_value) = (node.namespace, node.value)
WHERE withdrawn_at IS NULL
UNION
SELECT decision_id, kind, one_namespace, one_value, other_namespace, other_value, rule, decided_at, actor, reason, most
FROM unnest(%(namespaces)s::text[], %(values)s::text[]) AS node (namespace, value)
JOIN decision ON (other_namespace, other_value) = (node.namespace, node.value)
WHERE withdrawn_at IS NULL;

-- name: decisions_withdrawn_for
-- Decisions that were withdrawn for this merge, and are not in force.
SELECT decision_id, kind, one_namespace, one_value, other_namespace, other_value, rule, decided_at, actor, reason, most
FROM decision WHERE withdrawn_merge_id = %(merge_id)s AND withdrawn_at IS NOT NULL;

-- name: profiles
-- Profiles as stored, wherever they are.
SELECT profile_id, customer_id, source_id, kind, key_namespace, key_value, founded_customer_id
FROM profile WHERE profile_id = ANY (%(profile_ids)s);

-- name: owners
-- Who owns these identifiers now; no customer when shared.
SELECT namespace, value, customer_id, shared
FROM unnest(%(namespaces)s::text[], %(values)s::text[]) AS wanted (namespace, value)
JOIN identifier USING (namespace, value);

-- name: put_owners
-- Give identifiers their owner, or mark them shared.
INSERT INTO identifier (namespace, value, customer_id, shared)
SELECT namespace, value, customer_id, customer_id IS NULL
FROM unnest(%(namespaces)s::text[], %(values)s::text[], %(customer_ids)s::uuid[]) AS given (namespace, value, customer_id)
ON CONFLICT (namespace, value) DO UPDATE SET customer_id = excluded.customer_id, shared = excluded.shared;

-- name: delete_owners
-- Identifiers that no claim may attach any more.
DELETE FROM identifier
USING unnest(%(namespaces)s::text[], %(values)s::text[]) AS gone (namespace, value)
WHERE (identifier.namespace, identifier.value) = (gone.namespace, gone.value);

-- name: customer_identifiers
-- Identifiers as their customers show them.
SELECT customer_id, namespace, value, value_given, source_id, verified, first_seen_at, last_seen_at
FROM customer_identifier WHERE customer_id = ANY (%(customer_ids)s);

-- name: delete_customer_identifiers
-- Take identifiers from their customers.
DELETE FROM customer_identifier AS held
USING unnest(%(customer_ids)s::uuid[], %(namespaces)s::text[], %(values)s::text[]) AS gone (customer_id, namespace, value)
WHERE held.customer_id = gone.customer_id AND held.namespace = gone.namespace AND held.value = gone.value;

-- name: put_customer_identifiers
-- Show identifiers at their customers.
INSERT INTO customer_identifier (
    customer_id, namespace, value, value_given, source_id, verified, first_seen_at, last_seen_at
)
SELECT * FROM unnest(
    %(customer_ids)s::uuid[], %(namespaces)s::text[], %(values)s::text[], %(given)s::text[],
    %(source_ids)s::uuid[], %(verified)s::boolean[], %(first_seen_at)s::timestamptz[], %(last_seen_at)s::timestamptz[]
)
ON CONFLICT (customer_id, namespace, value) DO UPDATE SET
    value_given = excluded.value_given, source_id = excluded.source_id, verified = excluded.verified,
    first_seen_at = excluded.first_seen_at, last_seen_at = excluded.last_seen_at;

-- name: see_identifiers
-- Identifiers their customer already has were seen again.
UPDATE customer_identifier AS held SET last_seen_at = seen.at
FROM (
    SELECT * FROM unnest(%(customer_ids)s::uuid[], %(namespaces)s::text[], %(values)s::text[], %(at)s::timestamptz[])
        AS seen (customer_id, namespace, value, at)
    ORDER BY customer_id
) AS seen
WHERE held.customer_id = seen.customer_id AND held.namespace = seen.namespace AND held.value = seen.value
    AND held.last_seen_at < seen.at;

-- name: put_customers
-- New or revived customers; `describe_customers` fills in what they are like.
INSERT INTO customer (customer_id, kind, first_seen_at, last_seen_at)
SELECT customer_id, kind, at, at
FROM unnest(%(customer_ids)s::uuid[], %(kinds)s::text[], %(at)s::timestamptz[]) AS new (customer_id, kind, at);

-- name: delete_customers
-- Customers that live on in another.
DELETE FROM customer WHERE customer_id = ANY (%(customer_ids)s);

-- name: redirects
-- Where these ids lead.
SELECT customer_id, target_customer_id FROM customer_redirect WHERE customer_id = ANY (%(customer_ids)s);

-- name: put_redirects
-- Lead ids of merged customers to where these live now, in one step.
INSERT INTO customer_redirect (customer_id, target_customer_id, merge_id)
SELECT * FROM unnest(%(customer_ids)s::uuid[], %(targets)s::uuid[], %(merge_ids)s::uuid[])
ON CONFLICT (customer_id) DO UPDATE SET target_customer_id = excluded.target_customer_id, redirected_at = now();

-- name: delete_redirects
-- Ids that are customers again.
DELETE FROM customer_redirect WHERE customer_id = ANY (%(customer_ids)s);

-- name: put_merges
-- The merge ledger: which customers, which profiles, by which rule and claim.
INSERT INTO customer_merge (
    customer_id, merge_id, kind, other_customer_ids, profile_ids, identifiers, rule, claim_id, actor, reason
)
SELECT
    customer_id, merge_id, kind, ARRAY[other_customer_id],
    ARRAY(SELECT jsonb_array_elements_text(profile_ids)::uuid), identifiers, rule, claim_id, actor, reason
FROM unnest(
    %(customer_ids)s::uuid[], %(merge_ids)s::uuid[], %(kinds)s::text[], %(others)s::uuid[],
    %(profile_ids)s::jsonb[], %(rules)s::text[], %(claim_ids)s::uuid[], %(actors)s::text[], %(reasons)s::text[],
    %(identifiers)s::jsonb[]
) AS record (customer_id, merge_id, kind, other_customer_id, profile_ids, rule, claim_id, actor, reason, identifiers);

-- name: put_profiles
-- New profiles.
INSERT INTO profile (
    customer_id, profile_id, source_id, kind, key_namespace, key_value, founded_customer_id, first_seen_at, last_seen_at
)
SELECT * FROM unnest(
    %(customer_ids)s::uuid[], %(profile_ids)s::uuid[], %(source_ids)s::uuid[], %(kinds)s::text[],
    %(namespaces)s::text[], %(values)s::text[], %(founded)s::uuid[],
    %(first_seen_at)s::timestamptz[], %(last_seen_at)s::timestamptz[]
);

-- name: put_profile_keys
-- The look-up from a source's key to its new profile.
INSERT INTO profile_key (source_id, namespace, value, profile_id, customer_id)
SELECT * FROM unnest(
    %(source_ids)s::uuid[], %(namespaces)s::text[], %(values)s::text[], %(profile_ids)s::uuid[], %(customer_ids)s::uuid[]
);

-- name: see_profiles
-- Profiles were seen again.
UPDATE profile SET
    first_seen_at = least(profile.first_seen_at, seen.first_at), last_seen_at = greatest(profile.last_seen_at, seen.last_at)
FROM (
    SELECT * FROM unnest(
        %(customer_ids)s::uuid[], %(profile_ids)s::uuid[], %(first_at)s::timestamptz[], %(last_at)s::timestamptz[]
    ) AS seen (customer_id, profile_id, first_at, last_at)
    ORDER BY customer_id
) AS seen
WHERE profile.customer_id = seen.customer_id AND profile.profile_id = seen.profile_id
    AND (profile.first_seen_at > seen.first_at OR profile.last_seen_at < seen.last_at);

-- name: mark_organisations
-- Profiles that turn out to be organisations'.
UPDATE profile SET kind = 'organisation' WHERE profile_id = ANY (%(profile_ids)s) AND kind <> 'organisation'
RETURNING profile_id;

-- name: set_founded
-- Profiles that turn out to have begun as customers of their own.
UPDATE profile SET founded_customer_id = founder.founded_customer_id
FROM unnest(%(customer_ids)s::uuid[], %(profile_ids)s::uuid[], %(founded)s::uuid[])
    AS founder (customer_id, profile_id, founded_customer_id)
WHERE profile.customer_id = founder.customer_id AND profile.profile_id = founder.profile_id;

-- name: move_profiles
-- Profiles go to other customers.
WITH moved AS (
    DELETE FROM profile
    USING unnest(%(profile_ids)s::uuid[], %(old)s::uuid[], %(new)s::uuid[]) AS move (profile_id, old, new)
    WHERE profile.customer_id = move.old AND profile.profile_id = move.profile_id
    RETURNING move.new, profile.*
)
INSERT INTO profile (
    customer_id, profile_id, source_id, kind, key_namespace, key_value, founded_customer_id, first_seen_at, last_seen_at
)
SELECT new, profile_id, source_id, kind, key_namespace, key_value, founded_customer_id, first_seen_at, last_seen_at
FROM moved;

-- name: move_profile_traits
-- What profiles say goes with them.
WITH moved AS (
    DELETE FROM profile_trait AS held
    USING unnest(%(profile_ids)s::uuid[], %(old)s::uuid[], %(new)s::uuid[]) AS move (profile_id, old, new)
    WHERE held.customer_id = move.old AND held.profile_id = move.profile_id
    RETURNING move.new, held.*
)
INSERT INTO profile_trait (customer_id, profile_id, trait, value, stated_at, message_id)
SELECT new, profile_id, trait, value, stated_at, message_id FROM moved;

-- name: move_profile_keys
-- The look-up follows.
UPDATE profile_key SET customer_id = move.new
FROM unnest(%(profile_ids)s::uuid[], %(old)s::uuid[], %(new)s::uuid[]) AS move (profile_id, old, new)
WHERE profile_key.profile_id = move.profile_id;

-- name: move_affiliations
-- Affiliations follow the organisation's profile.
WITH moved AS (
    DELETE FROM affiliation AS held
    USING unnest(%(profile_ids)s::uuid[], %(old)s::uuid[], %(new)s::uuid[]) AS move (profile_id, old, new)
    WHERE held.customer_id = move.old AND held.organisation_profile_id = move.profile_id
    RETURNING move.new, held.*
)
INSERT INTO affiliation (
    customer_id, organisation_profile_id, person_profile_id, person_customer_id, role, since_at, stated_at
)
SELECT new, organisation_profile_id, person_profile_id, person_customer_id, role, since_at, stated_at FROM moved;

-- name: move_affiliated
-- Affiliations name the customer that the person's profile is now of.
UPDATE affiliation SET person_customer_id = move.new
FROM unnest(%(profile_ids)s::uuid[], %(old)s::uuid[], %(new)s::uuid[]) AS move (profile_id, old, new)
WHERE affiliation.person_customer_id = move.old AND affiliation.person_profile_id = move.profile_id;

-- name: put_affiliations
-- Persons belong to organisations; the role told last counts.
INSERT INTO affiliation AS held (
    customer_id, organisation_profile_id, person_profile_id, person_customer_id, role, since_at, stated_at
)
SELECT * FROM unnest(
    %(customer_ids)s::uuid[], %(organisations)s::uuid[], %(persons)s::uuid[], %(person_customer_ids)s::uuid[],
    %(roles)s::text[], %(since_at)s::timestamptz[], %(stated_at)s::timestamptz[]
)
ON CONFLICT (customer_id, organisation_profile_id, person_profile_id) DO UPDATE SET
    role = CASE
        WHEN excluded.role IS NULL THEN held.role
        WHEN held.role IS NULL OR excluded.stated_at > held.stated_at THEN excluded.role
        WHEN excluded.stated_at = held.stated_at THEN greatest(held.role, excluded.role)
        ELSE held.role
    END,
    since_at = least(held.since_at, excluded.since_at),
    stated_at = greatest(held.stated_at, excluded.stated_at);

-- name: put_traits
-- What profiles say of themselves, newest by event time, then message.
INSERT INTO profile_trait AS held (customer_id, profile_id, trait, value, stated_at, message_id)
SELECT * FROM unnest(
    %(customer_ids)s::uuid[], %(profile_ids)s::uuid[], %(traits)s::text[], %(values)s::jsonb[],
    %(stated_at)s::timestamptz[], %(message_ids)s::text[]
) AS told (customer_id, profile_id, trait, value, stated_at, message_id)
ORDER BY customer_id, profile_id
ON CONFLICT (customer_id, profile_id, trait) DO UPDATE SET
    value = excluded.value, stated_at = excluded.stated_at, message_id = excluded.message_id
WHERE (excluded.stated_at, excluded.message_id COLLATE "C") > (held.stated_at, held.message_id COLLATE "C");

-- name: told_anew
-- Customers whose golden traits are not what was told of them; an unset one is null.
SELECT DISTINCT customer_id
FROM unnest(%(customer_ids)s::uuid[], %(traits)s::text[], %(values)s::jsonb[]) AS told (customer_id, trait, value)
JOIN customer USING (customer_id)
WHERE coalesce(customer.traits -> told.trait, 'null') <> told.value;

-- name: refusals
-- What was refused of these claims.
SELECT claim_id, namespace, value, reason FROM refusal WHERE claim_id = ANY (%(claim_ids)s);

-- name: delete_refusals
-- Refusals that no longer hold.
DELETE FROM refusal
USING unnest(%(claim_ids)s::uuid[], %(namespaces)s::text[], %(values)s::text[]) AS gone (claim_id, namespace, value)
WHERE refusal.claim_id = gone.claim_id AND refusal.namespace = gone.namespace AND refusal.value = gone.value;

-- name: put_refusals
-- Identifiers that claims could not attach, and why.
INSERT INTO refusal (claim_id, namespace, value, reason)
SELECT * FROM unnest(%(claim_ids)s::uuid[], %(namespaces)s::text[], %(values)s::text[], %(reasons)s::text[])
ON CONFLICT (claim_id, namespace, value) DO UPDATE SET reason = excluded.reason, refused_at = now();

-- name: see_customers
-- Customers were seen again, and nothing else about them changed.
UPDATE customer SET last_seen_at = seen.at
FROM (
    SELECT * FROM unnest(%(customer_ids)s::uuid[], %(at)s::timestamptz[]) AS seen (customer_id, at) ORDER BY customer_id
) AS seen
WHERE customer.customer_id = seen.customer_id AND customer.last_seen_at < seen.at;

-- name: describe_customers
-- Golden values from the profiles: per trait those of sources ranked for it, then a verified source's before others', then the
-- newest by event time, source and message (rule 7; `golden_traits` of the graph tells the same); an explicit null unsets.
-- Name, e-mail and phone come from the traits, else from the identifiers. Each customer is described for itself, by index:
-- joined all at once, a planner that takes the tables for small compares every customer with every other.
-- Returns the customers of which more changed than when they were seen.
UPDATE customer SET
    kind = described.kind, first_seen_at = described.first_seen_at, last_seen_at = described.last_seen_at,
    traits = described.traits, name = described.name, email = described.email, phone = described.phone
FROM customer AS before
CROSS JOIN LATERAL (
    SELECT min(first_seen_at) AS first_seen_at, max(last_seen_at) AS last_seen_at, min(kind) AS kind
    FROM profile WHERE profile.customer_id = before.customer_id
) AS seen
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_object_agg(trait, value) FILTER (WHERE jsonb_typeof(value) <> 'null'), '{}') AS traits
    FROM (
        SELECT DISTINCT ON (trait) trait, value
        FROM profile_trait
        JOIN profile USING (customer_id, profile_id)
        JOIN source USING (source_id)
        LEFT JOIN trait_rank USING (trait, source_id)
        WHERE profile_trait.customer_id = before.customer_id
        ORDER BY trait, trait_rank.rank, source.verified DESC, stated_at DESC, source_id DESC, message_id COLLATE "C" DESC
    ) AS said
) AS golden
CROSS JOIN LATERAL (
    SELECT
        (array_agg(value ORDER BY first_seen_at DESC, value COLLATE "C") FILTER (WHERE namespace = 'email'))[1] AS email,
        (array_agg(value ORDER BY first_seen_at DESC, value COLLATE "C") FILTER (WHERE namespace = 'phone'))[1] AS phone
    FROM customer_identifier
    WHERE customer_identifier.customer_id = before.customer_id AND namespace IN ('email', 'phone')
) AS reached
CROSS JOIN LATERAL (
    SELECT
        seen.kind, seen.first_seen_at, seen.last_seen_at, golden.traits,
        left(coalesce(
            golden.traits ->> 'name',
            nullif(concat_ws(
                ' ',
                coalesce(golden.traits ->> 'firstName', golden.traits ->> 'first_name'),
                coalesce(golden.traits ->> 'lastName', golden.traits ->> 'last_name')
            ), '')
        ), 500) AS name,
        left(coalesce(golden.traits ->> 'email', reached.email), 500) AS email,
        left(coalesce(golden.traits ->> 'phone', reached.phone), 500) AS phone
) AS described
WHERE customer.customer_id = before.customer_id
    AND before.customer_id = ANY (%(customer_ids)s)
    AND described.kind IS NOT NULL
    AND (customer.kind, customer.first_seen_at, customer.last_seen_at, customer.traits, customer.name, customer.email, customer.phone)
        IS DISTINCT FROM (described.kind, described.first_seen_at, described.last_seen_at, described.traits,
                          described.name, described.email, described.phone)
RETURNING
    CASE WHEN (before.kind, before.traits, before.name, before.email, before.phone)
        IS DISTINCT FROM (customer.kind, customer.traits, customer.name, customer.email, customer.phone)
    THEN customer.customer_id END;
