-- Every statement the service runs, by name: `-- name: insert_driver` and the statement below it.

-- ===== migrations =====

-- name: lock_migrations
SELECT pg_advisory_lock(hashtext('tracker migrations'));

-- name: unlock_migrations
SELECT pg_advisory_unlock(hashtext('tracker migrations'));

-- name: create_migrations
CREATE TABLE IF NOT EXISTS migrations (
    name        text PRIMARY KEY,
    checksum    bytea NOT NULL,                        -- SHA-256 of the file
    applied_at  timestamptz NOT NULL DEFAULT now()
);

-- name: has_migrations
SELECT to_regclass('migrations') IS NOT NULL;

-- name: select_migrations
SELECT name, checksum FROM migrations;

-- name: insert_migration
INSERT INTO migrations (name, checksum) VALUES ($1, $2);

-- ===== the server =====

-- name: ping
SELECT 1;

-- name: server_version
SELECT current_setting('server_version');

-- ===== fixes =====

-- name: ensure_fix_partition
SELECT ensure_fix_partition($1::date);

-- name: drop_oldest_fix_partition
SELECT drop_oldest_fix_partition($1::date);

-- name: delete_fixes_in_default
DELETE FROM fixes_default WHERE recorded_at < $1;

-- name: count_fixes_in_default
SELECT count(*) FROM (SELECT FROM fixes_default LIMIT 100000) AS counted;

-- name: lock_drivers_of_fixes
-- Those of the batch that still exist; none of them can be erased before the commit.
SELECT number FROM drivers WHERE number = ANY ($1::bigint[]) ORDER BY number FOR KEY SHARE;

-- name: create_incoming
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (LIKE fixes) ON COMMIT DELETE ROWS;

-- name: insert_incoming
-- In the order of the key, so that two batches with the same rows wait for each other and never lock up.
INSERT INTO fixes SELECT * FROM incoming ORDER BY driver, recorded_at
ON CONFLICT (driver, recorded_at) DO NOTHING
RETURNING driver, recorded_at;

-- name: upsert_driver_states
INSERT INTO driver_states AS state
    (driver, recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery)
SELECT *
FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::float8[], $5::float8[],
            $6::real[], $7::real[], $8::real[], $9::real[], $10::real[]) AS newest (driver)
ORDER BY driver
ON CONFLICT (driver) DO UPDATE
SET (recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery)
  = (excluded.recorded_at, excluded.received_at, excluded.lat, excluded.lon, excluded.accuracy, excluded.speed,
     excluded.heading, excluded.altitude, excluded.battery)
WHERE excluded.recorded_at > state.recorded_at;

-- name: select_track_page
-- By our clock. Each half reads no more than the limit; two days are the most that a time is corrected by.
SELECT *
FROM ((SELECT recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason
       FROM fixes
       WHERE driver = $1 AND recorded_at BETWEEN $2 AND $3 AND corrected_at IS NULL
         AND ($4::boolean OR reason IS NULL)
       ORDER BY recorded_at
       LIMIT $5)
      UNION ALL
      (SELECT corrected_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason
       FROM fixes
       WHERE driver = $1 AND corrected_at BETWEEN $2 AND $3 AND ($4::boolean OR reason IS NULL)
         AND recorded_at BETWEEN $2 - interval '2 days' AND $3 + interval '2 days'
       ORDER BY corrected_at
       LIMIT $5)) AS page
ORDER BY recorded_at
LIMIT $5;

-- name: select_last_fix
SELECT *
FROM ((SELECT recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason
       FROM fixes
       WHERE driver = $1 AND recorded_at BETWEEN $2 AND $3 AND corrected_at IS NULL AND reason IS NULL
       ORDER BY recorded_at DESC
       LIMIT 1)
      UNION ALL
      (SELECT corrected_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason
       FROM fixes
       WHERE driver = $1 AND corrected_at BETWEEN $2 AND $3 AND reason IS NULL
         AND recorded_at BETWEEN $2 - interval '2 days' AND $3 + interval '2 days'
       ORDER BY corrected_at DESC
       LIMIT 1)) AS last
