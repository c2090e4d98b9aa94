-- Orders that are open for too long are reported once. Both indexes hold open orders only, so looking costs as much as
-- there is to report.

ALTER TABLE orders ADD COLUMN arrived_at timestamptz;  -- at the dropoff, as positions showed
ALTER TABLE orders ADD COLUMN stuck_at timestamptz;    -- when the order was reported as stuck

UPDATE orders SET arrived_at = timeline.at
FROM timeline
WHERE timeline.order_id = orders.id AND kind = 'arrived_at_dropoff' AND status IN ('created', 'assigned', 'picked_up');

CREATE INDEX orders_unclosed_after_arrival ON orders (arrived_at)
    WHERE stuck_at IS NULL AND status IN ('created', 'assigned', 'picked_up');
CREATE INDEX orders_unclosed ON orders
    (coalesce(window_to, greatest(created_at, assigned_at, picked_up_at, window_from)))
    WHERE stuck_at IS NULL AND status IN ('created', 'assigned', 'picked_up');

ALTER TABLE timeline DROP CONSTRAINT timeline_kind_check;
ALTER TABLE timeline ADD CONSTRAINT timeline_kind_check CHECK (kind IN (
    'created', 'assigned', 'unassigned', 'picked_up', 'delivered', 'failed', 'cancelled', 'message',
    'link_created', 'link_revoked', 'arrived_at_pickup', 'departed_pickup', 'approaching', 'arrived_at_dropoff',
    'stuck')) NOT VALID;  -- what stands there was checked by a narrower one
