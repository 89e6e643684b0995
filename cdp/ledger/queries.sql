-- name: claim_account_keys
-- Numbers not heard of before get an account id; the account itself follows in put_accounts.
INSERT INTO account_key (number, account_id, customer_id)
SELECT given.number, new_id(), given.customer_id
FROM json_to_recordset(%(accounts)s) AS given (number text, customer_id uuid)
ORDER BY given.number
ON CONFLICT DO NOTHING;

-- name: account_keys
-- Account and holder of each number, in order of number.
SELECT number, account_id, customer_id FROM account_key WHERE number = ANY (%(numbers)s) ORDER BY number;

-- name: lock_account_keys
-- The same, locked until the transaction ends, so that two deliveries of one account take turns.
SELECT number, account_id, customer_id FROM account_key WHERE number = ANY (%(numbers)s) ORDER BY number FOR UPDATE;

-- name: accounts_at
-- The accounts of (customer, account) pairs.
SELECT account.number, account.account_id, account.customer_id, account.profile_id, account.currency, account.version
FROM account
JOIN unnest(%(customer_ids)s::uuid[], %(account_ids)s::uuid[]) AS given (customer_id, account_id)
    USING (customer_id, account_id);

-- name: put_accounts
-- Accounts as told: new ones, and newer versions of known ones; equal content is left untouched. Returns those that are
-- new (no transaction has replaced the row) or other than before.
INSERT INTO account AS stored (
    customer_id, account_id, profile_id, source_id, number, name, tier, currency, legal_name, tax_id, credit_limit,
    payment_terms_days, manager_staff_id, opened_on, billing_address, delivery_address, bank_name, bank_account_ending,
    version)
SELECT
    customer_id, account_id, profile_id, source_id, number, name, tier, currency, legal_name, tax_id, credit_limit,
    payment_terms_days, manager_staff_id, opened_on, billing_address, delivery_address, bank_name, bank_account_ending,
    version
FROM json_to_recordset(%(accounts)s) AS given (
    customer_id uuid, account_id uuid, profile_id uuid, source_id uuid, number text, name text, tier text, currency
    text, legal_name text, tax_id text, credit_limit numeric, payment_terms_days integer, manager_staff_id uuid,
    opened_on date, billing_address text, delivery_address text, bank_name text, bank_account_ending text, version bigint)
ON CONFLICT (customer_id, account_id) DO UPDATE SET
    profile_id = excluded.profile_id, source_id = excluded.source_id, name = excluded.name, tier = excluded.tier,
    currency = excluded.currency, legal_name = excluded.legal_name, tax_id = excluded.tax_id,
    credit_limit = excluded.credit_limit, payment_terms_days = excluded.payment_terms_days,
    manager_staff_id = excluded.manager_staff_id, opened_on = excluded.opened_on,
    billing_address = excluded.billing_address, delivery_address = excluded.delivery_address,
    bank_name = excluded.bank_name, bank_account_ending = excluded.bank_account_ending, version = excluded.version,
    updated_at = now()
WHERE (stored.profile_id, stored.source_id, stored.name, stored.tier, stored.currency, stored.legal_name, stored.tax_id,
       stored.credit_limit, stored.payment_terms_days, stored.manager_staff_id, stored.opened_on,
       stored.billing_address, stored.delivery_address, stored.bank_name, stored.bank_account_ending, stored.version)
    IS DISTINCT FROM
      (excluded.profile_id, excluded.source_id, excluded.name, excluded.tier, excluded.currency, excluded.legal_name,
       excluded.tax_id, excluded.credit_limit, excluded.payment_terms_days, excluded.manager_staff_id,
       excluded.opened_on, excluded.billing_address, excluded.delivery_address, excluded.bank_name,
       excluded.bank_account_ending, excluded.version)
RETURNING stored.customer_id, stored.account_id, stored.xmax = 0;

-- name: accounts_of_customers
-- One account of each customer that has any: the oldest in the wanted currency, else the oldest.
SELECT DISTINCT ON (account.customer_id) account.customer_id, account.account_id
FROM account
JOIN json_to_recordset(%(wanted)s) AS given (customer_id uuid, currency text) USING (customer_id)
ORDER BY account.customer_id, account.currency = given.currency DESC, account.created_at, account.account_id;

