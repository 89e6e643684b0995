-- One made-up company of :customers customers, the same at each run but for the days, which are counted back from today.
-- Every customer has three identifiers, one profile, one account, ten orders of one line each (every second one sent),
-- five interactions and two ledger entries. Customers are last seen in another order than they were made in, so that a
-- page of them is spread over the table as it would be in life.

-- name: key
-- An id from a kind and a number.
CREATE FUNCTION pg_temp.key(kind int, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (lpad(to_hex(kind), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid;

-- name: mixed
-- A number from 0 to `below` - 1 that looks like chance and is the same at each run.
CREATE FUNCTION pg_temp.mixed(n bigint, salt bigint, below int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(n, salt) & 2147483647)::int % below;

-- name: source
-- Three sources.
INSERT INTO source (source_id, name, channel, identifier_namespace)
SELECT pg_temp.key(1, n), 'source-' || n, 'web', 'crm_id'
FROM generate_series(1, 3) AS n;

-- name: customer
-- Every tenth is an organisation.
INSERT INTO customer (customer_id, kind, name, email, phone, traits, first_seen_at, last_seen_at)
SELECT pg_temp.key(2, n),
    CASE WHEN n % 10 = 0 THEN 'organisation' ELSE 'person' END,
    'Customer ' || n,
    'customer' || n || '@example.com',
    '+35191' || lpad(n::text, 7, '0'),
    jsonb_build_object('language', 'pt', 'score', pg_temp.mixed(n, 1, 1000), 'note', 'said "hello" & left'),
    today - interval '3 years' - n * interval '1 second',
    today - (n::bigint * 7919 % :customers) * interval '1 second'
FROM generate_series(1, :customers) AS n, date_trunc('day', now()) AS today;

-- name: profile
-- One a customer.
INSERT INTO profile (customer_id, profile_id, source_id, kind, key_namespace, key_value, first_seen_at, last_seen_at)
SELECT pg_temp.key(2, n), pg_temp.key(3, n), pg_temp.key(1, 1 + n % 3), 'person', 'user_id', 'u' || n,
    today - interval '3 years', today - interval '1 day'
FROM generate_series(1, :customers) AS n, date_trunc('day', now()) AS today;

-- name: customer_identifier
-- E-mail, phone and the shop's own key.
INSERT INTO customer_identifier
    (customer_id, namespace, value, value_given, source_id, verified, first_seen_at, last_seen_at)
SELECT pg_temp.key(2, n), given.namespace, given.value, upper(given.value), pg_temp.key(1, 1 + n % 3), n % 2 = 0,
    today - interval '3 years', today - n * interval '1 second'
FROM generate_series(1, :customers) AS n, date_trunc('day', now()) AS today,
    LATERAL (VALUES ('email', 'customer' || n || '@example.com'), ('phone', '+35191' || lpad(n::text, 7, '0')),
        ('user_id', 'u' || n)) AS given(namespace, value);

-- name: account
-- One a customer, every fiftieth a key account.
INSERT INTO account
    (customer_id, account_id, profile_id, source_id, number, name, tier, currency, credit_limit, payment_terms_days)
SELECT pg_temp.key(2, n), pg_temp.key(4, n), pg_temp.key(3, n), pg_temp.key(1, 1 + n % 3), 'A' || n, 'Account ' || n,
    CASE WHEN n % 50 = 0 THEN 'key' ELSE 'standard' END, 'EUR', 5000.00, 30
FROM generate_series(1, :customers) AS n;

-- name: sales_order
-- Spread over the last 720 days; of each customer's ten about one and a quarter fall into the last 90.
INSERT INTO sales_order
    (customer_id, order_id, account_id, profile_id, source_id, number, status, channel, placed_at, currency, total)
SELECT pg_temp.key(2, n), pg_temp.key(5, n * 16 + k), pg_temp.key(4, n), pg_temp.key(3, n), pg_temp.key(1, 1 + n % 3),
    'SO-' || n || '-' || k,
    (ARRAY['placed', 'confirmed', 'shipped', 'delivered', 'delivered', 'cancelled'])[1 + pg_temp.mixed(n, k, 6)],
    (ARRAY['web', 'store', 'phone'])[1 + pg_temp.mixed(n, k + 16, 3)],
    today - pg_temp.mixed(n, k + 32, 720) * interval '1 day' - (n % 80000) * interval '1 second' - k * interval '1 millisecond',
    'EUR', round(10 + pg_temp.mixed(n, k + 48, 100000) / 100.0, 2)
FROM generate_series(1, :customers) AS n, generate_series(1, 10) AS k, date_trunc('day', now()) AS today;

-- name: order_line
-- One an order.
INSERT INTO order_line
    (customer_id, order_id, line_no, account_id, product, name, category, quantity, unit_price, amount, currency)
SELECT pg_temp.key(2, n), pg_temp.key(5, n * 16 + k), 1, pg_temp.key(4, n), 'P' || pg_temp.mixed(n, k, 500), 'A product',
    'tools', 2, 20.00, 40.00, 'EUR'
FROM generate_series(1, :customers) AS n, generate_series(1, 10) AS k;

-- name: shipment
-- Every second order's.
INSERT INTO shipment
    (customer_id, shipment_id, order_id, account_id, source_id, number, status, carrier, tracking_number, shipped_at)
SELECT pg_temp.key(2, n), pg_temp.key(6, n * 16 + k), pg_temp.key(5, n * 16 + k), pg_temp.key(4, n),
    pg_temp.key(1, 1 + n % 3), 'SH-' || n || '-' || k, 'shipped', 'Carrier', 'T' || n || k, today - n * interval '1 second'
FROM generate_series(1, :customers) AS n, generate_series(2, 10, 2) AS k, date_trunc('day', now()) AS today;

-- name: interaction
-- Five a customer.
INSERT INTO interaction
    (customer_id, interaction_id, profile_id, source_id, kind, direction, name, channel, occurred_at)
SELECT pg_temp.key(2, n), pg_temp.key(7, n * 8 + k), pg_temp.key(3, n), pg_temp.key(1, 1 + n % 3),
    (ARRAY['page', 'call', 'email'])[1 + pg_temp.mixed(n, k, 3)], 'inbound', 'Contact ' || k, 'web',
    today - pg_temp.mixed(n, k, 720) * interval '1 day' - (n % 80000) * interval '1 second' - k * interval '1 millisecond'
FROM generate_series(1, :customers) AS n, generate_series(1, 5) AS k, date_trunc('day', now()) AS today;

-- name: ledger_entry
-- An invoice and a payment.
INSERT INTO ledger_entry
    (customer_id, entry_id, account_id, source_id, kind, document_number, currency, amount, posted_on, due_on)
SELECT pg_temp.key(2, n), pg_temp.key(8, n * 4 + k), pg_temp.key(4, n), pg_temp.key(1, 1 + n % 3),
    CASE k WHEN 1 THEN 'invoice' ELSE 'payment' END, 'D-' || n || '-' || k, 'EUR',
    CASE k WHEN 1 THEN 120.00 ELSE -40.00 END, (today - k * interval '20 days')::date,
    CASE k WHEN 1 THEN (today + interval '10 days')::date END
FROM generate_series(1, :customers) AS n, generate_series(1, 2) AS k, date_trunc('day', now()) AS today;