ORDER BY recorded_at DESC
LIMIT 1;

-- name: select_newest_judged
-- By our clock, none from before $2. At most $3 of each half, with and without a corrected time; the rest is cut off by
-- whoever asks.
(SELECT recorded_at, recorded_at AS at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason
 FROM fixes
 WHERE driver = $1 AND corrected_at IS NULL AND recorded_at >= $2
 ORDER BY recorded_at DESC
 LIMIT $3)
UNION ALL
(SELECT recorded_at, corrected_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason
 FROM fixes
 WHERE driver = $1 AND corrected_at >= $2
   AND recorded_at >= $2::timestamptz - interval '2 days'
 ORDER BY corrected_at DESC
 LIMIT $3);

-- name: select_judged_around
-- The fixes from $2 to $3, by our clock, and before and after them those that are not further off than $6. Of each half,
-- with and without a corrected time, at most $5 within, $4 before and $4 after.
(SELECT 'before' AS part, recorded_at, recorded_at AS at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason
 FROM fixes
 WHERE driver = $1 AND corrected_at IS NULL AND recorded_at < $2 AND recorded_at >= $2 - $6::interval
 ORDER BY recorded_at DESC
 LIMIT $4)
UNION ALL
(SELECT 'before' AS part, recorded_at, corrected_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason
 FROM fixes
 WHERE driver = $1 AND corrected_at < $2 AND corrected_at >= $2 - $6::interval
   AND recorded_at BETWEEN $2 - $6::interval - interval '2 days' AND $2 + interval '2 days'
 ORDER BY corrected_at DESC
 LIMIT $4)
UNION ALL
(SELECT 'within' AS part, recorded_at, recorded_at AS at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason
 FROM fixes
 WHERE driver = $1 AND corrected_at IS NULL AND recorded_at BETWEEN $2 AND $3
 ORDER BY recorded_at
 LIMIT $5)
UNION ALL
(SELECT 'within' AS part, recorded_at, corrected_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason
 FROM fixes
 WHERE driver = $1 AND corrected_at BETWEEN $2 AND $3
   AND recorded_at BETWEEN $2 - interval '2 days' AND $3 + interval '2 days'
 ORDER BY corrected_at
 LIMIT $5)
UNION ALL
(SELECT 'after' AS part, recorded_at, recorded_at AS at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason
 FROM fixes
 WHERE driver = $1 AND corrected_at IS NULL AND recorded_at > $3 AND recorded_at <= $3 + $6::interval
 ORDER BY recorded_at
 LIMIT $4)
UNION ALL
(SELECT 'after' AS part, recorded_at, corrected_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason
 FROM fixes
 WHERE driver = $1 AND corrected_at > $3 AND corrected_at <= $3 + $6::interval
   AND recorded_at BETWEEN $3 - interval '2 days' AND $3 + $6::interval + interval '2 days'
 ORDER BY corrected_at
 LIMIT $4);

-- name: update_verdicts
-- Fixes that were judged again because of later ones.
UPDATE fixes f
SET reason = judged.reason
FROM unnest($1::bigint[], $2::timestamptz[], $3::text[]) AS judged (driver, recorded_at, reason)
WHERE f.driver = judged.driver AND f.recorded_at = judged.recorded_at
  AND f.reason IS DISTINCT FROM judged.reason;

-- name: replace_driver_states
-- Where the newest believed fix has come to be doubted, an older one takes its place.
UPDATE driver_states state
SET (recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery)
  = (newest.recorded_at, newest.received_at, newest.lat, newest.lon, newest.accuracy, newest.speed,
     newest.heading, newest.altitude, newest.battery)
FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::float8[], $5::float8[],
            $6::real[], $7::real[], $8::real[], $9::real[], $10::real[])
     AS newest (driver, recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery)
WHERE state.driver = newest.driver;

-- name: count_rejudgements
-- One more for each driver whose stored verdicts have changed; a track's ETag holds it.
UPDATE driver_states SET rejudgements = rejudgements + 1 WHERE driver = ANY ($1::bigint[]);

