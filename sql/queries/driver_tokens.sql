-- name: insert_driver_token
INSERT INTO driver_tokens (token_hash, driver, used_at, created_at, mosquitto_hash, bcrypt_hash)
VALUES ($1, $2, $3, $3, $4, $5);

-- name: select_driver_by_token
-- Notes the use of the token, at most once an hour.
WITH used AS (UPDATE driver_tokens SET used_at = $2 WHERE token_hash = $1 AND used_at < $2::timestamptz - interval '1 hour')
SELECT d.* FROM driver_tokens t JOIN drivers d ON d.number = t.driver WHERE t.token_hash = $1;

-- name: delete_driver_tokens
DELETE FROM driver_tokens WHERE driver = $1;

-- name: delete_spare_driver_tokens
-- All but the $2 that were used last.
DELETE FROM driver_tokens
WHERE token_hash IN (SELECT token_hash FROM driver_tokens WHERE driver = $1 ORDER BY used_at DESC, token_hash OFFSET $2)
RETURNING token_hash;

-- name: select_mqtt_accounts
-- The newest token of each driver; brokers know one password for an account.
SELECT DISTINCT ON (d.number) d.id, t.mosquitto_hash, t.bcrypt_hash
FROM drivers d JOIN driver_tokens t ON t.driver = d.number
ORDER BY d.number, t.created_at DESC NULLS LAST, t.used_at DESC;

-- name: upsert_pairing_code
INSERT INTO pairing_codes (driver, code_hash, expires_at) VALUES ($1, $2, $3)
ON CONFLICT (driver) DO UPDATE
SET code_hash = excluded.code_hash, expires_at = excluded.expires_at, used_at = NULL;

-- name: select_pairing_code
SELECT driver FROM pairing_codes WHERE code_hash = $1 AND expires_at > $2;

-- name: lock_driver_of_pairing_code
SELECT d.*
FROM pairing_codes c JOIN drivers d ON d.number = c.driver
WHERE c.code_hash = $1 AND c.expires_at > $2
FOR KEY SHARE OF d;

-- name: use_pairing_code
UPDATE pairing_codes SET used_at = $2
WHERE code_hash = $1 AND expires_at > $2 AND used_at IS NULL
RETURNING driver;

-- name: delete_pairing_code
DELETE FROM pairing_codes WHERE driver = $1;
