-- Browsers that are logged in with an API key. The cookie holds a random token, and a row only its hash.

CREATE TABLE sessions (
    token_hash  bytea PRIMARY KEY,
    api_key     text NOT NULL,                         -- its id; no row for TRACKER_ADMIN_KEY
    admin_mark  bytea,                                 -- what only the same TRACKER_ADMIN_KEY gives
    created_at  timestamptz NOT NULL,
    used_at     timestamptz NOT NULL                   -- to within some minutes
);
CREATE INDEX sessions_by_key ON sessions (api_key, created_at);
CREATE INDEX sessions_by_age ON sessions (created_at);