-- name: select_driver_states
SELECT driver, recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, NULL AS reason
FROM driver_states
WHERE driver = ANY ($1::bigint[]);

-- name: select_is_track_broken
-- Whether two believed fixes in succession are more than $4 apart, of two drivers, or on two sides of the antimeridian.
SELECT EXISTS (
    SELECT
    FROM (SELECT at - lag(at) OVER track AS elapsed, f.driver <> lag(f.driver) OVER track AS handed_over,
                 abs(lon - lag(lon) OVER track) > 180 AS crossed
          FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS track_window (driver, begins, ends)
          JOIN timed_fixes f ON f.driver = track_window.driver AND at BETWEEN begins AND ends
               AND f.recorded_at BETWEEN begins - interval '2 days' AND ends + interval '2 days'
          WHERE reason IS NULL
          WINDOW track AS (ORDER BY at)) AS steps
    WHERE elapsed > $4::interval OR handed_over OR crossed);

-- ===== end of fixes =====


-- ------------------------------------------------------------------ drivers

-- name: insert_driver
INSERT INTO drivers (id, name, vehicle, reference, token_hash, created_at, display_name)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING *;

-- name: select_driver
SELECT * FROM drivers WHERE id = $1;

-- name: select_driver_by_token
SELECT * FROM drivers WHERE token_hash = $1;

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
-- The newest believed fix of each driver and the orders on their way, in stop sequence.
SELECT d.id, s.recorded_at, s.received_at, s.lat, s.lon, s.accuracy, s.speed, s.heading, s.altitude, s.battery,
       ARRAY(SELECT stops.order_id FROM stops WHERE stops.driver_id = d.id
             GROUP BY stops.order_id ORDER BY min(stops.sequence)) AS orders
FROM drivers d
LEFT JOIN driver_states s ON s.driver = d.number
WHERE d.id = ANY ($1::text[]);

-- name: lock_drivers
-- Whoever changes stops holds their drivers first, always in this order: nobody waits in a circle.
SELECT * FROM drivers WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE;

-- name: update_driver_token
UPDATE drivers SET token_hash = $2 WHERE id = $1 RETURNING *;

-- name: delete_driver
-- Only one who carries nothing.
DELETE FROM drivers d
WHERE d.id = $1
  AND NOT EXISTS (SELECT FROM orders o WHERE o.driver_id = d.id AND o.status IN ('assigned', 'picked_up'))
RETURNING number;

-- name: delete_fixes_of_driver
DELETE FROM fixes WHERE driver = $1;

-- name: renew_orders_of_driver
-- What was known of these orders changes when their driver is erased.
UPDATE orders
SET version = version + 1
WHERE driver_id = $1
   OR id IN (SELECT a.order_id FROM assignments a JOIN drivers d ON d.number = a.driver WHERE d.id = $1)
RETURNING id;

-- name: erase_driver_from_timelines
-- With what they wrote: notes to customers, and reasons.
UPDATE timeline
SET detail = detail - 'driver_id' - 'text' - 'reason'
WHERE detail ->> 'driver_id' = $1
  AND order_id IN (SELECT a.order_id FROM assignments a JOIN drivers d ON d.number = a.driver WHERE d.id = $1);


-- ------------------------------------------------------------------ orders

-- name: insert_order
INSERT INTO orders (id, reference, status, created_at, driver_id,
                    pickup_lat, pickup_lon, pickup_address, pickup_service_s, pickup_ready_at,
                    dropoff_lat, dropoff_lon, dropoff_address, dropoff_service_s,
                    customer, window_from, window_to, visibility,
                    assigned_at, picked_up_at, delivered_at, failed_at, cancelled_at, closed_at, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
        $25);

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
    customer_erased_at = CASE WHEN $24::timestamptz IS NULL THEN NULL ELSE customer_erased_at END, version = $25
WHERE id = $1;

-- name: select_orders
-- $8: west, south, east, north of the dropoff; west > east reaches over the antimeridian.
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
-- What a driver carries or has to fetch, in stop sequence.
SELECT o.*
FROM orders o
JOIN (SELECT order_id, min(sequence) AS first FROM stops WHERE driver_id = $1 GROUP BY order_id) s ON s.order_id = o.id
WHERE o.driver_id = $1 AND o.status IN ('assigned', 'picked_up')
ORDER BY s.first, o.id;

