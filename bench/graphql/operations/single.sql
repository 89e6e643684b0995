SELECT json_build_object('customer', row_to_json(found))
FROM (
    SELECT 'cus_' || replace(c.customer_id::text, '-', '') AS id, upper(c.kind) AS kind, c.name, c.email, c.phone, c.traits,
        c.first_seen_at AS "firstSeenAt", c.last_seen_at AS "lastSeenAt",
        (SELECT json_build_object('nodes', coalesce(json_agg(i), '[]')) FROM (
            SELECT namespace, value, value_given AS "valueGiven", verified,
                (SELECT row_to_json(s) FROM (SELECT name FROM source WHERE source_id = i.source_id) AS s) AS source
            FROM customer_identifier AS i WHERE customer_id = c.customer_id
            ORDER BY namespace, value LIMIT 10) AS i) AS identifiers,
        (SELECT json_build_object('nodes', coalesce(json_agg(p), '[]')) FROM (
            SELECT upper(kind) AS kind, key_value AS "externalId", first_seen_at AS "firstSeenAt",
                (SELECT row_to_json(s) FROM (SELECT name FROM source WHERE source_id = p.source_id) AS s) AS source
            FROM profile AS p WHERE customer_id = c.customer_id ORDER BY first_seen_at, profile_id LIMIT 10) AS p) AS profiles,
        (SELECT json_build_object('nodes', coalesce(json_agg(a), '[]')) FROM (
            SELECT number, name, upper(tier) AS tier,
                json_build_object('amount', credit_limit::text, 'currency', currency) AS "creditLimit",
                (SELECT json_build_object('nodes', coalesce(json_agg(e), '[]')) FROM (
                    SELECT upper(kind) AS kind, document_number AS "documentNumber", posted_on AS "postedOn", due_on AS "dueOn",
                        json_build_object('amount', amount::text, 'currency', currency) AS amount
                    FROM ledger_entry AS e WHERE customer_id = c.customer_id AND account_id = a.account_id
                    ORDER BY posted_on DESC, entry_id DESC LIMIT 10) AS e) AS ledger
            FROM account AS a WHERE customer_id = c.customer_id ORDER BY number, account_id LIMIT 10) AS a) AS accounts,
        (SELECT json_build_object('nodes', coalesce(json_agg(o), '[]')) FROM (
            SELECT number, upper(status) AS status, channel, placed_at AS "placedAt",
                json_build_object('amount', total::text, 'currency', currency) AS total,
                (SELECT json_build_object('nodes', coalesce(json_agg(l), '[]')) FROM (
                    SELECT line_no AS "lineNo", name, product, quantity::text,
                        json_build_object('amount', amount::text, 'currency', currency) AS amount
                    FROM order_line AS l WHERE customer_id = c.customer_id AND order_id = o.order_id
                    ORDER BY line_no LIMIT 10) AS l) AS lines,
                (SELECT coalesce(json_agg(s), '[]') FROM (
                    SELECT number, upper(status) AS status, carrier, shipped_at AS "shippedAt"
                    FROM shipment AS s WHERE customer_id = c.customer_id AND order_id = o.order_id
                    ORDER BY number, shipment_id LIMIT 100) AS s) AS shipments
            FROM sales_order AS o WHERE customer_id = c.customer_id ORDER BY placed_at DESC, order_id DESC LIMIT 10) AS o) AS orders,
        (SELECT json_build_object('nodes', coalesce(json_agg(i), '[]')) FROM (
            SELECT kind, upper(direction) AS direction, name, channel, occurred_at AS "occurredAt"
            FROM interaction AS i WHERE customer_id = c.customer_id
            ORDER BY occurred_at DESC, interaction_id DESC LIMIT 10) AS i) AS interactions
    FROM customer AS c
    WHERE c.customer_id = $1
) AS found
