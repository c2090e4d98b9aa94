-- A driver may have several tokens, one for each device. A pairing code gives a phone one more, once.

CREATE TABLE driver_tokens (
    token_hash  bytea PRIMARY KEY,                     -- SHA-256; the token itself is shown once
    driver      bigint NOT NULL REFERENCES drivers (number) ON DELETE CASCADE,
    used_at     timestamptz NOT NULL                   -- of creation or last use, to the hour
);
CREATE INDEX driver_tokens_by_driver ON driver_tokens (driver);

INSERT INTO driver_tokens (token_hash, driver, used_at)
SELECT token_hash, number, greatest(created_at, last.received_at)
FROM drivers LEFT JOIN driver_states last ON last.driver = drivers.number;

ALTER TABLE drivers DROP COLUMN token_hash;

CREATE TABLE pairing_codes (
    driver      bigint PRIMARY KEY REFERENCES drivers (number) ON DELETE CASCADE,  -- one open code a driver
    code_hash   bytea NOT NULL UNIQUE,                 -- SHA-256
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz                            -- a used code stays until it is replaced
);