-- name: select_stops
SELECT s.order_id, s.kind, o.pickup_lat, o.pickup_lon, o.pickup_address, o.pickup_service_s, o.pickup_ready_at,
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
-- Never at the same instant as the one before.
INSERT INTO assignments (order_id, driver, begun_at)
SELECT $1, $2, greatest($3::timestamptz, max(begun_at) + interval '1 microsecond') FROM assignments WHERE order_id = $1;

-- name: end_assignment
UPDATE assignments SET ended_at = greatest(begun_at, $2::timestamptz) WHERE order_id = $1 AND ended_at IS NULL;

-- name: select_assignments
SELECT driver, begun_at, ended_at FROM assignments WHERE order_id = $1 ORDER BY begun_at;

-- name: select_ended_dropoffs
-- What a driver had to bring and has no longer, whatever the reason; the last $3 that ended at $2 or later.
SELECT o.id, o.dropoff_lat, o.dropoff_lon, o.customer, greatest(a.ended_at, o.closed_at) AS ended_at
FROM (SELECT order_id, ended_at FROM assignments
      WHERE driver = $1 AND ended_at >= $2 ORDER BY ended_at DESC LIMIT $3) AS a
JOIN orders o ON o.id = a.order_id
ORDER BY a.ended_at;

-- name: count_track_fixes
-- Whether a track has grown, also in its past, and how often verdicts of its drivers have changed. Fixes are not
-- counted further than $4.
SELECT count(*),
       (SELECT coalesce(sum(rejudgements), 0)::bigint FROM driver_states WHERE driver = ANY ($1)) AS rejudgements
FROM (SELECT 1
      FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) AS w (driver, begins, ends)
      JOIN timed_fixes f ON f.driver = w.driver AND f.at BETWEEN w.begins AND w.ends
           AND f.recorded_at BETWEEN w.begins - interval '2 days' AND w.ends + interval '2 days'
      LIMIT $4) AS track;

-- name: insert_timeline
INSERT INTO timeline (order_id, at, kind, detail) VALUES ($1, $2, $3, $4);

-- name: select_course
-- When the order came to the status it has, or was last handed to a driver, and what positions showed last.
SELECT max(at) FILTER (WHERE kind IN ('created', 'assigned', 'unassigned', 'picked_up', 'delivered', 'failed',
                                      'cancelled')) AS status_at,
       max(at) FILTER (WHERE kind IN ('arrived_at_pickup', 'departed_pickup', 'approaching',
                                      'arrived_at_dropoff')) AS seen_at
FROM timeline
WHERE order_id = $1;

-- name: select_timeline
SELECT at, kind, detail FROM timeline WHERE order_id = $1 ORDER BY at, id;

-- name: select_timeline_page
SELECT at, kind, detail, id
FROM timeline
WHERE order_id = $1 AND (at, id) > ($2::timestamptz, $3::bigint)
ORDER BY at, id
LIMIT $4;

-- name: count_notes
SELECT count(*) FROM timeline WHERE order_id = $1 AND kind = 'message' AND detail ->> 'from' = $2;

-- name: insert_milestone
-- Once for an order and kind, and not after the last driver's part in it: that end is no reporter's wrong time.
WITH told AS (
    INSERT INTO timeline (order_id, at, kind)
    SELECT $1, $3::timestamptz, $2
    FROM (SELECT max(coalesce(ended_at, 'infinity')) AS ended_at FROM assignments WHERE order_id = $1) AS last
    WHERE $3::timestamptz <= last.ended_at
    ON CONFLICT (order_id, kind)
        WHERE kind IN ('arrived_at_pickup', 'departed_pickup', 'approaching', 'arrived_at_dropoff') DO NOTHING
    RETURNING order_id, at, kind
), arrived AS (
    UPDATE orders SET arrived_at = told.at FROM told WHERE id = told.order_id AND told.kind = 'arrived_at_dropoff'
)
SELECT true FROM told;

