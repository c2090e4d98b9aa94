-- name: insert_eta_forecasts
INSERT INTO eta_forecasts (order_id, made_at, driver, arrives_at, earliest, latest, distance_m, stops_before, basis,
                           stale, last_fix_at, progress_m)
SELECT *
FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
            $7::real[], $8::integer[], $9::text[], $10::boolean[], $11::timestamptz[], $12::real[])
ON CONFLICT (order_id, made_at) DO NOTHING;

-- name: insert_open_orders
-- In sequence, so that two nodes with the same orders cannot deadlock.
INSERT INTO eta_open_accounts (order_id)
SELECT order_id FROM unnest($1::text[]) AS forecast (order_id) ORDER BY order_id
ON CONFLICT (order_id) DO NOTHING;

-- name: select_eta_forecasts
SELECT *
FROM eta_forecasts
WHERE order_id = $1 AND ($2::timestamptz IS NULL OR made_at > $2)
ORDER BY made_at
LIMIT $3;

-- name: select_arrival
SELECT order_arrived_at(o) FROM orders o WHERE o.id = $1;

-- name: select_milestone
SELECT min(t.at)
FROM timeline t JOIN orders o ON o.id = t.order_id AND o.attempt = t.attempt
WHERE t.order_id = $1 AND t.kind = $2;

-- name: lock_ended_orders
SELECT a.order_id
FROM eta_open_accounts a
JOIN orders o ON o.id = a.order_id
WHERE o.status IN ('delivered', 'failed', 'cancelled') AND ($1::text[] IS NULL OR a.order_id = ANY ($1))
LIMIT $2
FOR UPDATE OF a SKIP LOCKED;

-- name: delete_eta_errors
-- Those of the present attempt.
DELETE FROM eta_errors e
USING orders o
WHERE o.id = e.order_id AND e.order_id = ANY ($1::text[])
  AND (o.attempt_at IS NULL OR e.arrived_at >= o.attempt_at);

-- name: insert_eta_errors
-- $2: lower bounds of the buckets of true minutes to go; $3: forecasts with less to go are not counted.
INSERT INTO eta_errors (order_id, bucket, hour, driver, arrived_at, forecasts, off_s, bias_s, off_share, held, width_s)
WITH arrived AS (
    SELECT o.id, o.attempt_at, order_arrived_at(o) AS arrived_at
    FROM orders o
    WHERE o.id = ANY ($1::text[])
), forecast AS (
    SELECT f.order_id, f.driver, a.arrived_at,
           extract(hour FROM f.made_at AT TIME ZONE 'UTC')::integer AS hour,
           extract(epoch FROM a.arrived_at - f.made_at)::float8 AS to_go_s,
           extract(epoch FROM f.arrives_at - a.arrived_at)::float8 AS error_s,
           extract(epoch FROM f.latest - f.earliest)::float8 AS width_s,
           a.arrived_at BETWEEN f.earliest AND f.latest AS held
    FROM eta_forecasts f
    JOIN arrived a ON a.id = f.order_id
    WHERE f.made_at <= a.arrived_at - $3::interval AND (a.attempt_at IS NULL OR f.made_at >= a.attempt_at)
)
SELECT order_id, ($2::integer[])[width_bucket(to_go_s / 60, $2::integer[]::float8[])], hour, d.number, arrived_at,
       count(*), sum(abs(error_s)), sum(error_s), sum(abs(error_s) / to_go_s), count(*) FILTER (WHERE held),
       sum(width_s)
FROM forecast
LEFT JOIN drivers d ON d.number = forecast.driver
GROUP BY order_id, 2, hour, d.number, arrived_at;

-- name: delete_open_orders
DELETE FROM eta_open_accounts WHERE order_id = ANY ($1::text[]);

-- name: select_first_errors
-- The error of the first forecast after the pickup, for each of these orders that has one.
SELECT DISTINCT ON (o.id) abs(extract(epoch FROM f.arrives_at - o.arrived_at))::float8 AS off_s
FROM (SELECT id, picked_up_at, order_arrived_at(orders) AS arrived_at
      FROM orders
      WHERE id = ANY ($1::text[])) AS o
JOIN eta_forecasts f ON f.order_id = o.id AND f.made_at >= o.picked_up_at AND f.made_at <= o.arrived_at
ORDER BY o.id, f.made_at;

-- name: select_eta_errors
-- In two steps: one hash aggregate of the many rows, then the groups of its result.
WITH cells AS (
    SELECT bucket, hour, driver, sum(forecasts) AS forecasts, sum(off_s) AS off_s, sum(bias_s) AS bias_s,
           sum(off_share) AS off_share, sum(held) AS held, sum(width_s) AS width_s
    FROM eta_errors
    WHERE arrived_at >= $1 AND arrived_at < $2
    GROUP BY bucket, hour, driver
)
SELECT CASE WHEN grouping(e.bucket) = 0 THEN 'bucket' WHEN grouping(e.hour) = 0 THEN 'hour'
            WHEN grouping(d.id) = 0 THEN 'driver' ELSE 'overall' END AS grouped_by,
       e.bucket, e.hour, d.id AS driver, coalesce(sum(e.forecasts), 0)::bigint AS forecasts,
       sum(e.off_s) / sum(e.forecasts)::float8 AS mae_s, sum(e.bias_s) / sum(e.forecasts)::float8 AS bias_s,
       sum(e.off_share) / sum(e.forecasts)::float8 AS mape,
       sum(e.held)::float8 / sum(e.forecasts)::float8 AS coverage,
       sum(e.width_s) / sum(e.forecasts)::float8 AS width_s
FROM cells e
LEFT JOIN drivers d ON d.number = e.driver
GROUP BY GROUPING SETS ((), (e.bucket), (e.hour), (d.id))
ORDER BY e.bucket, e.hour, d.id;

-- name: count_judged_orders
SELECT count(*)
FROM (SELECT order_id FROM eta_errors WHERE arrived_at >= $1 AND arrived_at < $2 GROUP BY order_id) AS judged;

-- name: delete_old_forecasts
DELETE FROM eta_forecasts
WHERE ctid = ANY (ARRAY(SELECT ctid FROM eta_forecasts WHERE made_at < $1 LIMIT $2));
