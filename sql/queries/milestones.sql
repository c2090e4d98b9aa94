-- name: insert_milestone
-- Once for an attempt and kind, neither before it nor after its last assignment ended, whose time is the server's. Also
-- the event that it is; nobody hears that an order that is over is approaching.
WITH held AS (
    SELECT id, attempt, attempt_at, closed_at, driver_id, order_facts(o) AS facts
    FROM orders o
    WHERE id = $1
    FOR NO KEY UPDATE
), told AS (
    INSERT INTO timeline (order_id, at, kind, attempt)
    SELECT $1, $3::timestamptz, $2, attempt
    FROM held
    WHERE (attempt_at IS NULL OR $3::timestamptz >= attempt_at)
      AND $3::timestamptz <= (SELECT max(coalesce(ended_at, 'infinity'))
                              FROM assignments WHERE order_id = $1 AND attempt = held.attempt)
    ON CONFLICT (order_id, attempt, kind)
        WHERE kind IN ('arrived_at_pickup', 'departed_pickup', 'approaching', 'arrived_at_dropoff') DO NOTHING
    RETURNING id, order_id, at, kind
), arrived AS (
    UPDATE orders SET arrived_at = told.at FROM told WHERE orders.id = told.order_id AND told.kind = 'arrived_at_dropoff'
), event AS (
    INSERT INTO events (type, at, order_id, driver_id, facts, timeline_id)
    SELECT order_event_type(told.kind), told.at, held.id, held.driver_id, held.facts, told.id
    FROM told JOIN held ON held.id = told.order_id
    WHERE order_event_type(told.kind) IS NOT NULL AND (told.kind <> 'approaching' OR held.closed_at IS NULL)
)
SELECT true FROM told;

-- name: flag_stuck_orders
-- Orders that are open for too long at $1, as in domain/privacy/visibility.py; at most $2 of each kind. Each is returned once,
-- to the first node that asks.
WITH due AS (
    (SELECT id
     FROM orders
     WHERE stuck_at IS NULL AND status IN ('created', 'assigned', 'picked_up')
       AND arrived_at <= $1::timestamptz - interval '4 hours' AND arrived_at >= assigned_at
     LIMIT $2)
    UNION
    (SELECT id
     FROM orders
     WHERE stuck_at IS NULL AND status IN ('created', 'assigned', 'picked_up')
       AND coalesce(window_to, greatest(created_at, assigned_at, picked_up_at, window_from, attempt_at))
           <= $1::timestamptz - interval '24 hours'
       AND (arrived_at >= assigned_at) IS NOT TRUE
     LIMIT $2)
), held AS (
    SELECT id
    FROM orders
    WHERE id = ANY (ARRAY(SELECT id FROM due)) AND stuck_at IS NULL AND status IN ('created', 'assigned', 'picked_up')
    FOR NO KEY UPDATE SKIP LOCKED
), flagged AS (
    UPDATE orders SET stuck_at = $1 FROM held WHERE orders.id = held.id RETURNING orders.id, orders.attempt
), entry AS (
    INSERT INTO timeline (order_id, at, kind, attempt) SELECT id, $1, 'stuck', attempt FROM flagged
    RETURNING id, order_id, at, kind
), event AS (
    INSERT INTO events (type, at, order_id, driver_id, facts, timeline_id)
    SELECT order_event_type(entry.kind), entry.at, o.id, o.driver_id, order_facts(o), entry.id
    FROM entry JOIN orders o ON o.id = entry.order_id
)
SELECT order_id FROM entry;

-- name: select_milestones
SELECT t.order_id, t.kind, t.at
FROM timeline t
JOIN orders o ON o.id = t.order_id AND o.attempt = t.attempt
WHERE t.order_id = ANY ($1::text[])
  AND t.kind IN ('arrived_at_pickup', 'departed_pickup', 'approaching', 'arrived_at_dropoff')
ORDER BY t.at, t.id;
