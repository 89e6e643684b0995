-- name: claim_entry_keys
-- Entries not heard of before get an id.
INSERT INTO ledger_entry_key (source_id, external_id, record_id, customer_id)
SELECT source_id, external_id, new_id(), customer_id
FROM json_to_recordset(%(records)s) AS given (source_id uuid, external_id text, customer_id uuid)
ORDER BY source_id, external_id
ON CONFLICT DO NOTHING;

-- name: lock_entry_keys
-- Where each entry lives, locked until the transaction ends, so that two writers about one entry take turns.
SELECT key.source_id, key.external_id, key.record_id, key.customer_id, key.version
FROM ledger_entry_key AS key
JOIN json_to_recordset(%(records)s) AS given (source_id uuid, external_id text) USING (source_id, external_id)
ORDER BY key.source_id, key.external_id
FOR UPDATE OF key;

-- name: release_entry_keys
-- Keys of entries that were refused: as if never heard of.
DELETE FROM ledger_entry_key AS key
USING json_to_recordset(%(records)s) AS given (source_id uuid, external_id text)
WHERE key.source_id = given.source_id AND key.external_id = given.external_id;

-- name: entries_at
-- Entries of (customer, entry) pairs, each with the entry that reverses it.
SELECT entry.entry_id, entry.customer_id, entry.account_id, entry.kind, entry.document_number, entry.currency,
    entry.amount, entry.posted_on, entry.due_on, entry.order_id, entry.purchase_order, entry.description,
    entry.reverses_entry_id, reversal.entry_id AS reversed_by
FROM ledger_entry AS entry
JOIN unnest(%(customer_ids)s::uuid[], %(entry_ids)s::uuid[]) AS given (customer_id, entry_id)
    USING (customer_id, entry_id)
LEFT JOIN ledger_entry AS reversal
    ON reversal.customer_id = entry.customer_id AND reversal.reverses_entry_id = entry.entry_id;

-- name: append_entries
-- New entries, as judged.
INSERT INTO ledger_entry (
    customer_id, entry_id, account_id, source_id, kind, document_number, currency, amount, posted_on, due_on,
    reverses_entry_id, order_id, purchase_order, description)
SELECT
    customer_id, entry_id, account_id, source_id, kind, document_number, currency, amount, posted_on, due_on,
    reverses_entry_id, order_id, purchase_order, description
FROM json_to_recordset(%(entries)s) AS given (
    customer_id uuid, entry_id uuid, account_id uuid, source_id uuid, kind text, document_number text, currency text,
    amount numeric, posted_on date, due_on date, reverses_entry_id uuid, order_id uuid, purchase_order text,
    description text);

-- name: allocated_entries
-- Entries as allocations see them; `used` leaves out allocations whose other side is reversed.
SELECT entry.entry_id, entry.customer_id, entry.account_id, entry.currency, entry.amount, entry.posted_on,
    entry.reverses_entry_id IS NOT NULL AS is_reversal,
    EXISTS (
        SELECT FROM ledger_entry AS reversal
        WHERE reversal.customer_id = entry.customer_id AND reversal.reverses_entry_id = entry.entry_id) AS is_reversed,
    coalesce((
        SELECT sum(paid.amount) FROM allocation AS paid
        WHERE paid.customer_id = entry.customer_id AND paid.debit_entry_id = entry.entry_id
            AND NOT EXISTS (
                SELECT FROM ledger_entry AS reversal
                WHERE reversal.customer_id = paid.customer_id AND reversal.reverses_entry_id = paid.credit_entry_id)), 0)
    + coalesce((
        SELECT sum(spent.amount) FROM allocation AS spent
        WHERE spent.customer_id = entry.customer_id AND spent.credit_entry_id = entry.entry_id
            AND NOT EXISTS (
                SELECT FROM ledger_entry AS reversal
                WHERE reversal.customer_id = spent.customer_id AND reversal.reverses_entry_id = spent.debit_entry_id)), 0)
    AS used
