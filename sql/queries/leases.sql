-- name: beat_node
-- Renews the node's own row, and returns which other nodes run. It waits for a transaction that takes one of this
-- node's leases because the row had expired.
WITH beat AS (
    INSERT INTO nodes (id, expires_at) VALUES ($1, clock_timestamp() + $2::interval)
    ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at
)
SELECT id FROM nodes WHERE id <> $1 AND expires_at > clock_timestamp();

-- name: describe_node
UPDATE nodes SET version = $2, installation = $3, bus = $4 WHERE id = $1;

-- name: select_running_nodes
SELECT id, version, installation, bus FROM nodes WHERE expires_at > clock_timestamp() ORDER BY id;

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

-- name: select_watched_orders
-- Of each order the version, and of its driver the running owner and when the newest believed fix came.
SELECT o.id, o.version, o.driver_id, n.id AS owner, s.received_at
FROM orders o
LEFT JOIN drivers d ON d.id = o.driver_id
LEFT JOIN trip_leases l ON l.driver = d.number
LEFT JOIN nodes n ON n.id = l.node AND n.expires_at > clock_timestamp()
LEFT JOIN driver_states s ON s.driver = d.number
WHERE o.id = ANY ($1::text[]);

-- name: select_driver_marks
-- A text for each driver that differs once their name, vehicle, stops, orders or notes have changed; their duty; and
-- the running node that owns their trip.
SELECT d.id, concat_ws(' ', d.name, d.display_name, d.vehicle, plan.stops, plan.notes) AS mark,
       coalesce(i.duty, 'on') AS duty, n.id AS owner
FROM drivers d
LEFT JOIN duty_intervals i ON i.driver = d.number AND i.ended_at IS NULL
LEFT JOIN trip_leases l ON l.driver = d.number
LEFT JOIN nodes n ON n.id = l.node AND n.expires_at > clock_timestamp()
CROSS JOIN LATERAL (
    SELECT string_agg(concat_ws(' ', s.order_id, s.kind, o.version), ',' ORDER BY s.sequence) AS stops,
           sum((SELECT count(*) FROM timeline t WHERE t.order_id = o.id AND t.kind = 'message')) AS notes
    FROM stops s JOIN orders o ON o.id = s.order_id
    WHERE s.driver_id = d.id) AS plan
WHERE d.id = ANY ($1::text[]);

-- name: select_revoked_links
SELECT id FROM links WHERE id = ANY ($1::text[]) AND revoked_at IS NOT NULL;

-- name: select_valid_tokens
SELECT token_hash FROM driver_tokens WHERE token_hash = ANY ($1::bytea[]);

-- name: select_driver_notes
SELECT order_id, detail ->> 'text' AS text, at
FROM timeline
WHERE order_id = ANY ($1::text[]) AND kind = 'message' AND detail ->> 'from' = 'driver' AND at > $2
ORDER BY at;

-- name: hold_role
-- Returns a row if the node has the role now: it had the role before, or the node that had it is gone.
INSERT INTO node_roles AS held (role, node) VALUES ($1, $2)
ON CONFLICT (role) DO UPDATE SET node = excluded.node
WHERE held.node = excluded.node
   OR NOT EXISTS (SELECT FROM nodes n WHERE n.id = held.node AND n.expires_at > clock_timestamp())
RETURNING node;
