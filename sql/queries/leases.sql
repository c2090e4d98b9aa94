-- name: beat_node
-- Renews the node's own row, and returns which other nodes run. It waits for a transaction that takes one of this
-- node's leases because the row had expired.
WITH beat AS (
    INSERT INTO nodes (id, expires_at) VALUES ($1, clock_timestamp() + $2::interval)
    ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at
)
SELECT id FROM nodes WHERE id <> $1 AND expires_at > clock_timestamp();

-- name: delete_node
DELETE FROM nodes WHERE id = $1;

-- name: delete_gone_nodes
DELETE FROM nodes WHERE expires_at < clock_timestamp() - interval '1 day';

-- name: select_leases_of_node
SELECT d.id, l.generation FROM trip_leases l JOIN drivers d ON d.number = l.driver WHERE l.node = $1;

-- name: lock_driver_for_lease
-- Waits for commits of fixes that the former owner judged, and for erasure.
SELECT number FROM drivers WHERE id = $1 FOR UPDATE;

-- name: lock_lease_owner
-- The owner's row is locked, expired or not: a node that wakes up renews it before it looks for its leases.
SELECT n.id, n.expires_at > clock_timestamp() AS runs
FROM trip_leases l JOIN nodes n ON n.id = l.node
WHERE l.driver = $1 AND l.node <> $2
FOR SHARE OF n;

-- name: upsert_lease
INSERT INTO trip_leases AS lease (driver, node, generation) VALUES ($1, $2, 1)
ON CONFLICT (driver) DO UPDATE SET node = excluded.node, generation = lease.generation + 1
RETURNING generation;

-- name: release_leases
UPDATE trip_leases SET node = NULL
WHERE node = $1 AND driver = ANY (SELECT number FROM drivers WHERE id = ANY ($2::text[]));

-- name: outdate_lease
-- What another node has in memory of this driver is out of date.
INSERT INTO trip_leases AS lease (driver, node, generation) VALUES ($1, NULL, 1)
ON CONFLICT (driver) DO UPDATE SET generation = lease.generation + 1
RETURNING generation;

-- name: select_owners
-- The nodes that own trips of these drivers now.
SELECT d.id, l.node, l.generation
FROM drivers d JOIN trip_leases l ON l.driver = d.number JOIN nodes n ON n.id = l.node
WHERE d.id = ANY ($1::text[]) AND n.expires_at > clock_timestamp();
