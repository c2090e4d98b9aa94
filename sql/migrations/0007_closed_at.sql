-- When the server learned that an order is over. Links end by this time: the time that a reporter gives may be wrong.

ALTER TABLE orders ADD COLUMN closed_at timestamptz;
UPDATE orders SET closed_at = coalesce(delivered_at, failed_at, cancelled_at)
WHERE status IN ('delivered', 'failed', 'cancelled');
