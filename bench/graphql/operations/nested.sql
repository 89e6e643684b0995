SELECT json_build_object('customers', json_build_object('nodes', coalesce(json_agg(page), '[]')))
FROM (
    SELECT 'cus_' || replace(c.customer_id::text, '-', '') AS id, upper(c.kind) AS kind, c.name, c.email,
        c.last_seen_at AS "lastSeenAt",
        (SELECT json_build_object('nodes', coalesce(json_agg(i), '[]')) FROM (
            SELECT namespace, value, verified FROM customer_identifier WHERE customer_id = c.customer_id
            ORDER BY namespace, value LIMIT 3) AS i) AS identifiers,
        (SELECT json_build_object('nodes', coalesce(json_agg(o), '[]')) FROM (
            SELECT number, upper(status) AS status, placed_at AS "placedAt",
                json_build_object('amount', total::text, 'currency', currency) AS total
            FROM sales_order WHERE customer_id = c.customer_id ORDER BY placed_at DESC, order_id DESC LIMIT 10) AS o) AS orders,
        (SELECT json_build_object('nodes', coalesce(json_agg(i), '[]')) FROM (
            SELECT kind, name, channel, occurred_at AS "occurredAt" FROM interaction WHERE customer_id = c.customer_id
            ORDER BY occurred_at DESC, interaction_id DESC LIMIT 5) AS i) AS interactions
    FROM customer AS c
    ORDER BY c.last_seen_at DESC, c.customer_id DESC
    LIMIT $1
) AS page
