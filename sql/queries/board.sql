-- name: select_board_driver_marks
-- Of every driver a number that differs once something about them has changed, and when the newest fix came.
SELECT d.id, hashtextextended(concat_ws(' ', d.name, d.vehicle, d.reference, last.duty, last.ended_at, device.state,
                                     plan.orders), 0) AS mark,
       s.received_at
FROM drivers d
LEFT JOIN driver_states s ON s.driver = d.number
LEFT JOIN device_states device ON device.driver = d.number
LEFT JOIN LATERAL (SELECT duty, ended_at FROM duty_intervals i
                   WHERE i.driver = d.number ORDER BY begun_at DESC LIMIT 1) last ON true
LEFT JOIN (SELECT stops.driver_id,
                  bit_xor(hashtextextended(concat_ws(' ', o.id, stops.kind, stops.sequence, o.assigned_at), 0))
                  AS orders
           FROM stops JOIN orders o ON o.id = stops.order_id
           WHERE o.status IN ('created', 'assigned', 'picked_up')
           GROUP BY stops.driver_id) plan ON plan.driver_id = d.id;

-- name: select_drivers_by_id
SELECT * FROM drivers WHERE id = ANY ($1::text[]);

-- name: select_board_order_marks
-- Of every open order its version, and whether it was reported as stuck, which does not change the version.
SELECT id, version, stuck_at IS NOT NULL AS is_stuck
FROM orders WHERE status IN ('created', 'assigned', 'picked_up');

-- name: select_board_orders
-- Without anything of the customer but the address.
SELECT id, reference, status, driver_id, created_at, pickup_lat, pickup_lon, pickup_address,
       dropoff_lat, dropoff_lon, dropoff_address, window_from, window_to, attempt, version,
       stuck_at IS NOT NULL AS is_stuck, arrived_at
FROM orders WHERE id = ANY ($1::text[]) AND status IN ('created', 'assigned', 'picked_up');
