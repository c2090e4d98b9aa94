-- name: insert_api_key
INSERT INTO api_keys (id, name, scope, key_hash, created_at) VALUES ($1, $2, $3, $4, $5);

-- name: select_api_key
SELECT id, scope, name FROM api_keys WHERE key_hash = $1 AND revoked_at IS NULL;

-- name: select_api_keys
SELECT id, name, scope, created_at, revoked_at FROM api_keys ORDER BY created_at, id;

-- name: revoke_api_key
UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1 RETURNING id;

-- name: claim_idempotency_key
-- Waits while another transaction answers the same key. No row: the key has had a response since $5.
INSERT INTO idempotency (api_key, key, request, status, body, created_at)
VALUES ($1, $2, $3, 0, '', $4)
ON CONFLICT (api_key, key) DO UPDATE
SET request = excluded.request, status = 0, body = '', created_at = excluded.created_at
WHERE idempotency.created_at < $5
RETURNING true;

-- name: select_kept_answer
SELECT request, status, headers, body FROM idempotency WHERE api_key = $1 AND key = $2;

-- name: keep_answer
UPDATE idempotency SET status = $3, headers = $4, body = $5 WHERE api_key = $1 AND key = $2;

-- name: delete_old_answers
DELETE FROM idempotency WHERE created_at < $1;

-- name: erase_answers_about
-- The row stays, so that a retry of the request does not create everything again.
UPDATE idempotency SET request = '', headers = '{}', body = ''
WHERE position(convert_to($1, 'UTF8') IN body) > 0;