FROM ledger_entry AS entry
JOIN unnest(%(customer_ids)s::uuid[], %(entry_ids)s::uuid[]) AS given (customer_id, entry_id)
    USING (customer_id, entry_id);

-- name: allocation_keys
-- Where each allocation lives; unknown ones are absent.
SELECT key.source_id, key.external_id, key.record_id, key.customer_id, key.version
FROM allocation_key AS key
JOIN json_to_recordset(%(records)s) AS given (source_id uuid, external_id text) USING (source_id, external_id);

-- name: allocations_at
-- Allocations of (customer, allocation) pairs.
SELECT allocation_id, credit_entry_id, debit_entry_id, amount, allocated_on
FROM allocation
JOIN unnest(%(customer_ids)s::uuid[], %(allocation_ids)s::uuid[]) AS given (customer_id, allocation_id)
    USING (customer_id, allocation_id);

-- name: append_allocation_keys
-- Ids for new allocations. A key that is there already, from another transaction, is an error: the batch is tried again.
INSERT INTO allocation_key (source_id, external_id, record_id, customer_id)
SELECT source_id, external_id, new_id(), customer_id
FROM json_to_recordset(%(allocations)s) AS given (source_id uuid, external_id text, customer_id uuid)
RETURNING source_id, external_id, record_id;

-- name: append_allocations
-- New allocations, as judged.
INSERT INTO allocation (
    customer_id, allocation_id, account_id, credit_entry_id, debit_entry_id, amount, allocated_on, effective_on)
SELECT customer_id, allocation_id, account_id, credit_entry_id, debit_entry_id, amount, allocated_on, effective_on
FROM json_to_recordset(%(allocations)s) AS given (
    customer_id uuid, allocation_id uuid, account_id uuid, credit_entry_id uuid, debit_entry_id uuid, amount numeric,
    allocated_on date, effective_on date);

-- name: claim_dispute_keys
-- Disputes not heard of before get an id.
INSERT INTO dispute_key (source_id, external_id, record_id, customer_id)
SELECT source_id, external_id, new_id(), customer_id
FROM json_to_recordset(%(records)s) AS given (source_id uuid, external_id text, customer_id uuid)
ORDER BY source_id, external_id
ON CONFLICT DO NOTHING;

-- name: lock_dispute_keys
-- Where each dispute lives, locked until the transaction ends.
SELECT key.source_id, key.external_id, key.record_id, key.customer_id, key.version
FROM dispute_key AS key
JOIN json_to_recordset(%(records)s) AS given (source_id uuid, external_id text) USING (source_id, external_id)
ORDER BY key.source_id, key.external_id
FOR UPDATE OF key;

-- name: put_disputes
-- Disputes as told last; equal ones are left untouched.
INSERT INTO dispute AS stored (customer_id, dispute_id, account_id, entry_id, reason, opened_on, closed_on)
SELECT customer_id, dispute_id, account_id, entry_id, reason, opened_on, closed_on
FROM json_to_recordset(%(disputes)s) AS given (
    customer_id uuid, dispute_id uuid, account_id uuid, entry_id uuid, reason text, opened_on date, closed_on date)
ON CONFLICT (customer_id, dispute_id) DO UPDATE SET
    reason = excluded.reason, opened_on = excluded.opened_on, closed_on = excluded.closed_on
WHERE (stored.reason, stored.opened_on, stored.closed_on)
    IS DISTINCT FROM (excluded.reason, excluded.opened_on, excluded.closed_on);

-- name: claim_shipment_keys
-- Shipments not heard of before get an id. Version -1: nothing told yet.
INSERT INTO shipment_key (source_id, external_id, record_id, customer_id, version)
SELECT source_id, external_id, new_id(), customer_id, -1
FROM json_to_recordset(%(records)s) AS given (source_id uuid, external_id text, customer_id uuid)
ORDER BY source_id, external_id
ON CONFLICT DO NOTHING;

