-- name: note_silence
-- Returns a row if this silence is new: a later one begins more than half a minute after an earlier one.
INSERT INTO driver_reports AS r (driver, silent_since)
SELECT number, $2::timestamptz FROM drivers WHERE id = $1
ON CONFLICT (driver) DO UPDATE SET silent_since = excluded.silent_since
WHERE r.silent_since IS NULL OR r.silent_since < excluded.silent_since - interval '30 seconds'
RETURNING true;

-- name: note_battery
-- Returns whether the battery is low ($2), if that is new. Without a report, a full battery is no news.
INSERT INTO driver_reports AS r (driver, battery_low)
SELECT number, $2 FROM drivers
WHERE id = $1 AND ($2 OR EXISTS (SELECT FROM driver_reports WHERE driver = number))
ON CONFLICT (driver) DO UPDATE SET battery_low = excluded.battery_low
WHERE r.battery_low <> excluded.battery_low
RETURNING battery_low;

-- name: insert_driver_event
INSERT INTO events (type, at, driver_id, detail) VALUES ($1, $2, $3, $4);

-- name: select_forecast_reports
SELECT order_id, attempt, reported_at, promised_at, is_delayed FROM forecast_reports WHERE order_id = ANY ($1::text[]);

-- name: replace_forecast_report
-- Returns a row if the report before was that of the same attempt in $6 to $8, or of an earlier attempt.
INSERT INTO forecast_reports AS r (order_id, attempt, reported_at, promised_at, is_delayed)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (order_id) DO UPDATE
SET attempt = excluded.attempt, reported_at = excluded.reported_at, promised_at = excluded.promised_at,
    is_delayed = excluded.is_delayed
WHERE r.attempt < excluded.attempt
   OR (r.attempt = excluded.attempt AND r.reported_at IS NOT DISTINCT FROM $6::timestamptz
       AND r.promised_at IS NOT DISTINCT FROM $7::timestamptz AND r.is_delayed = $8)
RETURNING true;

-- name: insert_forecast_event
-- Only for an order that is open and in this attempt.
INSERT INTO events (type, at, order_id, driver_id, facts, eta, detail)
SELECT $1, $2, o.id, o.driver_id, order_facts(o), $5::jsonb, $6
FROM orders o
WHERE o.id = $3 AND o.attempt = $4 AND o.closed_at IS NULL;