-- name: flag_stuck_orders
-- Orders that are open for too long at $1, as in domain/visibility.py; at most $2 of each kind. Each comes once,
-- whichever node asks first.
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
       AND coalesce(window_to, greatest(created_at, assigned_at, picked_up_at, window_from))
           <= $1::timestamptz - interval '24 hours'
       AND (arrived_at >= assigned_at) IS NOT TRUE
     LIMIT $2)
), held AS (
    SELECT id
    FROM orders
    WHERE id = ANY (ARRAY(SELECT id FROM due)) AND stuck_at IS NULL AND status IN ('created', 'assigned', 'picked_up')
    FOR NO KEY UPDATE SKIP LOCKED
), flagged AS (
    UPDATE orders SET stuck_at = $1 FROM held WHERE orders.id = held.id RETURNING orders.id
)
INSERT INTO timeline (order_id, at, kind) SELECT id, $1, 'stuck' FROM flagged RETURNING order_id;

-- name: select_milestones
SELECT order_id, kind, at
FROM timeline
WHERE order_id = ANY ($1::text[])
  AND kind IN ('arrived_at_pickup', 'departed_pickup', 'approaching', 'arrived_at_dropoff')
ORDER BY at, id;


-- ------------------------------------------------------------------ customers' data

-- name: lock_expired_customers
SELECT id
FROM orders
WHERE closed_at < $1 AND customer_erased_at IS NULL
ORDER BY closed_at
LIMIT $2
FOR NO KEY UPDATE SKIP LOCKED;

-- name: erase_customers
UPDATE orders
SET customer = NULL, pickup_address = NULL, dropoff_address = NULL, customer_erased_at = $2, version = version + 1
WHERE id = ANY ($1::text[]) AND closed_at IS NOT NULL AND customer_erased_at IS NULL;

-- name: erase_words_of_orders
-- Free text may name the customer, whoever wrote it. `driver_erased` is a word of the service.
UPDATE timeline
SET detail = detail - 'text' - 'reason'
WHERE order_id = ANY ($1::text[])
  AND (detail ? 'text' OR (detail ? 'reason' AND detail ->> 'reason' <> 'driver_erased'));

-- name: delete_opens_of_orders
DELETE FROM link_opens o USING links l WHERE l.id = o.link_id AND l.order_id = ANY ($1::text[]);

-- name: delete_answers_about_order
-- No answer about an order is older than the order; the clocks of two nodes may differ.
DELETE FROM idempotency
WHERE created_at >= $2::timestamptz - interval '1 hour' AND position(convert_to($1, 'UTF8') IN body) > 0;


-- ------------------------------------------------------------------ stop pins

-- name: lock_pins
-- Who changes the pins of a place is alone with them until the commit.
SELECT pg_advisory_xact_lock(hashtext('tracker pins'), hashtext($1));

-- name: select_pins
SELECT place, lat, lon, n, dwells, dwell_s FROM stop_pins WHERE place = ANY ($1::text[]) ORDER BY n DESC, lat, lon;

-- name: delete_pins
DELETE FROM stop_pins WHERE place = $1;

-- name: insert_pins
INSERT INTO stop_pins (place, lat, lon, n, dwells, dwell_s)
SELECT $1, * FROM unnest($2::float8[], $3::float8[], $4::integer[], $5::integer[], $6::float8[]);


-- ------------------------------------------------------------------ links

-- name: insert_link
INSERT INTO links (id, order_id, created_at, expires_at) VALUES ($1, $2, $3, $4) RETURNING *;

-- name: select_link
SELECT * FROM links WHERE id = $1;

-- name: select_links
SELECT * FROM links WHERE order_id = $1 ORDER BY created_at, id;

-- name: select_links_of_orders
SELECT * FROM links WHERE order_id = ANY ($1::text[]) AND revoked_at IS NULL ORDER BY created_at, id;

-- name: revoke_link
UPDATE links SET revoked_at = $3 WHERE id = $1 AND order_id = $2 AND revoked_at IS NULL;

