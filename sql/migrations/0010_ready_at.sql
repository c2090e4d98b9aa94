-- When an order can be picked up; forecasts and stop sequences wait for it.

ALTER TABLE orders ADD COLUMN pickup_ready_at timestamptz;
