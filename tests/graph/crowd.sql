-- A hundred thousand customers for tests of plans: fifty thousand accounts, two hundred thousand orders and as many contacts.
-- Identifiers, names and times are spread as they come; statuses and tiers are skewed, and one of each is rare.
CREATE FUNCTION pg_temp.id(kind text, number int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT ('00000000-' || kind || '-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid $$;
CREATE FUNCTION pg_temp.word(seed text, letters int) RETURNS text LANGUAGE sql IMMUTABLE AS
    $$ SELECT initcap(substr(translate(md5(seed), '0123456789', 'ghijklmnop'), 1, letters)) $$;
INSERT INTO source (source_id, name, channel, identifier_namespace)
VALUES ('00000000-0000-7000-8000-00000000a001', 'crowd', 'web', 'crowd_id');
INSERT INTO customer (customer_id, kind, name, email, phone, first_seen_at, last_seen_at)
SELECT pg_temp.id('0001', n), CASE WHEN n % 50 = 0 THEN 'organisation' ELSE 'person' END,
       CASE WHEN n % 10 <> 0 THEN pg_temp.word(n::text, 6) || ' ' || pg_temp.word((n % 997)::text, 7) END,
       CASE WHEN n % 3 <> 0 THEN 'c' || n || '@example.com' END, CASE WHEN n % 3 = 0 THEN '+486' || lpad(n::text, 8, '0') END,
       timestamptz '2024-01-01+00' + (n::bigint * 7919 % 100000) * interval '10 minutes',
       timestamptz '2026-01-01+00' + (n::bigint * 104729 % 100000) * interval '2 minutes'
FROM generate_series(1, 100000) AS n;
INSERT INTO customer_identifier (customer_id, namespace, value, value_given, source_id, first_seen_at, last_seen_at)
SELECT pg_temp.id('0001', n), namespace, CASE namespace WHEN 'email' THEN 'c' || n || '@example.com' ELSE 'u' || n END, 'x',
       '00000000-0000-7000-8000-00000000a001', now(), now()
FROM generate_series(1, 100000) AS n, unnest(ARRAY['email', 'user_id']) AS namespace;
INSERT INTO account (customer_id, account_id, profile_id, source_id, number, name, tier, currency, legal_name)
SELECT pg_temp.id('0001', n * 2), pg_temp.id('0004', n), pg_temp.id('0002', n), '00000000-0000-7000-8000-00000000a001',
       'K-' || n, pg_temp.word('a' || n, 8) || ' Ltd', CASE WHEN n % 400 = 7 THEN 'key' ELSE 'standard' END, 'EUR', 'Holder ' || n
FROM generate_series(1, 50000) AS n;
INSERT INTO sales_order (customer_id, order_id, account_id, profile_id, source_id, number, status, channel, purchase_order, placed_at, promised_on, currency, total)
SELECT pg_temp.id('0001', a * 2), pg_temp.id('0005', n), pg_temp.id('0004', a), pg_temp.id('0002', a), '00000000-0000-7000-8000-00000000a001',
       'SO-' || n, CASE WHEN n < 40 THEN 'returned' ELSE (ARRAY['delivered', 'delivered', 'delivered', 'placed', 'shipped'])[1 + n % 5] END,
       (ARRAY['web', 'erp', 'phone'])[1 + n % 3], CASE WHEN n % 4 = 0 THEN 'PO-' || n END, timestamptz '2025-01-01+00' + n * interval '3 minutes',
       CASE WHEN n % 3 <> 0 THEN date '2025-01-05' + n / 480 END, 'EUR', n % 900
FROM generate_series(1, 200000) AS n, LATERAL (SELECT 1 + n * 7 % 50000) AS held (a);
INSERT INTO interaction (customer_id, interaction_id, profile_id, source_id, kind, name, channel, occurred_at)
SELECT pg_temp.id('0001', 1 + n * 3 % 100000), pg_temp.id('0003', n), pg_temp.id('0002', 1), '00000000-0000-7000-8000-00000000a001',
       (ARRAY['page', 'track', 'call'])[1 + n % 3], 'Page ' || n % 50, 'web', timestamptz '2025-01-01+00' + n * interval '3 minutes'
FROM generate_series(1, 200000) AS n;
INSERT INTO ledger_entry (customer_id, entry_id, account_id, source_id, kind, document_number, currency, amount, posted_on, order_id)
SELECT customer_id, order_id, account_id, source_id, 'invoice', 'INV-' || number, currency, total, placed_at::date, order_id
FROM sales_order WHERE total > 700;
ANALYZE;
