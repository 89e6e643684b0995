SELECT json_build_object('customers', json_build_object('nodes', coalesce(json_agg(page), '[]')))
FROM (
    SELECT 'cus_' || replace(c.customer_id::text, '-', '') AS id, c.name, c.last_seen_at AS "lastSeenAt",
        json_build_object('totalCount', recently.orders) AS recently
    FROM customer AS c,
        LATERAL (SELECT count(*) AS orders FROM sales_order WHERE customer_id = c.customer_id AND placed_at >= $2) AS recently
    WHERE recently.orders >= 2
    ORDER BY c.last_seen_at DESC, c.customer_id DESC
    LIMIT $1
) AS page
