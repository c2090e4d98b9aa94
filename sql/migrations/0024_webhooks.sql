-- Webhooks, and one delivery for each event that a webhook gets. Secrets are derived and stored nowhere.

CREATE TABLE webhooks (
    id                text PRIMARY KEY,                -- whk_…
    url               text NOT NULL,
    types             text[] NOT NULL,                 -- of events; empty: all
    base_url          text NOT NULL,                   -- start of tracking links
    created_at        timestamptz NOT NULL,
    secret_number     integer NOT NULL DEFAULT 1,      -- of the present secret; the one before may sign, too
    old_secret_until  timestamptz,
    failing_since     timestamptz,                     -- the first failure after the last success
    disabled_at       timestamptz,
    disabled_reason   text CHECK (disabled_reason IN ('gone', 'failing', 'by_merchant'))
);

ALTER TABLE events ADD COLUMN webhook_id text REFERENCES webhooks (id) ON DELETE CASCADE;  -- a test; in no list
CREATE INDEX events_by_webhook ON events (webhook_id) WHERE webhook_id IS NOT NULL;

CREATE TABLE webhook_deliveries (
    webhook_id       text NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_number     bigint NOT NULL REFERENCES events (number) ON DELETE CASCADE,
    subject          text NOT NULL,                    -- the order or driver whose events go one after the other
    status           text NOT NULL CHECK (status IN ('waiting', 'pending', 'delivered', 'dead')),
    attempts         integer NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz,                      -- while pending; a node that sends it moves this ahead
    last_attempt_at  timestamptz,
    last_status      integer,                          -- HTTP status of the last answer
    last_error       text,
    PRIMARY KEY (webhook_id, event_number)
);
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (event_number);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, next_attempt_at) WHERE status = 'pending';
CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (webhook_id, subject, event_number)
    WHERE status = 'waiting';
CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (webhook_id, event_number) WHERE status = 'dead';
-- One at a time: a later event of an order never overtakes an earlier one.
CREATE UNIQUE INDEX webhook_deliveries_pending ON webhook_deliveries (webhook_id, subject) WHERE status = 'pending';