-- name: hold_account_opening
-- Take turns with other transactions that open accounts for the same customers. 64 locks at most, always in the same
-- order.
SELECT pg_advisory_xact_lock(7461, bucket)
FROM (SELECT DISTINCT mod(hashtext(customer_id::text)::bigint + 2147483648, 64)::integer AS bucket
      FROM unnest(%(customer_ids)s::uuid[]) AS given (customer_id) ORDER BY 1) AS buckets;

-- name: next_consumer_numbers
-- As many new account numbers as asked for.
SELECT 'C-' || nextval('consumer_account_number') FROM generate_series(1, %(count)s);

-- name: claim_order_keys
-- Orders not heard of before get an id. Version -1: nothing told yet but, perhaps, events.
INSERT INTO order_key (source_id, external_id, record_id, customer_id, version)
SELECT given.source_id, given.external_id, new_id(), given.customer_id, -1
FROM json_to_recordset(%(orders)s) AS given (source_id uuid, external_id text, customer_id uuid)
ORDER BY given.source_id, given.external_id
ON CONFLICT DO NOTHING;

-- name: lock_order_keys
-- Where each order lives, locked until the transaction ends, so that two tellings of one order take turns.
SELECT key.source_id, key.external_id, key.record_id, key.customer_id, key.version
FROM order_key AS key
JOIN json_to_recordset(%(orders)s) AS given (source_id uuid, external_id text) USING (source_id, external_id)
ORDER BY key.source_id, key.external_id
FOR UPDATE OF key;

-- name: order_homes
-- Where each order lives, without a lock; unknown orders are absent.
SELECT key.source_id, key.external_id, key.record_id, key.customer_id, key.version
FROM order_key AS key
JOIN json_to_recordset(%(records)s) AS given (source_id uuid, external_id text) USING (source_id, external_id);

-- name: orders_at
-- Account and number of (customer, order) pairs.
SELECT sales_order.order_id, sales_order.customer_id, sales_order.account_id, sales_order.number
FROM sales_order
JOIN unnest(%(customer_ids)s::uuid[], %(order_ids)s::uuid[]) AS given (customer_id, order_id) USING (customer_id,
order_id);

-- name: note_changed_promises
-- Orders that are about to be promised for another day than before: both days, as an event. Run before put_orders.
INSERT INTO order_event (
    customer_id, order_id, account_id, kind, occurred_at, source_id, record_key, promised_from, promised_on)
SELECT
    stored.customer_id, stored.order_id, stored.account_id, 'updated', coalesce(given.told_at, now()), given.source_id,
    'promise:' || given.version || ':' || given.promised_on, stored.promised_on, given.promised_on
FROM json_to_recordset(%(orders)s) AS given (
    customer_id uuid, order_id uuid, source_id uuid, promised_on date, version bigint, told_at timestamptz)
JOIN sales_order AS stored USING (customer_id, order_id)
WHERE given.version >= greatest(stored.version, 0) AND given.promised_on <> stored.promised_on
ON CONFLICT (customer_id, order_id, record_key) DO NOTHING;

-- name: put_orders
-- Orders as told: new ones, and full records of an equal or higher version. An order stays in its account and keeps
-- who placed it. Returns those that are new (no transaction has replaced the row) or other than before.
INSERT INTO sales_order AS stored (
    customer_id, order_id, account_id, profile_id, contact_customer_id, source_id, number, status, stated_status,
    channel, division, location, purchase_order, placed_at, promised_on, currency, total, version)
SELECT
    customer_id, order_id, account_id, profile_id, contact_customer_id, source_id, number, coalesce(status, 'placed'),
    status, channel, division, location, purchase_order, placed_at, promised_on, currency, total, version
FROM json_to_recordset(%(orders)s) AS given (
    customer_id uuid, order_id uuid, account_id uuid, profile_id uuid, contact_customer_id uuid, source_id uuid, number
    text, status text, channel text, division text, location text, purchase_order text, placed_at timestamptz,
    promised_on date, currency text, total numeric, version bigint)
ON CONFLICT (customer_id, order_id) DO UPDATE SET
    contact_customer_id = excluded.contact_customer_id, number = excluded.number, stated_status =
    excluded.stated_status, channel = excluded.channel, division = excluded.division, location = excluded.location,
    purchase_order = excluded.purchase_order, placed_at = excluded.placed_at, promised_on = excluded.promised_on,
    currency = excluded.currency, total = excluded.total, version = excluded.version, updated_at = now()
