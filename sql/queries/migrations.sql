-- name: lock_migrations
SELECT pg_advisory_xact_lock(hashtext('tracker migrations'));

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
