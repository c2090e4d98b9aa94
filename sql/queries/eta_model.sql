-- name: insert_arrival_samples
INSERT INTO eta_lessons (lesson) SELECT lesson FROM unnest($1::jsonb[]) AS sample (lesson);

-- name: lock_training
-- One node trains at a time, until its transaction ends; the others skip the training.
SELECT pg_try_advisory_xact_lock(hashtext('tracker learning'));

-- name: select_arrival_samples
SELECT id, lesson FROM eta_lessons ORDER BY id LIMIT $1;

-- name: delete_arrival_samples
DELETE FROM eta_lessons WHERE id = ANY ($1::bigint[]);

-- name: select_models
-- Models newer than the caller's: $1 and $2 are vehicles and their versions.
SELECT k.vehicle, k.version, k.arrivals, k.state
FROM eta_knowledge k
LEFT JOIN unnest($1::text[], $2::bigint[]) AS held (vehicle, version) ON held.vehicle = k.vehicle
WHERE held.version IS NULL OR k.version > held.version;

-- name: upsert_model
INSERT INTO eta_knowledge (vehicle, version, arrivals, state, updated_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (vehicle) DO UPDATE
SET (version, arrivals, state, updated_at) = (excluded.version, excluded.arrivals, excluded.state, excluded.updated_at);

-- name: upsert_speed_factors
INSERT INTO driver_paces (driver, observed, expected, updated_at)
SELECT factor.driver, factor.observed, factor.expected, $4
FROM unnest($1::bigint[], $2::float8[], $3::float8[]) AS factor (driver, observed, expected)
JOIN drivers ON drivers.number = factor.driver
ORDER BY factor.driver
ON CONFLICT (driver) DO UPDATE
SET (observed, expected, updated_at) = (excluded.observed, excluded.expected, excluded.updated_at);

-- name: select_speed_factor
SELECT observed, expected FROM driver_paces WHERE driver = $1 AND updated_at >= $2;