WHERE excluded.version >= greatest(stored.version, 0)
    AND (stored.contact_customer_id, stored.number, stored.stated_status, stored.channel, stored.division,
    stored.location,
         stored.purchase_order, stored.placed_at, stored.promised_on, stored.currency, stored.total, stored.version)
        IS DISTINCT FROM
        (excluded.contact_customer_id, excluded.number, excluded.stated_status, excluded.channel, excluded.division,
         excluded.location, excluded.purchase_order, excluded.placed_at, excluded.promised_on, excluded.currency,
         excluded.total, excluded.version)
RETURNING stored.customer_id, stored.order_id, stored.account_id, stored.status, stored.xmax = 0;

-- name: advance_order_keys
-- The version each order's content is at.
UPDATE order_key AS key SET version = given.version
FROM json_to_recordset(%(orders)s) AS given (source_id uuid, external_id text, version bigint)
WHERE key.source_id = given.source_id AND key.external_id = given.external_id AND key.version < given.version;

-- name: drop_order_lines
-- Lines that the newest record of their order no longer has, and the orders they were in.
WITH dropped AS (
    DELETE FROM order_line AS line
    USING unnest(%(customer_ids)s::uuid[], %(order_ids)s::uuid[]) AS given (customer_id, order_id)
    WHERE line.customer_id = given.customer_id AND line.order_id = given.order_id
        AND NOT EXISTS (
            SELECT FROM json_to_recordset(%(lines)s) AS kept (order_id uuid, line_no integer)
            WHERE kept.order_id = line.order_id AND kept.line_no = line.line_no)
    RETURNING line.customer_id, line.order_id, line.account_id
)
SELECT DISTINCT customer_id, order_id, account_id FROM dropped;

-- name: put_order_lines
-- Lines as told, in the account of their order; equal ones are left untouched. Returns the orders of the others.
WITH put AS (
    INSERT INTO order_line AS stored (
        customer_id, order_id, line_no, account_id, product, name, category, quantity, quantity_cancelled,
        quantity_returned, unit_price, amount, currency, promised_on)
    SELECT
        given.customer_id, given.order_id, given.line_no, sales_order.account_id, given.product, given.name,
        given.category, given.quantity, given.quantity_cancelled, given.quantity_returned, given.unit_price,
        given.amount, sales_order.currency, given.promised_on
    FROM json_to_recordset(%(lines)s) AS given (
        customer_id uuid, order_id uuid, line_no integer, product text, name text, category text, quantity numeric,
        quantity_cancelled numeric, quantity_returned numeric, unit_price numeric, amount numeric, promised_on date)
    JOIN sales_order USING (customer_id, order_id)
    ON CONFLICT (customer_id, order_id, line_no) DO UPDATE SET
        product = excluded.product, name = excluded.name, category = excluded.category, quantity = excluded.quantity,
        quantity_cancelled = excluded.quantity_cancelled, quantity_returned = excluded.quantity_returned,
        unit_price = excluded.unit_price, amount = excluded.amount, currency = excluded.currency, promised_on =
        excluded.promised_on
    WHERE stored IS DISTINCT FROM excluded
    RETURNING stored.customer_id, stored.order_id, stored.account_id
)
SELECT DISTINCT customer_id, order_id, account_id FROM put;

-- name: put_order_events
-- Events not told before.
INSERT INTO order_event (
    customer_id, order_id, account_id, kind, occurred_at, note, source_id, amount, currency, record_key)
SELECT
    given.customer_id, given.order_id, sales_order.account_id, given.kind, given.occurred_at, given.note,
    given.source_id, given.amount, given.currency, given.record_key
FROM json_to_recordset(%(events)s) AS given (
    customer_id uuid, order_id uuid, kind text, occurred_at timestamptz, note text, source_id uuid, amount numeric,
    currency text, record_key text)
JOIN sales_order USING (customer_id, order_id)
ON CONFLICT (customer_id, order_id, record_key) DO NOTHING;

