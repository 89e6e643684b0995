-- The made-up business of business.py: every table the graph reads, every nullable column both ways.
INSERT INTO source (source_id, name, channel, division, location, identifier_namespace) VALUES
    ('00000000-0000-7000-8000-00000000a001', 'web-shop', 'web', 'retail', NULL, 'shop_id'),
    ('00000000-0000-7000-8000-00000000a002', 'erp', 'erp', NULL, 'Porto', 'erp_id');
INSERT INTO staff (staff_id, email, name, title) VALUES
    ('00000000-0000-7000-8000-00000000b001', 'marta@company.example', 'Marta Nowak', 'Account manager');
CREATE FUNCTION pg_temp.id(kind text, number int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT ('00000000-' || kind || '-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid $$;
INSERT INTO customer (customer_id, kind, name, email, phone, traits, first_seen_at, last_seen_at)
SELECT pg_temp.id('0001', n), CASE WHEN n % 5 = 0 THEN 'organisation' ELSE 'person' END,
       CASE WHEN n % 7 <> 3 THEN 'Customer ' || chr(65 + n % 26) END, 'c' || n || '@example.com', CASE WHEN n % 3 = 0 THEN '+4860000' || n END,
       jsonb_build_object('city', 'Poznań', 'n', n), timestamptz '2025-01-01 00:00:00.5+00' + n * interval '1 hour',
       timestamptz '2026-01-01+00' + (n / 2) * interval '1 day'
FROM generate_series(1, 40) AS n;
INSERT INTO profile (customer_id, profile_id, source_id, kind, key_namespace, key_value, first_seen_at, last_seen_at)
SELECT pg_temp.id('0001', n), pg_temp.id('0002', n), '00000000-0000-7000-8000-00000000a001', 'person', 'user_id', 'u' || n, now(), now()
FROM generate_series(1, 40) AS n;
INSERT INTO profile_trait (customer_id, profile_id, trait, value, stated_at, message_id)
SELECT pg_temp.id('0001', n), pg_temp.id('0002', n), 'city', '"Poznań"', now(), 'm' || n FROM generate_series(1, 40) AS n;
INSERT INTO identifier (namespace, value, customer_id)
SELECT 'user_id', 'u' || n, pg_temp.id('0001', n) FROM generate_series(1, 40) AS n;
INSERT INTO identifier (namespace, value, customer_id)
SELECT 'email', 'c' || n || '@example.com', pg_temp.id('0001', n) FROM generate_series(1, 40) AS n;
INSERT INTO customer_identifier (customer_id, namespace, value, value_given, source_id, verified, first_seen_at, last_seen_at)
SELECT customer_id, namespace, value, upper(value), '00000000-0000-7000-8000-00000000a001', value < 'm', now(), now() FROM identifier;
INSERT INTO customer_redirect (customer_id, target_customer_id, merge_id)
VALUES (pg_temp.id('0009', 1), pg_temp.id('0001', 1), new_id());
INSERT INTO customer_merge (customer_id, merge_id, kind, other_customer_ids, profile_ids, rule, actor, reason, merged_at)
SELECT pg_temp.id('0001', n), pg_temp.id('000b', n), 'merge', ARRAY[pg_temp.id('0009', n)], ARRAY[pg_temp.id('0002', n)], 'manual',
       'staff' || n, CASE WHEN n % 2 = 0 THEN 'Said so ' || n END, timestamptz '2026-02-01+00' + n * interval '1 hour'
FROM generate_series(1, 40) AS n;
INSERT INTO identity_event (customer_id, event_id, kind, identifiers, actor, reason, happened_at)
SELECT pg_temp.id('0001', n), pg_temp.id('0011', n), 'link', jsonb_build_array(jsonb_build_array('phone', '+3460000' || n)),
       'staff' || n, CASE WHEN n % 2 = 0 THEN 'Told us ' || n END, timestamptz '2026-02-02+00' + n * interval '1 hour'
FROM generate_series(1, 40) AS n;
INSERT INTO review (review_id, kind, one_customer_id, other_customer_id, weight, explanation, found_at)
SELECT pg_temp.id('0012', n), 'match', pg_temp.id('0001', n), pg_temp.id('0001', n + 1), n, jsonb_build_object('name', n),
       timestamptz '2026-02-03+00' + n * interval '1 hour'
FROM generate_series(1, 39) AS n;
INSERT INTO affiliation (customer_id, organisation_profile_id, person_profile_id, person_customer_id, role, since_at, stated_at)
SELECT pg_temp.id('0001', n), pg_temp.id('0002', n), pg_temp.id('0002', n + k), pg_temp.id('0001', n + k),
       CASE WHEN k = 1 THEN 'buyer' END, timestamptz '2025-06-01+00', timestamptz '2025-06-01+00'
FROM generate_series(5, 40 - 5, 5) AS n, generate_series(1, 2) AS k;
INSERT INTO interaction (customer_id, interaction_id, profile_id, source_id, kind, name, topic, channel, occurred_at, duration_seconds, properties)
SELECT pg_temp.id('0001', n), pg_temp.id('0003', n * 100 + k), pg_temp.id('0002', n), '00000000-0000-7000-8000-00000000a001',
       CASE WHEN k % 2 = 0 THEN 'page' ELSE 'track' END, 'Visit ' || k, CASE WHEN k = 3 THEN 'returns' END, 'web',
       timestamptz '2026-02-01+00' + (k / 2) * interval '1 day', CASE WHEN k > 2 THEN k * 10 END, jsonb_build_object('k', k)
FROM generate_series(1, 40) AS n, generate_series(1, 5) AS k;
INSERT INTO account (customer_id, account_id, profile_id, source_id, number, name, tier, currency, legal_name, credit_limit, payment_terms_days, manager_staff_id)
SELECT pg_temp.id('0001', n), pg_temp.id('0004', n), pg_temp.id('0002', n), '00000000-0000-7000-8000-00000000a002', 'K-' || (1000 + n), 'Account ' || n,
       CASE WHEN n % 10 = 0 THEN 'key' ELSE 'standard' END, CASE WHEN n % 6 = 0 THEN 'JPY' ELSE 'EUR' END,
       CASE WHEN n % 4 = 0 THEN 'Account ' || n || ' SA' END, CASE WHEN n % 4 = 0 THEN 5000 END, 30,
       CASE WHEN n % 4 = 0 THEN '00000000-0000-7000-8000-00000000b001'::uuid END
FROM generate_series(2, 40, 2) AS n;
INSERT INTO account_key (number, account_id, customer_id) SELECT number, account_id, customer_id FROM account;
INSERT INTO sales_order (customer_id, order_id, account_id, profile_id, contact_customer_id, source_id, number, status, channel, purchase_order, placed_at, promised_on, currency, total)
SELECT a.customer_id, pg_temp.id('0005', n * 100 + k), a.account_id, a.profile_id, CASE WHEN n % 5 = 0 AND k < 3 THEN pg_temp.id('0001', n + k) END,
       a.source_id, 'SO-' || n || '-' || k, (ARRAY['placed', 'partly_shipped', 'delivered', 'cancelled'])[1 + k % 4], 'erp', CASE WHEN k = 2 THEN 'PO-' || n END,
       timestamptz '2026-03-01+00' + (k / 2) * interval '1 day', CASE WHEN k <> 1 THEN date '2026-03-10' + k END, a.currency,
       CASE WHEN a.currency = 'JPY' THEN (k * 100)::numeric ELSE round(k * 100 + 0.5, 2) END
FROM generate_series(2, 40, 2) AS n JOIN account AS a ON a.account_id = pg_temp.id('0004', n), generate_series(1, 4) AS k;
INSERT INTO order_line (customer_id, order_id, line_no, account_id, product, name, quantity, unit_price, amount, currency)
SELECT customer_id, order_id, l, account_id, 'P' || l, 'Product ' || l, l + 0.5, 10, 10 * l, currency FROM sales_order, generate_series(1, 3) AS l;
INSERT INTO order_event (customer_id, order_id, account_id, kind, occurred_at, source_id, record_key)
SELECT customer_id, order_id, account_id, 'placed', placed_at, source_id, 'placed' FROM sales_order;
INSERT INTO shipment (customer_id, shipment_id, order_id, account_id, source_id, number, status, carrier, promised_on, shipped_at, delivered_at)
SELECT customer_id, pg_temp.id('000a', (row_number() OVER (ORDER BY order_id))::int), order_id, account_id, source_id, 'SH-' || number, 'shipped', 'Post', promised_on, placed_at + interval '1 day', NULL
FROM sales_order WHERE status = 'partly_shipped';
INSERT INTO shipment_line (customer_id, shipment_id, line_no, order_id, account_id, quantity)
SELECT customer_id, shipment_id, 1, order_id, account_id, 1 FROM shipment;
INSERT INTO ledger_entry (customer_id, entry_id, account_id, source_id, kind, document_number, currency, amount, posted_on, due_on, order_id)
SELECT customer_id, pg_temp.id('0006', (row_number() OVER (ORDER BY order_id))::int), account_id, source_id, 'invoice', 'INV-' || number, currency, total,
       date '2026-03-02' + (row_number() OVER (PARTITION BY account_id ORDER BY order_id))::int * 20, date '2026-04-01', order_id FROM sales_order;
INSERT INTO ledger_entry (customer_id, entry_id, account_id, source_id, kind, document_number, currency, amount, posted_on)
SELECT DISTINCT ON (account_id) customer_id, pg_temp.id('0007', (row_number() OVER (ORDER BY account_id))::int), account_id, source_id, 'payment',
       'PAY-' || number, currency, -150, date '2026-05-01' FROM account;
INSERT INTO allocation (customer_id, account_id, credit_entry_id, debit_entry_id, amount, allocated_on, effective_on)
SELECT paid.customer_id, paid.account_id, paid.entry_id, invoice.entry_id, invoice.amount, date '2026-05-02', date '2026-05-02'
FROM ledger_entry AS paid JOIN LATERAL (SELECT * FROM ledger_entry AS i WHERE i.account_id = paid.account_id AND i.kind = 'invoice' ORDER BY posted_on LIMIT 1) AS invoice ON true
WHERE paid.kind = 'payment';
INSERT INTO dispute (customer_id, account_id, entry_id, reason, opened_on)
SELECT customer_id, account_id, entry_id, 'damaged', date '2026-06-01' FROM ledger_entry WHERE document_number LIKE 'INV-SO-%-2';
INSERT INTO issued_statement (customer_id, statement_id, account_id, sequence_no, number, kind, currency, to_on, opening, closing, total_debit,
       total_credit, posted_count, document, sha256, issued_by, issued_at)
SELECT customer_id, ('00000000-000e-' || substr(account_id::text, 15))::uuid, account_id, 1, number || '-0001', 'open_item', currency, date '2026-05-31', 0, 10, 20,
       10, 1, '{}', 'x', 'member:x', timestamptz '2026-06-01 08:00+00' FROM account;
INSERT INTO issued_statement_file (customer_id, statement_id, format, account_id, content, sha256)
SELECT customer_id, statement_id, 'csv', account_id, 'CANARY'::bytea, 'x' FROM issued_statement;
INSERT INTO customer_case (customer_id, case_id, account_id, number, kind, status, subject, entry_id, order_id, is_dispute, member_id,
       opened_by, opened_by_name, assigned_staff_id, opened_at, respond_by, first_answered_at, last_message_at, closed_at, satisfied)
SELECT a.customer_id, pg_temp.id('0013', n), a.account_id, 1, CASE WHEN n % 4 = 0 THEN 'question' ELSE 'invoice_query' END,
       CASE WHEN n % 4 = 0 THEN 'closed' ELSE 'open' END, 'Subject ' || n, CASE WHEN n % 4 <> 0 THEN pg_temp.id('0006', n * 2 - 3) END,
       CASE WHEN n % 4 = 0 THEN pg_temp.id('0005', n * 100 + 1) END, n % 4 <> 0, CASE WHEN n = 10 THEN pg_temp.id('0008', 3) WHEN n = 20 THEN pg_temp.id('0008', 7) END,
       'member:' || n, 'Opener ' || n, CASE WHEN n % 4 = 0 THEN '00000000-0000-7000-8000-00000000b001'::uuid END, timestamptz '2026-05-01+00',
       CASE WHEN n % 6 <> 0 THEN timestamptz '2026-05-02+00' END, CASE WHEN n % 4 = 0 THEN timestamptz '2026-05-01 09:00+00' END, timestamptz '2026-05-03+00',
       CASE WHEN n % 4 = 0 THEN timestamptz '2026-05-03+00' END, CASE WHEN n % 8 = 0 THEN true END
FROM generate_series(2, 40, 2) AS n JOIN account AS a ON a.account_id = pg_temp.id('0004', n);
INSERT INTO case_message (customer_id, message_id, case_id, account_id, event, author, author_id, author_name, body, satisfied, written_at)
SELECT customer_id, pg_temp.id('0014', row_number() OVER (ORDER BY case_id, k)::int), case_id, account_id, (ARRAY['message', 'closed'])[k], (ARRAY['staff', 'member'])[k], 'x', 'Writer', 'Text of ' || subject,
       CASE WHEN k = 2 THEN true END, opened_at + k * interval '1 hour' FROM customer_case, generate_series(1, 2) AS k;
INSERT INTO case_file (customer_id, file_id, message_id, case_id, account_id, name, media_type, size_bytes, sha256, content)
SELECT customer_id, ('00000000-0015-' || substr(case_id::text, 15))::uuid, message_id, case_id, account_id, 'photo.png', 'image/png', 6, 'x', 'CANARY' FROM case_message WHERE event = 'message';
INSERT INTO member (member_id, issuer, subject, email, name)
SELECT pg_temp.id('0008', n), 'https://issuer.example', 's' || n, 'm' || n || '@example.com', 'Member ' || n FROM generate_series(1, 8) AS n;
INSERT INTO membership (account_id, member_id, role)
SELECT pg_temp.id('0004', 10 + 10 * ((n - 1) / 4)), pg_temp.id('0008', n), (ARRAY['client_admin', 'finance', 'buyer', 'viewer'])[1 + (n - 1) % 4]
FROM generate_series(1, 8) AS n;
INSERT INTO audit_record (audit_id, recorded_at, event, outcome, actor, client_id, account_id, target, details)
SELECT pg_temp.id('0013', n), timestamptz '2026-03-01+00' + n * interval '1 hour', 'export', 'done', 's' || n, 'desk',
       CASE WHEN n % 2 = 0 THEN pg_temp.id('0004', n) END, 'statement ' || n, jsonb_build_object('format', 'csv')
FROM generate_series(1, 40) AS n;
INSERT INTO webhook_endpoint (endpoint_id, url, from_transaction_id, created_by)
SELECT pg_temp.id('0014', n), 'https://receiver.example/' || n, 0, 'client:x' FROM generate_series(10, 20, 10) AS n;
INSERT INTO webhook_delivery (delivery_id, endpoint_id, seq, kind, occurred_at, body)
SELECT pg_temp.id('0015', n), pg_temp.id('0014', 10 + n % 2 * 10), n, 'customer.changed', timestamptz '2026-06-01 08:00+00' + n * interval '1 minute', '{}'
FROM generate_series(10, 40) AS n;
INSERT INTO announcement (announcement_id, title, body, account_id, written_by, published_at)
SELECT pg_temp.id('0016', n), 'For ' || n, 'To the people of account ' || n, pg_temp.id('0004', n), 'client:x', timestamptz '2026-06-01 08:00+00'
FROM generate_series(10, 20, 10) AS n;
INSERT INTO invite (invite_hash, invite_id, email, account_id, role, invited_by)
SELECT decode(lpad(n::text, 64, '0'), 'hex'), pg_temp.id('0017', n), 'asked' || n || '@example.com', pg_temp.id('0004', n), 'viewer', 'client:x'
FROM generate_series(10, 20, 10) AS n;