-- name: lock_shipment_keys
-- Where each shipment lives, locked until the transaction ends.
SELECT key.source_id, key.external_id, key.record_id, key.customer_id, key.version
FROM shipment_key AS key
JOIN json_to_recordset(%(records)s) AS given (source_id uuid, external_id text) USING (source_id, external_id)
ORDER BY key.source_id, key.external_id
FOR UPDATE OF key;

-- name: advance_shipment_keys
-- The version each shipment is at.
UPDATE shipment_key AS key SET version = given.version
FROM json_to_recordset(%(shipments)s) AS given (source_id uuid, external_id text, version bigint)
WHERE key.source_id = given.source_id AND key.external_id = given.external_id AND key.version < given.version;

-- name: orders_of_shipments
-- The order each stored shipment belongs to.
SELECT shipment_id, order_id
FROM shipment
JOIN unnest(%(customer_ids)s::uuid[], %(shipment_ids)s::uuid[]) AS given (customer_id, shipment_id)
    USING (customer_id, shipment_id);

-- name: put_shipments
-- Shipments as told, in the account of their order; equal ones are left untouched. Returns those that are new (no
-- transaction has replaced the row) or other than before.
INSERT INTO shipment AS stored (
    customer_id, shipment_id, order_id, account_id, source_id, number, status, carrier, tracking_number, tracking_url,
    promised_on, shipped_at, delivered_at, version)
SELECT
    given.customer_id, given.shipment_id, given.order_id, sales_order.account_id, given.source_id, given.number,
    given.status, given.carrier, given.tracking_number, given.tracking_url, given.promised_on, given.shipped_at,
    given.delivered_at, given.version
FROM json_to_recordset(%(shipments)s) AS given (
    customer_id uuid, shipment_id uuid, order_id uuid, source_id uuid, number text, status text, carrier text,
    tracking_number text, tracking_url text, promised_on date, shipped_at timestamptz, delivered_at timestamptz,
    version bigint)
JOIN sales_order USING (customer_id, order_id)
ON CONFLICT (customer_id, shipment_id) DO UPDATE SET
    number = excluded.number, status = excluded.status, carrier = excluded.carrier,
    tracking_number = excluded.tracking_number, tracking_url = excluded.tracking_url,
    promised_on = excluded.promised_on, shipped_at = excluded.shipped_at, delivered_at = excluded.delivered_at,
    version = excluded.version
WHERE (stored.number, stored.status, stored.carrier, stored.tracking_number, stored.tracking_url, stored.promised_on,
       stored.shipped_at, stored.delivered_at, stored.version)
    IS DISTINCT FROM
      (excluded.number, excluded.status, excluded.carrier, excluded.tracking_number, excluded.tracking_url,
       excluded.promised_on, excluded.shipped_at, excluded.delivered_at, excluded.version)
RETURNING stored.customer_id, stored.shipment_id, stored.order_id, stored.account_id, stored.status, stored.xmax = 0;

-- name: drop_shipment_lines
-- Lines that the newest record of their shipment no longer has.
DELETE FROM shipment_line AS line
USING unnest(%(customer_ids)s::uuid[], %(shipment_ids)s::uuid[]) AS given (customer_id, shipment_id)
WHERE line.customer_id = given.customer_id AND line.shipment_id = given.shipment_id
    AND NOT EXISTS (
        SELECT FROM json_to_recordset(%(lines)s) AS kept (shipment_id uuid, line_no integer)
        WHERE kept.shipment_id = line.shipment_id AND kept.line_no = line.line_no);

-- name: put_shipment_lines
-- Lines as told; equal ones are left untouched.
INSERT INTO shipment_line AS stored (customer_id, shipment_id, line_no, order_id, account_id, quantity)
SELECT given.customer_id, given.shipment_id, given.line_no, shipment.order_id, shipment.account_id, given.quantity
FROM json_to_recordset(%(lines)s) AS given (customer_id uuid, shipment_id uuid, line_no integer, quantity numeric)
JOIN shipment USING (customer_id, shipment_id)
ON CONFLICT (customer_id, shipment_id, line_no) DO UPDATE SET quantity = excluded.quantity
WHERE stored.quantity <> excluded.quantity;
