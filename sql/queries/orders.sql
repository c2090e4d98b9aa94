-- name: insert_order
INSERT INTO orders (id, reference, status, created_at, driver_id,
                    pickup_lat, pickup_lon, pickup_address, pickup_service_s, pickup_ready_at,
                    dropoff_lat, dropoff_lon, dropoff_address, dropoff_service_s,
                    customer, window_from, window_to, visibility,
                    assigned_at, picked_up_at, delivered_at, failed_at, cancelled_at, closed_at, version,
                    instructions, contact, metadata, requirements, proofs, pin, attempt, attempt_at,
                    customer_instructions, given_dropoff, rating, pickup_precision, dropoff_precision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
        $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38);

-- name: select_order
SELECT * FROM orders WHERE id = $1;

-- name: lock_order
SELECT * FROM orders WHERE id = $1 FOR NO KEY UPDATE;

-- name: update_order
UPDATE orders
SET reference = $2, status = $3, created_at = $4, driver_id = $5,
    pickup_lat = $6, pickup_lon = $7, pickup_address = $8, pickup_service_s = $9, pickup_ready_at = $10,
    dropoff_lat = $11, dropoff_lon = $12, dropoff_address = $13, dropoff_service_s = $14,
    customer = $15, window_from = $16, window_to = $17, visibility = $18,
    assigned_at = $19, picked_up_at = $20, delivered_at = $21, failed_at = $22, cancelled_at = $23, closed_at = $24,
    customer_erased_at = CASE WHEN $24::timestamptz IS NULL THEN NULL ELSE customer_erased_at END, version = $25,
    instructions = $26, contact = $27, metadata = $28, requirements = $29,
    proofs = $30, pin = $31, attempt = $32, attempt_at = $33,
    customer_instructions = $34, given_dropoff = $35, rating = $36, pickup_precision = $37, dropoff_precision = $38
WHERE id = $1;

-- name: reset_progress
UPDATE orders SET arrived_at = NULL, stuck_at = NULL, wrong_pins = '{}', pins_refused_until = NULL WHERE id = $1;

-- name: select_orders
-- $8: west, south, east, north of the dropoff; west > east crosses the antimeridian.
SELECT *
FROM orders
WHERE ($1::timestamptz IS NULL OR (created_at, id) < ($1, $2::text))
  AND ($3::text[] IS NULL OR status = ANY ($3))
  AND ($4::text IS NULL OR driver_id = $4)
  AND ($5::text IS NULL OR reference = $5)
  AND ($6::timestamptz IS NULL OR created_at >= $6)
  AND ($7::timestamptz IS NULL OR created_at < $7)
  AND ($8::float8[] IS NULL
       OR (dropoff_lat BETWEEN $8[2] AND $8[4]
           AND CASE WHEN $8[1] <= $8[3] THEN dropoff_lon BETWEEN $8[1] AND $8[3]
                    ELSE dropoff_lon >= $8[1] OR dropoff_lon <= $8[3] END))
ORDER BY created_at DESC, id DESC
LIMIT $9;

-- name: select_orders_of_driver
-- The orders that a driver carries or has to pick up, in stop sequence.
SELECT o.*
FROM orders o
JOIN (SELECT order_id, min(sequence) AS first FROM stops WHERE driver_id = $1 GROUP BY order_id) s ON s.order_id = o.id
WHERE o.driver_id = $1 AND o.status IN ('assigned', 'picked_up')
ORDER BY s.first, o.id;

-- name: select_stops
SELECT s.order_id, s.kind, o.pickup_lat, o.pickup_lon, o.pickup_address, o.pickup_service_s, o.pickup_ready_at,
       o.pickup_precision, o.dropoff_precision,
       o.dropoff_lat, o.dropoff_lon, o.dropoff_address, o.dropoff_service_s, o.window_from, o.window_to
FROM stops s
JOIN orders o ON o.id = s.order_id
WHERE s.driver_id = $1
ORDER BY s.sequence, s.order_id, s.kind DESC;

-- name: append_stop
INSERT INTO stops (order_id, kind, driver_id, sequence)
SELECT $1, $2, $3, coalesce(max(sequence), 0) + 1 FROM stops WHERE driver_id = $3;

-- name: delete_stops
DELETE FROM stops WHERE order_id = $1 AND kind = ANY ($2::text[]);

-- name: update_stop_sequence
UPDATE stops s
SET sequence = wanted.place
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS wanted (order_id, kind, place)
WHERE s.driver_id = $1 AND s.order_id = wanted.order_id AND s.kind = wanted.kind;

-- name: insert_assignment
-- Begins after the instant of the previous assignment.
INSERT INTO assignments (order_id, driver, begun_at, attempt)
SELECT $1, $2, greatest($3::timestamptz, max(begun_at) + interval '1 microsecond'),
       (SELECT attempt FROM orders WHERE id = $1)
FROM assignments WHERE order_id = $1;

-- name: end_assignment
UPDATE assignments SET ended_at = greatest(begun_at, $2::timestamptz) WHERE order_id = $1 AND ended_at IS NULL;

-- name: select_assignments
SELECT driver, begun_at, ended_at, attempt FROM assignments WHERE order_id = $1 ORDER BY begun_at;

-- name: select_ended_dropoffs
-- Dropoffs that left a driver's trip for any reason; the last $3 that ended at $2 or later.
SELECT o.id, o.dropoff_lat, o.dropoff_lon, o.customer, greatest(a.ended_at, o.closed_at) AS ended_at
FROM (SELECT order_id, ended_at FROM assignments
      WHERE driver = $1 AND ended_at >= $2 ORDER BY ended_at DESC LIMIT $3) AS a
JOIN orders o ON o.id = a.order_id
ORDER BY a.ended_at;

-- name: count_track_fixes
-- The number of fixes of a track, which also shows late ones, and of changes of its drivers' verdicts. Counts at most
-- $4 fixes.
SELECT count(*),
       (SELECT coalesce(sum(rejudgements), 0)::bigint FROM driver_states WHERE driver = ANY ($1)) AS rejudgements
FROM (SELECT 1
      FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS w (driver, begins, ends)
      JOIN timed_fixes f ON f.driver = w.driver AND f.at BETWEEN w.begins AND w.ends
           AND f.recorded_at BETWEEN w.begins - interval '2 days' AND w.ends + interval '2 days'
      LIMIT $4) AS track;
