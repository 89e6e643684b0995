-- What test_sites.py adds to the made-up business of tests/graph.
CREATE FUNCTION pg_temp.id(kind text, number int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
    $$ SELECT ('00000000-' || kind || '-7000-8000-' || lpad(to_hex(number), 12, '0'))::uuid $$;
-- Of each account's orders the first two are for one site, the third for another, the fourth for none.
UPDATE sales_order SET location = CASE right(number, 1) WHEN '3' THEN 'Faro' WHEN '4' THEN NULL ELSE 'Porto' END;
INSERT INTO shipment (customer_id, shipment_id, order_id, account_id, source_id, number, status, carrier, shipped_at)
SELECT customer_id, pg_temp.id('000a', 9000 + right(number, 1)::int), order_id, account_id, source_id, 'SH-' || number, 'shipped', 'Rail', placed_at
FROM sales_order WHERE account_id = pg_temp.id('0004', 10) AND right(number, 1) IN ('3', '4');
INSERT INTO shipment_line (customer_id, shipment_id, line_no, order_id, account_id, quantity)
SELECT customer_id, shipment_id, 1, order_id, account_id, 1 FROM shipment WHERE carrier = 'Rail';
INSERT INTO member (member_id, issuer, subject, email, name)
SELECT pg_temp.id('0008', n), 'https://issuer.example', 's' || n, 'm' || n || '@example.com', 'Member ' || n FROM generate_series(9, 10) AS n;
INSERT INTO membership (account_id, member_id, role, sites)
SELECT pg_temp.id('0004', 10), pg_temp.id('0008', n), CASE n WHEN 9 THEN 'buyer' ELSE 'viewer' END, '{Porto}' FROM generate_series(9, 10) AS n;
-- The buyer's cases: about each of the orders, about none, about an invoice; each with a message and a file.
INSERT INTO customer_case (customer_id, case_id, account_id, number, kind, subject, order_id, entry_id, member_id, opened_by,
    opened_by_name, opened_at, last_message_at)
SELECT a.customer_id, pg_temp.id('0013', 9000 + k), a.account_id, 100 + k, 'question', 'About ' || k,
    CASE WHEN k BETWEEN 1 AND 4 THEN pg_temp.id('0005', 1000 + k) END, CASE WHEN k = 5 THEN pg_temp.id('0006', 17) END,
    pg_temp.id('0008', 9), 'member:9', 'Member 9', timestamptz '2026-06-01+00', timestamptz '2026-06-01+00' + k * interval '1 hour'
FROM account AS a, generate_series(0, 5) AS k WHERE a.account_id = pg_temp.id('0004', 10);
INSERT INTO case_message (customer_id, message_id, case_id, account_id, event, author, author_id, author_name, body, written_at)
SELECT customer_id, pg_temp.id('0014', 8900 + number), case_id, account_id, 'message', 'member', 'member:9', 'Member 9', 'Text', opened_at
FROM customer_case WHERE number BETWEEN 100 AND 105;
INSERT INTO case_file (customer_id, file_id, message_id, case_id, account_id, name, media_type, size_bytes, sha256, content)
SELECT said.customer_id, pg_temp.id('0015', 8900 + about.number), said.message_id, said.case_id, said.account_id, 'note.txt', 'text/plain', 4, 'x', 'note'
FROM case_message AS said JOIN customer_case AS about USING (customer_id, case_id) WHERE body = 'Text';
