-- name: ensure_fix_partition
SELECT ensure_fix_partition($1::date);

-- name: drop_oldest_fix_partition
SELECT drop_oldest_fix_partition($1::date);

-- name: delete_fixes_in_default
DELETE FROM fixes_default WHERE recorded_at < $1;

-- name: count_fixes_in_default
SELECT count(*) FROM (SELECT FROM fixes_default LIMIT 100000) AS counted;

-- name: lock_drivers_of_fixes
-- The drivers of the batch that still exist, locked against erasure and a new owner until the commit. Where another
-- node than $2 has become the owner of the trip, `fenced`: what this node judged is out of date. The leases are read once
-- all drivers are locked.
WITH locked AS MATERIALIZED (
    SELECT number FROM drivers WHERE number = ANY ($1::bigint[]) ORDER BY number FOR KEY SHARE
), fence AS MATERIALIZED (
    SELECT coalesce(fenced_drivers(array_agg(number), $2), '{}') AS drivers FROM locked
)
SELECT number, number = ANY (fence.drivers) AS fenced FROM locked, fence;

-- name: insert_fixes
-- A commit of few rows in one round trip: what lock_drivers_of_fixes, insert_incoming and upsert_driver_states do.
-- $13 is the time of a row that is its driver's newest believed fix, otherwise NULL. `drivers` and `times` are the keys of new rows.
-- The rows are stored before the states, both in the order of their keys, so that two commits cannot deadlock.
WITH locked AS MATERIALIZED (
    SELECT number FROM drivers WHERE number = ANY ($1::bigint[]) ORDER BY number FOR KEY SHARE
), fence AS MATERIALIZED (
    SELECT coalesce(fenced_drivers(array_agg(number), $14), '{}') AS drivers FROM locked
), alive AS MATERIALIZED (
    SELECT number, number = ANY (fence.drivers) AS fenced FROM locked, fence
), sent AS MATERIALIZED (
    SELECT row.*
    FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::float8[], $5::float8[],
                $6::real[], $7::real[], $8::real[], $9::real[], $10::real[], $11::text[], $12::timestamptz[],
                $13::timestamptz[])
         AS row (driver, recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason,
                 corrected_at, newest_at)
    JOIN alive ON alive.number = row.driver AND NOT alive.fenced
), stored AS (
    INSERT INTO fixes
    SELECT driver, recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason, corrected_at
    FROM sent
    ORDER BY driver, recorded_at
    ON CONFLICT (driver, recorded_at) DO NOTHING
    RETURNING driver, recorded_at
), states AS (
    INSERT INTO driver_states AS state
        (driver, recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery)
    SELECT driver, newest_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery
    FROM sent
    WHERE newest_at IS NOT NULL
    ORDER BY driver
    ON CONFLICT (driver) DO UPDATE
    SET (recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery)
      = (excluded.recorded_at, excluded.received_at, excluded.lat, excluded.lon, excluded.accuracy, excluded.speed,
         excluded.heading, excluded.altitude, excluded.battery)
    WHERE excluded.recorded_at > state.recorded_at
)
SELECT (SELECT array_agg(number) FROM alive WHERE NOT fenced) AS alive,
       (SELECT array_agg(number) FROM alive WHERE fenced) AS fenced,
       (SELECT count(*) FROM stored) = cardinality($1) AS all_new,
       (SELECT array_agg(driver ORDER BY driver, recorded_at) FROM stored) AS drivers,
       (SELECT array_agg(recorded_at ORDER BY driver, recorded_at) FROM stored) AS times;

-- name: create_incoming
CREATE TEMPORARY TABLE incoming (LIKE fixes) ON COMMIT DROP;

-- name: insert_incoming
-- In the order of the key, so that two batches with the same rows cannot deadlock.
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
-- Times are by the server's clock. Each half reads at most the limit. A time is corrected by at most two days.
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
-- Times are by the server's clock, none before $2. At most $3 rows of each half, with and without a corrected time;
-- the caller drops the rest.
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

-- name: select_stored_keys
-- Those of the keys $2 that are stored, and at most $5 of the next hour. $3 and $4 are the first and the last of $2;
-- they select the partitions.
SELECT recorded_at
FROM fixes
WHERE driver = $1 AND recorded_at = ANY ($2::timestamptz[]) AND recorded_at BETWEEN $3 AND $4
UNION ALL
(SELECT recorded_at
 FROM fixes
 WHERE driver = $1 AND recorded_at > $4 AND recorded_at <= $4 + interval '1 hour'
 ORDER BY recorded_at
 LIMIT $5);

-- name: select_judged_around
-- The fixes from $2 to $3 by the server's clock, and those before and after within $6. Of each half, with and without a
-- corrected time, at most $5 within, $4 before and $4 after.
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
-- Fixes that were judged again because of late ones.
UPDATE fixes f
SET reason = judged.reason
FROM unnest($1::bigint[], $2::timestamptz[], $3::text[]) AS judged (driver, recorded_at, reason)
WHERE f.driver = judged.driver AND f.recorded_at = judged.recorded_at
  AND f.reason IS DISTINCT FROM judged.reason;

-- name: replace_driver_states
-- If the newest believed fix is doubted after all, an older one replaces it.
UPDATE driver_states state
SET (recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery)
  = (newest.recorded_at, newest.received_at, newest.lat, newest.lon, newest.accuracy, newest.speed,
     newest.heading, newest.altitude, newest.battery)
FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::float8[], $5::float8[],
            $6::real[], $7::real[], $8::real[], $9::real[], $10::real[])
     AS newest (driver, recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery)
WHERE state.driver = newest.driver;

-- name: count_rejudgements
-- Counts a change of stored verdicts for each driver; a track's ETag contains the count.
UPDATE driver_states SET rejudgements = rejudgements + 1 WHERE driver = ANY ($1::bigint[]);

-- name: select_driver_states
SELECT driver, recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, NULL AS reason
FROM driver_states
WHERE driver = ANY ($1::bigint[]);

-- name: select_is_track_broken
-- Whether two successive believed fixes are over $4 apart, of two drivers or attempts, or on two sides of the
-- antimeridian.
SELECT EXISTS (
    SELECT
    FROM (SELECT at - lag(at) OVER track AS elapsed, (f.driver, attempt) <> lag((f.driver, attempt)) OVER track AS handed_over,
                 abs(lon - lag(lon) OVER track) > 180 AS crossed
          FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $5::integer[])
               AS track_window (driver, begins, ends, attempt)
          JOIN timed_fixes f ON f.driver = track_window.driver AND at BETWEEN begins AND ends
               AND f.recorded_at BETWEEN begins - interval '2 days' AND ends + interval '2 days'
          WHERE reason IS NULL
          WINDOW track AS (ORDER BY at)) AS steps
    WHERE elapsed > $4::interval OR handed_over OR crossed);
