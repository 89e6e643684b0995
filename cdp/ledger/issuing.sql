-- name: take_turn
-- Statements of one account are numbered one after the other.
SELECT pg_advisory_xact_lock(hashtextextended('issued_statement ' || %(account_id)s::uuid::text, 0));

-- name: issue
-- A statement under the account's next number.
INSERT INTO issued_statement (
    customer_id, statement_id, account_id, sequence_no, number, kind, currency, from_on, to_on, opening, closing, total_debit,
    total_credit, posted_count, document, sha256, issued_by, issued_at, language)
SELECT
    account.customer_id, %(statement_id)s, account.account_id, next.sequence_no,
    account.number || '-' || lpad(next.sequence_no::text, greatest(4, length(next.sequence_no::text)), '0'),
    %(kind)s, %(currency)s, %(from_on)s, %(to_on)s, %(opening)s, %(closing)s, %(total_debit)s, %(total_credit)s,
    %(posted_count)s, %(document)s, %(sha256)s, %(issued_by)s, %(issued_at)s, %(language)s
FROM account CROSS JOIN LATERAL (
    SELECT coalesce(max(before.sequence_no), 0) + 1 AS sequence_no FROM issued_statement AS before
    WHERE before.customer_id = account.customer_id AND before.account_id = account.account_id
) AS next
WHERE account.account_id = %(account_id)s
RETURNING statement_id;

-- name: keep_file
-- A file as it was first downloaded; whoever comes later gets that one. One row when the statement is there.
WITH statement AS (
    SELECT customer_id, statement_id, account_id FROM issued_statement
    WHERE statement_id = %(statement_id)s AND account_id = %(account_id)s
), kept AS (
    INSERT INTO issued_statement_file (customer_id, statement_id, format, account_id, content, sha256)
    SELECT customer_id, statement_id, %(format)s, account_id, %(content)s, %(sha256)s FROM statement
    ON CONFLICT DO NOTHING
)
SELECT statement_id FROM statement;
