-- name: insert_timeline
-- If the entry is an event too, it goes to the outbox with what the order is now: store the order first.
WITH entry AS (
    INSERT INTO timeline (order_id, at, kind, detail, attempt)
    SELECT $1, $2, $3, $4, (SELECT attempt FROM orders WHERE id = $1)
    RETURNING id, order_id, at, kind
)
INSERT INTO events (type, at, order_id, driver_id, facts, timeline_id)
SELECT order_event_type(entry.kind), entry.at, o.id, o.driver_id, order_facts(o), entry.id
FROM entry JOIN orders o ON o.id = entry.order_id
WHERE order_event_type(entry.kind) IS NOT NULL;

-- name: select_last_entry_times
-- When the order entered its status or was last assigned, and the time of its last milestone from positions.
SELECT max(at) FILTER (WHERE kind IN ('created', 'assigned', 'unassigned', 'picked_up', 'delivered', 'failed',
                                      'cancelled', 'attempt')) AS status_at,
       max(at) FILTER (WHERE kind IN ('arrived_at_pickup', 'departed_pickup', 'approaching',
                                      'arrived_at_dropoff')) AS seen_at
FROM timeline
WHERE order_id = $1;

-- name: select_timeline
SELECT at, kind, detail FROM timeline WHERE order_id = $1 ORDER BY at, id;

-- name: select_timeline_page
SELECT at, kind, detail, id
FROM timeline
WHERE order_id = $1 AND (at, id) > ($2::timestamptz, $3::bigint)
ORDER BY at, id
LIMIT $4;

-- name: count_entries
SELECT count(*) FROM timeline WHERE order_id = $1 AND kind = $2;

-- name: count_notes
SELECT count(*) FROM timeline WHERE order_id = $1 AND kind = 'message' AND detail ->> 'from' = $2;

-- name: select_customer_notes
-- The newest notes of these orders' customers, at most $2 bytes of text for each order, oldest first.
SELECT order_id, at, text
FROM (SELECT order_id, id, at, detail ->> 'text' AS text,
             sum(octet_length(detail ->> 'text')) OVER (PARTITION BY order_id ORDER BY at DESC, id DESC) AS bytes
      FROM timeline
      WHERE order_id = ANY ($1::text[]) AND kind = 'message' AND detail ->> 'from' = 'customer' AND detail ? 'text') AS notes
WHERE bytes <= $2
ORDER BY at, id;
