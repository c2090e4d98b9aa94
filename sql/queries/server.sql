-- name: ping
SELECT 1;

-- name: server_version
SELECT current_setting('server_version');

-- name: server_time
SELECT clock_timestamp();

-- name: backend_pid
SELECT pg_backend_pid();

-- name: limit_transaction
-- What a connection asks for at its start, for the current transaction only.
SELECT set_config('jit', 'off', true), set_config('idle_in_transaction_session_timeout', '5s', true);

-- name: select_timeline_number
-- The timeline of a primary, which each promotion of a replica increments. NULL on a replica.
SELECT CASE WHEN NOT pg_is_in_recovery()
            THEN ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::integer END;