-- name: insert_link_open
-- Counted and noted in one; no row where there is no such link, or this opening is noted already. Once the customer's
-- data is erased, nothing of who opens it is noted.
WITH noted AS (
    INSERT INTO link_opens (id, link_id, at, way, network, agent)
    SELECT $1, l.id, $3::timestamptz, $4, CASE WHEN o.customer_erased_at IS NULL THEN $5::text END,
           CASE WHEN o.customer_erased_at IS NULL THEN $6::text END
    FROM links l JOIN orders o ON o.id = l.order_id
    WHERE l.id = $2
    ON CONFLICT (id) DO NOTHING
    RETURNING link_id, at
)
UPDATE links
SET opened = opened + 1, last_opened_at = greatest(last_opened_at, noted.at)
FROM noted
WHERE links.id = noted.link_id
RETURNING opened;

-- name: delete_old_link_opens
-- All but the newest $2.
DELETE FROM link_opens o
USING (SELECT at, id FROM link_opens WHERE link_id = $1 ORDER BY at DESC, id DESC OFFSET $2 LIMIT 1) AS first
WHERE o.link_id = $1 AND (o.at, o.id) <= (first.at, first.id);

-- name: select_link_opens
SELECT id, at, way, network, agent
FROM link_opens
WHERE link_id = $1 AND ($2::timestamptz IS NULL OR (at, id) < ($2, $3::text))
ORDER BY at DESC, id DESC
LIMIT $4;


-- ------------------------------------------------------------------ keys

-- name: insert_api_key
INSERT INTO api_keys (id, name, scope, key_hash, created_at) VALUES ($1, $2, $3, $4, $5);

-- name: select_api_key
SELECT id, scope FROM api_keys WHERE key_hash = $1 AND revoked_at IS NULL;

-- name: select_api_keys
SELECT id, name, scope, created_at, revoked_at FROM api_keys ORDER BY created_at, id;

-- name: revoke_api_key
UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1 RETURNING id;

-- name: claim_idempotency_key
-- Waits for whoever is answering the same key just now. No row: somebody has answered it since $5.
INSERT INTO idempotency (api_key, key, request, status, body, created_at)
VALUES ($1, $2, $3, 0, '', $4)
ON CONFLICT (api_key, key) DO UPDATE
SET request = excluded.request, status = 0, body = '', created_at = excluded.created_at
WHERE idempotency.created_at < $5
RETURNING true;

-- name: select_kept_answer
SELECT request, status, body FROM idempotency WHERE api_key = $1 AND key = $2;

-- name: keep_answer
UPDATE idempotency SET status = $3, body = $4 WHERE api_key = $1 AND key = $2;

-- name: delete_old_answers
DELETE FROM idempotency WHERE created_at < $1;

-- name: delete_answers_about
DELETE FROM idempotency WHERE position(convert_to($1, 'UTF8') IN body) > 0;


-- ------------------------------------------------------------------ forecasts

-- name: insert_eta_forecasts
INSERT INTO eta_forecasts (order_id, made_at, driver, arrives_at, earliest, latest, distance_m, stops_before, basis,
                           stale, last_fix_at, progress_m)
SELECT *
FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
            $7::real[], $8::integer[], $9::text[], $10::boolean[], $11::timestamptz[], $12::real[])
ON CONFLICT (order_id, made_at) DO NOTHING;

-- name: open_eta_accounts
-- In sequence, so that two nodes with the same orders never wait in a circle.
INSERT INTO eta_open_accounts (order_id)
SELECT order_id FROM unnest($1::text[]) AS told (order_id) ORDER BY order_id
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
SELECT min(at) FROM timeline WHERE order_id = $1 AND kind = $2;

-- name: lock_ended_accounts
SELECT a.order_id
FROM eta_open_accounts a
JOIN orders o ON o.id = a.order_id
WHERE o.status IN ('delivered', 'failed', 'cancelled') AND ($1::text[] IS NULL OR a.order_id = ANY ($1))
LIMIT $2
FOR UPDATE OF a SKIP LOCKED;

-- name: delete_eta_errors
DELETE FROM eta_errors WHERE order_id = ANY ($1::text[]);

