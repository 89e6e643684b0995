-- Two databases' worth of made-up claims and facts, the same at each run.

-- name: key
-- An id from a kind and a number; time-ordered ids sort so.
CREATE FUNCTION pg_temp.key(kind int, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (lpad(to_hex(kind), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid;

-- name: source
-- A web shop and a CRM.
INSERT INTO source (source_id, name, channel, identifier_namespace)
VALUES (pg_temp.key(1, 1), 'shop', 'web', 'shop_id'), (pg_temp.key(1, 2), 'crm', 'phone', 'crm_id');

-- name: claim
-- Four claims a customer: a visitor; who signs in with the same device; gives an e-mail; and a CRM that knows the e-mail.
INSERT INTO claim (claim_id, source_id, profile_id, first_at, first_message_id, last_at)
SELECT pg_temp.key(4, n * 4 + k), pg_temp.key(1, CASE k WHEN 3 THEN 2 ELSE 1 END),
    pg_temp.key(3, n * 4 + CASE k WHEN 0 THEN 0 WHEN 3 THEN 2 ELSE 1 END),
    '2026-01-01'::timestamptz + (n % 80000) * interval '1 second' + k * interval '1 minute', 'm' || n || '-' || k,
    '2026-06-01'::timestamptz
FROM generate_series(1, :customers) AS n, generate_series(0, 3) AS k;

-- name: claim_identifier
-- Eleven edges a customer.
INSERT INTO claim_identifier (namespace, value, claim_id, value_given)
SELECT said.namespace, said.value, pg_temp.key(4, n * 4 + said.k), said.value
FROM generate_series(1, :customers) AS n, LATERAL (VALUES
    (0, 'profile', replace(pg_temp.key(3, n * 4)::text, '-', '')), (0, 'anonymous_id', 'device-' || n),
    (1, 'profile', replace(pg_temp.key(3, n * 4 + 1)::text, '-', '')), (1, 'user_id', 'user-' || n),
    (1, 'anonymous_id', 'device-' || n),
    (2, 'profile', replace(pg_temp.key(3, n * 4 + 1)::text, '-', '')), (2, 'user_id', 'user-' || n),
    (2, 'email', 'person' || n || '@example.com'),
    (3, 'profile', replace(pg_temp.key(3, n * 4 + 2)::text, '-', '')), (3, 'crm_id', 'crm-' || n),
    (3, 'email', 'person' || n || '@example.com')
) AS said (k, namespace, value);

-- name: profile
-- Three a customer, of which the first founded it.
INSERT INTO profile (
    customer_id, profile_id, source_id, kind, key_namespace, key_value, founded_customer_id, first_seen_at, last_seen_at
)
SELECT pg_temp.key(2, n), pg_temp.key(3, n * 4 + k), pg_temp.key(1, CASE k WHEN 2 THEN 2 ELSE 1 END), 'person',
    (ARRAY['anonymous_id', 'user_id', 'crm_id'])[1 + k], (ARRAY['device-', 'user-', 'crm-'])[1 + k] || n,
    CASE k WHEN 0 THEN pg_temp.key(2, n) END, '2026-01-01', '2026-06-01'
FROM generate_series(1, :customers) AS n, generate_series(0, 2) AS k;

-- name: profile_key
-- From keys to profiles.
INSERT INTO profile_key (source_id, namespace, value, profile_id, customer_id)
SELECT source_id, key_namespace, key_value, profile_id, customer_id FROM profile;

-- name: customer
-- One of each.
INSERT INTO customer (customer_id, kind, email, first_seen_at, last_seen_at)
SELECT pg_temp.key(2, n), 'person', 'person' || n || '@example.com', '2026-01-01', '2026-06-01'
FROM generate_series(1, :customers) AS n;

-- name: identifier
-- Four a customer.
INSERT INTO identifier (namespace, value, customer_id)
SELECT said.namespace, said.value, pg_temp.key(2, n)
FROM generate_series(1, :customers) AS n, LATERAL (VALUES
    ('anonymous_id', 'device-' || n), ('user_id', 'user-' || n), ('email', 'person' || n || '@example.com'),
    ('crm_id', 'crm-' || n)
) AS said (namespace, value);

-- name: customer_identifier
-- The same by customer.
INSERT INTO customer_identifier (customer_id, namespace, value, value_given, source_id, first_seen_at, last_seen_at)
SELECT customer_id, namespace, value, value, pg_temp.key(1, 1), '2026-01-01', '2026-06-01' FROM identifier;

-- name: account
-- An account of each of the first two customers, held through their second profile.
INSERT INTO account (customer_id, account_id, profile_id, source_id, number, name, tier, currency)
SELECT pg_temp.key(2, n), pg_temp.key(5, n), pg_temp.key(3, n * 4 + 1), pg_temp.key(1, 1), 'A' || n, 'Account ' || n, 'key', 'EUR'
FROM generate_series(1, 2) AS n;

-- name: account_key
-- From the number to the account.
INSERT INTO account_key (number, account_id, customer_id)
SELECT number, account_id, customer_id FROM account;

-- name: interaction
-- Seven tenths of the facts of each of the first two customers.
INSERT INTO interaction (customer_id, interaction_id, profile_id, source_id, kind, direction, name, channel, occurred_at)
SELECT pg_temp.key(2, n), pg_temp.key(7, n * 10000000 + k), pg_temp.key(3, n * 4 + 1), pg_temp.key(1, 1), 'page', 'inbound',
    'Page ' || k % 500, 'web', '2026-01-01'::timestamptz + k * interval '1 minute'
FROM generate_series(1, 2) AS n, generate_series(1, :facts * 7 / 10) AS k;

-- name: interaction_key
-- From the source's message to the interaction.
INSERT INTO interaction_key (source_id, external_id, record_id, customer_id)
SELECT source_id, interaction_id::text, interaction_id, customer_id FROM interaction;

-- name: sales_order
-- A tenth.
INSERT INTO sales_order
    (customer_id, order_id, account_id, profile_id, source_id, number, status, channel, placed_at, currency, total)
SELECT pg_temp.key(2, n), pg_temp.key(8, n * 10000000 + k), pg_temp.key(5, n), pg_temp.key(3, n * 4 + 1), pg_temp.key(1, 1),
    'SO-' || n || '-' || k, 'delivered', 'web', '2026-01-01'::timestamptz + k * interval '10 minutes', 'EUR', 40.00
FROM generate_series(1, 2) AS n, generate_series(1, :facts / 10) AS k;

-- name: order_key
-- From the source's number to the order.
INSERT INTO order_key (source_id, external_id, record_id, customer_id)
SELECT source_id, number, order_id, customer_id FROM sales_order;

-- name: order_line
-- A tenth, one an order.
INSERT INTO order_line
    (customer_id, order_id, line_no, account_id, product, name, category, quantity, unit_price, amount, currency)
SELECT customer_id, order_id, 1, account_id, 'P1', 'A product', 'tools', 2, 20.00, 40.00, 'EUR' FROM sales_order;

-- name: ledger_entry
-- A tenth: invoices.
INSERT INTO ledger_entry
    (customer_id, entry_id, account_id, source_id, kind, document_number, currency, amount, posted_on, due_on)
SELECT pg_temp.key(2, n), pg_temp.key(9, n * 10000000 + k), pg_temp.key(5, n), pg_temp.key(1, 1), 'invoice',
    'D-' || n || '-' || k, 'EUR', 40.00, '2026-03-01', '2026-04-01'
FROM generate_series(1, 2) AS n, generate_series(1, :facts / 10) AS k;
