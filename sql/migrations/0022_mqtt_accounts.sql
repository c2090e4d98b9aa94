-- MQTT brokers compare a driver's token with hashes of their own. They can only be made when the token is.

ALTER TABLE driver_tokens
    ADD COLUMN created_at timestamptz,         -- NULL: before this migration
    ADD COLUMN mosquitto_hash text,            -- $7$…: PBKDF2-SHA512
    ADD COLUMN bcrypt_hash text;