-- name: insert_eta_errors
-- $2: where the buckets of true minutes to go begin; $3: forecasts with less to go are not counted.
INSERT INTO eta_errors (order_id, bucket, hour, driver, arrived_at, forecasts, off_s, bias_s, off_share, held, width_s)
WITH arrived AS (
    SELECT o.id, order_arrived_at(o) AS arrived_at
    FROM orders o
    WHERE o.id = ANY ($1::text[])
), told AS (
    SELECT f.order_id, f.driver, a.arrived_at,
           extract(hour FROM f.made_at AT TIME ZONE 'UTC')::integer AS hour,
           extract(epoch FROM a.arrived_at - f.made_at)::float8 AS to_go_s,
           extract(epoch FROM f.arrives_at - a.arrived_at)::float8 AS error_s,
           extract(epoch FROM f.latest - f.earliest)::float8 AS width_s,
           a.arrived_at BETWEEN f.earliest AND f.latest AS held
    FROM eta_forecasts f
    JOIN arrived a ON a.id = f.order_id
    WHERE f.made_at <= a.arrived_at - $3::interval
)
SELECT order_id, ($2::integer[])[width_bucket(to_go_s / 60, $2::integer[]::float8[])], hour, d.number, arrived_at,
       count(*), sum(abs(error_s)), sum(error_s), sum(abs(error_s) / to_go_s), count(*) FILTER (WHERE held),
       sum(width_s)
FROM told
LEFT JOIN drivers d ON d.number = told.driver
GROUP BY order_id, 2, hour, d.number, arrived_at;

-- name: close_eta_accounts
DELETE FROM eta_open_accounts WHERE order_id = ANY ($1::text[]);

-- name: select_first_errors
-- How far the first forecast after the pickup was off, for each of these orders that has one.
SELECT DISTINCT ON (o.id) abs(extract(epoch FROM f.arrives_at - o.arrived_at))::float8 AS off_s
FROM (SELECT id, picked_up_at, order_arrived_at(orders) AS arrived_at
      FROM orders
      WHERE id = ANY ($1::text[])) AS o
JOIN eta_forecasts f ON f.order_id = o.id AND f.made_at >= o.picked_up_at AND f.made_at <= o.arrived_at
ORDER BY o.id, f.made_at;

-- name: select_eta_errors
-- In two steps: the many rows are added up once, by hashing, and the groups from what is left.
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


-- ------------------------------------------------------------------ what was learned

-- name: insert_lessons
INSERT INTO eta_lessons (lesson) SELECT lesson FROM unnest($1::jsonb[]) AS taught (lesson);

-- name: lock_learning
-- One node learns at a time; the others pass by. Until the transaction ends.
SELECT pg_try_advisory_xact_lock(hashtext('tracker learning'));

-- name: select_lessons
SELECT id, lesson FROM eta_lessons ORDER BY id LIMIT $1;

-- name: delete_lessons
DELETE FROM eta_lessons WHERE id = ANY ($1::bigint[]);

-- name: select_knowledge
-- Newer than what the asker holds: $1 and $2 are vehicles and their versions.
SELECT k.vehicle, k.version, k.arrivals, k.state
FROM eta_knowledge k
LEFT JOIN unnest($1::text[], $2::bigint[]) AS held (vehicle, version) ON held.vehicle = k.vehicle
WHERE held.version IS NULL OR k.version > held.version;

-- name: upsert_knowledge
INSERT INTO eta_knowledge (vehicle, version, arrivals, state, updated_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (vehicle) DO UPDATE
SET (version, arrivals, state, updated_at) = (excluded.version, excluded.arrivals, excluded.state, excluded.updated_at);

-- name: upsert_driver_paces
INSERT INTO driver_paces (driver, observed, expected, updated_at)
SELECT pace.driver, pace.observed, pace.expected, $4
FROM unnest($1::bigint[], $2::float8[], $3::float8[]) AS pace (driver, observed, expected)
JOIN drivers ON drivers.number = pace.driver
ORDER BY pace.driver
ON CONFLICT (driver) DO UPDATE
SET (observed, expected, updated_at) = (excluded.observed, excluded.expected, excluded.updated_at);

-- name: select_driver_pace
SELECT observed, expected FROM driver_paces WHERE driver = $1 AND updated_at >= $2;
