-- name: next_number
-- The next number of an account's cases; until the transaction ends it is this one's.
SELECT (SELECT coalesce(max(number), 0) + 1 FROM customer_case WHERE account_id = %(account_id)s)
FROM pg_advisory_xact_lock(hashtextextended('customer_case ' || %(account_id)s::uuid::text, 0));

-- name: next_number_of_own
-- The same for the member's own account, asked as the portal, which may not see them all.
SELECT portal_case_number();

-- name: opened_lately
-- How many cases somebody opened since an instant.
SELECT count(*) FROM customer_case
WHERE account_id = %(account_id)s AND opened_at > %(since)s AND opened_by_name IS NOT NULL
    AND member_id IS NOT DISTINCT FROM %(member_id)s;

-- name: open_case
-- A case under its number; one row when its account is there, and what it is about is the account's.
INSERT INTO customer_case (
    customer_id, case_id, account_id, number, kind, subject, entry_id, order_id, is_dispute, member_id, opened_by, opened_by_name,
    opened_at, last_message_at)
SELECT
    account.customer_id, %(case_id)s, account.account_id, %(number)s, %(kind)s, %(subject)s, %(entry_id)s, %(order_id)s,
    %(is_dispute)s, %(member_id)s, %(author_id)s, %(author_name)s, %(now)s, %(now)s
FROM account
WHERE account.account_id = %(account_id)s
    AND (%(entry_id)s::uuid IS NULL OR EXISTS (SELECT FROM ledger_entry AS named WHERE named.customer_id = account.customer_id
        AND named.account_id = account.account_id AND named.entry_id = %(entry_id)s))
    AND (%(order_id)s::uuid IS NULL OR EXISTS (SELECT FROM sales_order AS named WHERE named.customer_id = account.customer_id
        AND named.account_id = account.account_id AND named.order_id = %(order_id)s
        AND (%(sites)s::text[] IS NULL OR named.location = ANY (%(sites)s::text[]))))
RETURNING customer_id;

-- name: find_case
-- A case, its state and how long its thread is; of a member's account, in so far as their role sees it.
SELECT customer_id, account_id, status,
    (SELECT count(*) FROM case_message AS said WHERE said.customer_id = found.customer_id AND said.case_id = found.case_id)
FROM customer_case AS found
WHERE case_id = %(case_id)s AND (
    %(role)s::text IS NULL OR (account_id = %(account_id)s AND (
        %(role)s = 'client_admin' OR (%(role)s IN ('finance', 'buyer') AND member_id = %(member_id)s)
        OR (%(role)s = 'finance' AND (kind = 'invoice_query' OR entry_id IS NOT NULL)))
        AND (%(sites)s::text[] IS NULL OR (entry_id IS NULL AND (order_id IS NULL OR EXISTS (
            SELECT FROM sales_order AS named WHERE named.customer_id = found.customer_id AND named.order_id = found.order_id
                AND named.location = ANY (%(sites)s::text[])))))));

-- name: add_message
-- A message, or what happened, at the end of a case's thread.
INSERT INTO case_message (
    customer_id, message_id, case_id, account_id, event, author, author_id, author_name, body, satisfied, written_at)
VALUES (
    %(customer_id)s, %(message_id)s, %(case_id)s, %(account_id)s, %(event)s, %(author)s, %(author_id)s, %(author_name)s, %(body)s,
    %(satisfied)s, %(now)s);

-- name: add_files
-- Files of a message, all at once.
INSERT INTO case_file (customer_id, message_id, case_id, account_id, name, media_type, size_bytes, sha256, content)
SELECT %(customer_id)s, %(message_id)s, %(case_id)s, %(account_id)s, name, media_type, length(content), sha256(content), content
FROM unnest(%(names)s::text[], %(media_types)s::text[], %(contents)s::bytea[]) AS given (name, media_type, content);

-- name: told
-- Do what follows from a message: the case's state, a dispute, the contact.
SELECT case_message_told(%(message_id)s, %(today)s, %(hours_standard)s, %(hours_key)s);

-- name: told_of_own
-- The same for the member's own message, asked as the portal.
SELECT portal_case_message_told(%(message_id)s, %(today)s, %(hours_standard)s, %(hours_key)s);

-- name: name_of_member
-- What a member is called.
SELECT name FROM member WHERE member_id = %(member_id)s;

-- name: name_of_staff
-- What somebody of the staff is called, by the subject they sign in as.
SELECT name FROM staff WHERE subject = %(subject)s LIMIT 1;

-- name: staff_by_email
-- Somebody of the staff who is still with us.
SELECT staff_id, name FROM staff WHERE email = lower(%(email)s) AND disabled_at IS NULL;

-- name: assign
-- Hand a case to somebody of the staff; a row when that is new.
UPDATE customer_case SET assigned_staff_id = %(staff_id)s
WHERE customer_id = %(customer_id)s AND case_id = %(case_id)s AND assigned_staff_id IS DISTINCT FROM %(staff_id)s
RETURNING case_id;
