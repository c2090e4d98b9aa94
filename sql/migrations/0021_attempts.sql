-- Further attempts of a failed order. What was recorded belongs to the attempt in which it happened.

ALTER TABLE orders ADD COLUMN attempt integer NOT NULL DEFAULT 1;
ALTER TABLE orders ADD COLUMN attempt_at timestamptz;  -- when a further attempt began; NULL: it is the first
ALTER TABLE timeline ADD COLUMN attempt integer NOT NULL DEFAULT 1;
ALTER TABLE assignments ADD COLUMN attempt integer NOT NULL DEFAULT 1;

DROP INDEX timeline_milestones;
CREATE UNIQUE INDEX timeline_milestones ON timeline (order_id, attempt, kind)
    WHERE kind IN ('arrived_at_pickup', 'departed_pickup', 'approaching', 'arrived_at_dropoff');

DROP INDEX orders_unclosed;
CREATE INDEX orders_unclosed ON orders
    (coalesce(window_to, greatest(created_at, assigned_at, picked_up_at, window_from, attempt_at)))
    WHERE stuck_at IS NULL AND status IN ('created', 'assigned', 'picked_up');

-- When an order arrived in its present attempt; otherwise as before.
CREATE OR REPLACE FUNCTION order_arrived_at(o orders) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN seen.at IS NULL
                THEN nullif(o.delivered_at, greatest(o.picked_up_at, o.assigned_at))
                ELSE least(greatest(seen.at, o.window_from), greatest(seen.at, coalesce(o.delivered_at, 'infinity')))
           END
    FROM (SELECT min(at) AS at FROM timeline
          WHERE order_id = o.id AND attempt = o.attempt AND kind = 'arrived_at_dropoff') AS seen
$$;
