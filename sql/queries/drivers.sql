-- name: insert_driver
INSERT INTO drivers (id, name, vehicle, reference, created_at, display_name)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING *;

-- name: select_driver
SELECT * FROM drivers WHERE id = $1;

-- name: select_driver_to_load
-- With the generation of the lease. It is read before the trip, so that a trip read too early is known.
SELECT d.*, coalesce(l.generation, 0) AS generation
FROM drivers d LEFT JOIN trip_leases l ON l.driver = d.number
WHERE d.id = $1;

-- name: select_drivers
SELECT *
FROM drivers
WHERE $1::timestamptz IS NULL OR (created_at, id) < ($1, $2::text)
ORDER BY created_at DESC, id DESC
LIMIT $3;

-- name: select_drivers_by_reference
SELECT *
FROM drivers
WHERE reference = $4 AND ($1::timestamptz IS NULL OR (created_at, id) < ($1, $2::text))
ORDER BY created_at DESC, id DESC
LIMIT $3;

-- name: update_driver
UPDATE drivers SET name = $2, display_name = $3, vehicle = $4, reference = $5 WHERE id = $1;

-- name: select_driver_activity
-- The newest believed fix, the active orders in stop sequence, the last change of duty and the device of each driver.
SELECT d.id, s.recorded_at, s.received_at, s.lat, s.lon, s.accuracy, s.speed, s.heading, s.altitude, s.battery,
       ARRAY(SELECT stops.order_id FROM stops WHERE stops.driver_id = d.id
             GROUP BY stops.order_id ORDER BY min(stops.sequence)) AS orders,
       last.duty, last.begun_at, last.ended_at, device.state,
       (SELECT min(o.assigned_at) FROM orders o
        WHERE o.driver_id = d.id AND o.status IN ('assigned', 'picked_up')) AS busy_since
FROM drivers d
LEFT JOIN driver_states s ON s.driver = d.number
LEFT JOIN device_states device ON device.driver = d.number
LEFT JOIN LATERAL (SELECT duty, begun_at, ended_at FROM duty_intervals i
                   WHERE i.driver = d.number ORDER BY begun_at DESC LIMIT 1) last ON true
WHERE d.id = ANY ($1::text[]);

-- name: select_busy_driver_ids
SELECT DISTINCT driver_id FROM orders WHERE status IN ('assigned', 'picked_up') AND driver_id IS NOT NULL;

-- name: lock_drivers
-- A transaction that changes stops locks their drivers first, always in this order, which prevents deadlocks.
SELECT * FROM drivers WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE;

-- name: delete_driver
-- Only a driver without orders.
DELETE FROM drivers d
WHERE d.id = $1
  AND NOT EXISTS (SELECT FROM orders o WHERE o.driver_id = d.id AND o.status IN ('assigned', 'picked_up'))
RETURNING number;

-- name: delete_fixes_of_driver
DELETE FROM fixes WHERE driver = $1;

-- name: renew_orders_of_driver
-- The erasure of a driver changes these orders, so they get a new version. The driver's proofs go with the driver.
UPDATE orders
SET version = version + 1,
    proofs = CASE WHEN driver_id = $1 THEN '[]' ELSE proofs END
WHERE driver_id = $1
   OR id IN (SELECT a.order_id FROM assignments a JOIN drivers d ON d.number = a.driver WHERE d.id = $1)
RETURNING id;

-- name: erase_driver_from_timelines
-- Also erases the driver's notes to customers, and reasons.
UPDATE timeline
SET detail = detail - 'driver_id' - 'text' - 'reason'
WHERE detail ->> 'driver_id' = $1
  AND order_id IN (SELECT a.order_id FROM assignments a JOIN drivers d ON d.number = a.driver WHERE d.id = $1);

-- name: select_duty_intervals
SELECT duty, begun_at, ended_at FROM duty_intervals WHERE driver = $1 ORDER BY begun_at;

-- name: end_duty_interval
UPDATE duty_intervals SET ended_at = $2 WHERE driver = $1 AND ended_at IS NULL;

-- name: insert_duty_interval
INSERT INTO duty_intervals (driver, duty, begun_at) VALUES ($1, $2, $3);

-- name: delete_old_duty_intervals
DELETE FROM duty_intervals WHERE ended_at < $1;

-- name: select_device_state
SELECT state FROM device_states WHERE driver = $1;

-- name: upsert_device_state
-- Nothing for a driver who was erased meanwhile.
INSERT INTO device_states (driver, state)
SELECT number, $2::jsonb FROM drivers WHERE number = $1 FOR KEY SHARE
ON CONFLICT (driver) DO UPDATE SET state = excluded.state;

-- name: select_driver_record
SELECT (SELECT min(recorded_at) FROM fixes WHERE driver = $1) AS first_fix_at,
       (SELECT max(recorded_at) FROM fixes WHERE driver = $1) AS last_fix_at,
       (SELECT count(*) FROM assignments WHERE driver = $1) AS assignments;