-- name: settle_orders
-- Status and refunded amount of orders from everything known about them: the furthest of what the source states and
-- what events and shipments prove; a cancellation or a full return ends it. A shipment without lines carries the whole order.
-- Lateral, so that an order costs its own few index reads, however many orders and whatever the planner believes.
WITH given AS MATERIALIZED (
    SELECT DISTINCT customer_id, order_id
    FROM unnest(%(customer_ids)s::uuid[], %(order_ids)s::uuid[]) AS given (customer_id, order_id)
), settled AS (
    SELECT sales_order.customer_id, sales_order.order_id, coalesce(event.refunded, 0) AS refunded,
        sales_order.status AS status_before,
        CASE
            WHEN sales_order.stated_status IN ('cancelled', 'returned') THEN sales_order.stated_status
            WHEN event.cancelled OR line.all_cancelled THEN 'cancelled'
            WHEN line.all_returned THEN 'returned'
            ELSE (ARRAY['placed', 'confirmed', 'partly_shipped', 'shipped', 'delivered'])[greatest(
                array_position(
                    ARRAY['placed', 'confirmed', 'partly_shipped', 'shipped', 'delivered'], sales_order.stated_status),
                CASE
                    WHEN whole.delivered OR line.some_shipped AND line.all_delivered THEN 5
                    WHEN whole.shipped OR line.some_shipped AND line.all_shipped THEN 4
                    WHEN line.some_shipped THEN 3
                    WHEN event.confirmed THEN 2
                    ELSE 1
                END)]
        END AS status
    FROM given
    JOIN sales_order USING (customer_id, order_id)
    CROSS JOIN LATERAL (
        SELECT
            sum(order_event.amount) FILTER (WHERE kind = 'refunded') AS refunded,
            bool_or(kind = 'confirmed') AS confirmed,
            bool_or(kind = 'cancelled') AS cancelled
        FROM order_event
        WHERE order_event.customer_id = given.customer_id AND order_event.order_id = given.order_id
    ) AS event
    CROSS JOIN LATERAL (
        SELECT bool_or(true) AS shipped, bool_or(shipment.status = 'delivered') AS delivered
        FROM shipment
        WHERE shipment.customer_id = given.customer_id AND shipment.order_id = given.order_id
            AND shipment.status IN ('shipped', 'delivered', 'returned')
            AND NOT EXISTS (
                SELECT FROM shipment_line AS line
                WHERE line.customer_id = shipment.customer_id AND line.shipment_id = shipment.shipment_id)
    ) AS whole
    CROSS JOIN LATERAL (
        SELECT
            bool_and(quantity_cancelled >= quantity) AS all_cancelled,
            bool_and(quantity_cancelled + quantity_returned >= quantity) AND bool_or(quantity_returned > 0) AS all_returned,
            bool_or(coalesce(sent.shipped, 0) > 0) AS some_shipped,
            bool_and(coalesce(sent.shipped, 0) >= quantity - quantity_cancelled) AS all_shipped,
            bool_and(coalesce(sent.delivered, 0) >= quantity - quantity_cancelled) AS all_delivered
        FROM order_line
        LEFT JOIN LATERAL (
            SELECT
                sum(shipment_line.quantity) AS shipped,
                sum(shipment_line.quantity) FILTER (WHERE shipment.status = 'delivered') AS delivered
            FROM shipment
            JOIN shipment_line USING (customer_id, shipment_id, order_id)
            WHERE shipment.customer_id = order_line.customer_id AND shipment.order_id = order_line.order_id
                AND shipment_line.line_no = order_line.line_no
                AND shipment.status IN ('shipped', 'delivered', 'returned')
        ) AS sent ON true
        WHERE order_line.customer_id = given.customer_id AND order_line.order_id = given.order_id
    ) AS line
)
UPDATE sales_order SET status = settled.status, refunded = settled.refunded, updated_at = now()
FROM settled
WHERE sales_order.customer_id = settled.customer_id AND sales_order.order_id = settled.order_id
    AND (sales_order.status, sales_order.refunded) IS DISTINCT FROM (settled.status, settled.refunded)
RETURNING sales_order.customer_id, sales_order.order_id, sales_order.account_id, settled.status_before,
    sales_order.status;

-- name: accounts_of_profiles
-- The accounts that move when these profiles do.
SELECT account.account_id, given.old_customer_id, given.new_customer_id
FROM account
JOIN unnest(%(profile_ids)s::uuid[], %(old_customer_ids)s::uuid[], %(new_customer_ids)s::uuid[])
    AS given (profile_id, old_customer_id, new_customer_id)
    ON account.customer_id = given.old_customer_id AND account.profile_id = given.profile_id;

-- name: move_order_contacts
-- The contact of orders that a moving profile placed moves with it.
UPDATE sales_order SET contact_customer_id = given.new_customer_id
FROM unnest(%(profile_ids)s::uuid[], %(old_customer_ids)s::uuid[], %(new_customer_ids)s::uuid[])
    AS given (profile_id, old_customer_id, new_customer_id)
WHERE sales_order.contact_customer_id = given.old_customer_id AND sales_order.profile_id = given.profile_id;
