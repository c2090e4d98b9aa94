-- name: select_commit_mark
-- Of the primary: its timeline, the end of what is committed, and until when the row of the node $1 is valid.
SELECT ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::integer AS timeline,
       pg_current_wal_flush_lsn()::text AS lsn,
       (SELECT expires_at FROM nodes WHERE id = $1) AS beat;

-- name: select_replica_state
-- Whether this server is a replica, and until when the row of the node $1 is valid as far as it has replayed.
SELECT pg_is_in_recovery() AS is_replica, (SELECT expires_at FROM nodes WHERE id = $1) AS beat;

-- name: select_has_replayed
-- Whether this replica has replayed all that was committed up to the mark $1.
SELECT coalesce(pg_last_wal_replay_lsn() >= $1::text::pg_lsn, false);

-- name: select_identity
-- What a primary and its replicas have in common.
SELECT system_identifier, current_database()::text AS name, pg_is_in_recovery() AS is_replica FROM pg_control_system();
