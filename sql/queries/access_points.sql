-- name: lock_access_points
-- Locks the access points of a place until the commit.
SELECT pg_advisory_xact_lock(hashtext('tracker pins'), hashtext($1));

-- name: select_access_points
SELECT place, lat, lon, n, dwells, dwell_s FROM stop_pins WHERE place = ANY ($1::text[]) ORDER BY n DESC, lat, lon;

-- name: delete_access_points
DELETE FROM stop_pins WHERE place = $1;

-- name: insert_access_points
INSERT INTO stop_pins (place, lat, lon, n, dwells, dwell_s)
SELECT $1, * FROM unnest($2::float8[], $3::float8[], $4::integer[], $5::integer[], $6::float8[]);
