-- name: begin
-- Notices begin with what changes from now on.
INSERT INTO notice_progress (transaction_id, seq) VALUES (pg_snapshot_xmin(pg_current_snapshot())::text::bigint, 0)
ON CONFLICT DO NOTHING;

-- name: take_turn
-- How far the feed was gone through; of several workers one at a time goes on.
SELECT transaction_id, seq FROM notice_progress FOR UPDATE SKIP LOCKED;

-- name: shipped
-- Members to be told of shipments that left, by the next changes of the feed, as far as they are final; and where those end.
WITH page AS MATERIALIZED (
    SELECT transaction_id, seq, kind, subject_id, data FROM change
    WHERE (transaction_id, seq) > (%(transaction_id)s, %(seq)s)
        AND transaction_id < (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
    ORDER BY transaction_id, seq LIMIT %(most)s
), told AS (
    SELECT DISTINCT shipment.customer_id, shipment.account_id, shipment.shipment_id, membership.member_id
    FROM page
        JOIN shipment ON shipment.shipment_id = page.subject_id
        JOIN sales_order ON sales_order.customer_id = shipment.customer_id AND sales_order.order_id = shipment.order_id
        JOIN membership ON membership.account_id = shipment.account_id AND membership.role = ANY (%(roles)s)
            AND (membership.sites IS NULL OR sales_order.location = ANY (membership.sites))
    WHERE page.kind IN ('shipment.created', 'shipment.changed') AND page.data ->> 'status' = 'shipped'
        AND shipment.shipped_at >= %(since)s
)
SELECT last.transaction_id, last.seq, (SELECT count(*) FROM page), told.*
FROM (SELECT transaction_id, seq FROM page ORDER BY transaction_id DESC, seq DESC LIMIT 1) AS last LEFT JOIN told ON true;

-- name: move_on
-- The feed was gone through up to here.
UPDATE notice_progress SET transaction_id = %(transaction_id)s, seq = %(seq)s;

-- name: written
-- Messages that nobody was told of yet: ours go to the members who take part in the case, theirs to who looks after it, or stands
-- in while they are away.
WITH new AS (
    UPDATE case_message SET noticed_at = %(now)s WHERE (customer_id, message_id) IN (
        SELECT customer_id, message_id FROM case_message WHERE noticed_at IS NULL ORDER BY message_id LIMIT %(most)s
        FOR UPDATE SKIP LOCKED
    ) RETURNING customer_id, account_id, case_id, message_id, event, author
)
SELECT new.customer_id, new.account_id, 'case_answered' AS kind, new.message_id, 'member' AS recipient, membership.member_id
FROM new
    JOIN customer_case AS about ON about.customer_id = new.customer_id AND about.case_id = new.case_id
    JOIN membership ON membership.account_id = new.account_id AND membership.role <> 'viewer'
WHERE new.author = 'staff' AND new.event IN ('message', 'closed') AND (
    membership.member_id = about.member_id OR EXISTS (
        SELECT FROM case_message AS said WHERE said.customer_id = new.customer_id AND said.case_id = new.case_id
            AND said.author_id = 'member:' || membership.member_id))
UNION
SELECT new.customer_id, new.account_id, 'case_waiting', new.message_id, 'staff', staff.staff_id
FROM new
    JOIN customer_case AS about ON about.customer_id = new.customer_id AND about.case_id = new.case_id
    JOIN account ON account.customer_id = new.customer_id AND account.account_id = new.account_id
    JOIN staff ON staff.staff_id = stands_in(coalesce(about.assigned_staff_id, account.manager_staff_id), %(today)s)
        AND staff.disabled_at IS NULL
WHERE new.author = 'member' AND new.event IN ('message', 'closed');

-- name: due
-- Invoices that are due soon, with something left and no dispute open, and who is to be told: once for each.
SELECT entry.customer_id, entry.account_id, entry.entry_id, membership.member_id
FROM membership
    JOIN ledger_entry AS entry ON entry.account_id = membership.account_id
WHERE membership.role = ANY (%(roles)s) AND entry.kind = 'invoice' AND entry.reverses_entry_id IS NULL
    AND entry.due_on BETWEEN %(today)s AND %(until)s
    AND entry.amount > coalesce((SELECT sum(part.amount) FROM allocation AS part WHERE part.customer_id = entry.customer_id
        AND part.debit_entry_id = entry.entry_id AND part.effective_on <= %(today)s), 0)
    AND NOT EXISTS (SELECT FROM ledger_entry AS reversal WHERE reversal.customer_id = entry.customer_id
        AND reversal.reverses_entry_id = entry.entry_id AND reversal.posted_on <= %(today)s)
    AND NOT EXISTS (SELECT FROM dispute WHERE dispute.customer_id = entry.customer_id AND dispute.entry_id = entry.entry_id
        AND dispute.opened_on <= %(today)s AND (dispute.closed_on IS NULL OR dispute.closed_on > %(today)s))
    AND NOT EXISTS (SELECT FROM notice WHERE notice.customer_id = entry.customer_id AND notice.kind = 'invoice_due'
        AND notice.subject_id = entry.entry_id AND notice.recipient = 'member' AND notice.recipient_id = membership.member_id);

-- name: make
-- Notices, each once: what was noticed before stays as it is.
INSERT INTO notice (customer_id, account_id, kind, topic, subject_id, recipient, recipient_id, state, send_at, settled_at, problem)
SELECT customer_id, account_id, kind, topic, subject_id, recipient, recipient_id, CASE WHEN send_at IS NULL THEN 'withheld' ELSE 'waiting' END,
    coalesce(send_at, %(now)s), CASE WHEN send_at IS NULL THEN %(now)s::timestamptz END, CASE WHEN send_at IS NULL THEN 'not_wanted' END
FROM json_to_recordset(%(notices)s) AS given (
    customer_id uuid, account_id uuid, kind text, topic text, subject_id uuid, recipient text, recipient_id uuid, send_at timestamptz)
ON CONFLICT DO NOTHING;

-- name: claim
-- Notices that are due, for this worker until the claim runs out.
WITH due AS (
    SELECT customer_id, notice_id FROM notice
    WHERE state = 'waiting' AND send_at <= %(now)s AND (claimed_until IS NULL OR claimed_until < %(now)s)
    ORDER BY send_at, notice_id LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
UPDATE notice SET claimed_until = %(now)s + %(lease)s, attempts = notice.attempts + 1
FROM due WHERE notice.customer_id = due.customer_id AND notice.notice_id = due.notice_id
RETURNING notice.notice_id, notice.account_id, notice.kind, notice.topic, notice.subject_id, notice.recipient, notice.recipient_id,
    notice.attempts;

-- name: settle
-- What came of notices: sent, withheld or failed; or waiting, to be tried again at another time.
UPDATE notice SET state = given.state, problem = given.problem, claimed_until = NULL, send_at = coalesce(given.send_at, notice.send_at),
    settled_at = CASE WHEN given.state <> 'waiting' THEN %(now)s END
FROM json_to_recordset(%(outcomes)s) AS given (notice_id uuid, state text, problem text, send_at timestamptz)
WHERE notice.notice_id = given.notice_id AND notice.state = 'waiting';

-- name: invoices
-- What letters say of invoices; those that are paid by now are left out.
SELECT entry.entry_id, entry.document_number, entry.due_on, entry.currency, open.amount, entry.purchase_order, account.number
FROM ledger_entry AS entry
    JOIN account ON account.customer_id = entry.customer_id AND account.account_id = entry.account_id
    CROSS JOIN LATERAL (
        SELECT entry.amount - coalesce(sum(part.amount), 0) AS amount FROM allocation AS part
        WHERE part.customer_id = entry.customer_id AND part.debit_entry_id = entry.entry_id AND part.effective_on <= %(today)s
    ) AS open
WHERE entry.entry_id = ANY (%(ids)s) AND open.amount > 0;

-- name: shipments
-- What letters say of shipments.
SELECT shipment.shipment_id, sales_order.order_id, sales_order.number, sales_order.purchase_order, shipment.carrier,
    shipment.promised_on, account.number, sales_order.location
FROM shipment
    JOIN sales_order ON sales_order.customer_id = shipment.customer_id AND sales_order.order_id = shipment.order_id
    JOIN account ON account.customer_id = shipment.customer_id AND account.account_id = shipment.account_id
WHERE shipment.shipment_id = ANY (%(ids)s) AND shipment.status <> 'planned';

-- name: messages
-- What letters say of messages in cases: not what they say, since mail is read by many.
SELECT said.message_id, about.case_id, about.number, about.subject, said.event, said.author_name, about.respond_by,
    account.number, account.name, about.entry_id IS NOT NULL, about.order_id IS NOT NULL, sales_order.location
FROM case_message AS said
    JOIN customer_case AS about ON about.customer_id = said.customer_id AND about.case_id = said.case_id
    LEFT JOIN sales_order ON sales_order.customer_id = about.customer_id AND sales_order.order_id = about.order_id
    JOIN account ON account.customer_id = said.customer_id AND account.account_id = said.account_id
WHERE said.message_id = ANY (%(ids)s);

-- name: still_may
-- Of members and accounts, those who still belong together: as what, and limited to which sites.
SELECT membership.member_id, membership.account_id, membership.role, membership.sites FROM membership
WHERE (membership.member_id, membership.account_id) IN (SELECT * FROM unnest(%(members)s::uuid[], %(accounts)s::uuid[]));

-- name: staff
-- Whom of the staff letters go to.
SELECT staff_id, email, name FROM staff WHERE staff_id = ANY (%(ids)s) AND disabled_at IS NULL;
