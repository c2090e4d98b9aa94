-- name: insert_session
-- A key has at most $6 sessions: the oldest ones go.
WITH gone AS (
    DELETE FROM sessions WHERE token_hash IN (
        SELECT token_hash FROM sessions WHERE api_key = $2 ORDER BY created_at DESC OFFSET $6 - 1)
)
INSERT INTO sessions (token_hash, api_key, admin_mark, created_at, used_at) VALUES ($1, $2, $3, $4, $5);

-- name: select_session
-- The session and its key, unless either has ended. $2 and $3: the oldest creation and use that count.
SELECT s.api_key, coalesce(k.scope, 'admin'), coalesce(k.name, ''), s.created_at, s.used_at, s.admin_mark
FROM sessions s LEFT JOIN api_keys k ON k.id = s.api_key
WHERE s.token_hash = $1 AND s.created_at > $2 AND s.used_at > $3
  AND (s.admin_mark IS NOT NULL OR (k.id IS NOT NULL AND k.revoked_at IS NULL));

-- name: touch_session
UPDATE sessions SET used_at = greatest(used_at, $2) WHERE token_hash = $1;

-- name: delete_session
DELETE FROM sessions WHERE token_hash = $1;

-- name: delete_old_sessions
DELETE FROM sessions WHERE created_at <= $1 OR used_at <= $2;
