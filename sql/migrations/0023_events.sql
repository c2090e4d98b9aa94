-- The outbox: each event is written in the transaction of its change, and numbered once that has committed.

-- No column holds a customer's data: addresses, names and words are read from the order and its timeline when an event
-- is listed or sent, so that they are erased and corrected there only.
CREATE TABLE events (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- as inserted; two transactions may commit otherwise
    position     bigint UNIQUE,                        -- in the list; NULL: not numbered yet
    id           text NOT NULL UNIQUE DEFAULT 'evt_' || replace(gen_random_uuid()::text, '-', ''),
    type         text NOT NULL,
    at           timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    order_id     text REFERENCES orders (id) ON DELETE CASCADE,
    driver_id    text REFERENCES drivers (id) ON DELETE SET NULL,  -- the order's driver then, or the driver it is about
    facts        jsonb NOT NULL DEFAULT '{}',          -- of the order then, see order_facts
    timeline_id  bigint,                               -- the entry that says more
    detail       jsonb NOT NULL DEFAULT '{}',          -- what no timeline entry says
    eta          jsonb                                 -- the forecast then, if one was the reason
);
CREATE INDEX events_unnumbered ON events (number) WHERE position IS NULL;
CREATE INDEX events_by_age ON events (recorded_at);
CREATE INDEX events_by_order ON events (order_id);
CREATE INDEX events_by_driver ON events (driver_id);

-- One row, from the first event on.
CREATE TABLE event_feed (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    last     bigint NOT NULL,                          -- the last position given
    dropped  bigint NOT NULL DEFAULT 0                 -- the last position whose event was deleted
);

-- The type of the event that a timeline entry is; NULL: it is none.
CREATE FUNCTION order_event_type(kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN kind = 'arrived_at_dropoff' THEN 'order.arrived'
                WHEN kind IN ('created', 'assigned', 'picked_up', 'approaching', 'delivered', 'failed', 'cancelled',
                              'attempt', 'stuck') THEN 'order.' || kind
           END
$$;

-- What an order was at the time of an event. All else is read from the order later.
CREATE FUNCTION order_facts(o orders) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'status', o.status, 'version', o.version, 'attempt', o.attempt, 'attempt_at', o.attempt_at,
        'assigned_at', o.assigned_at, 'picked_up_at', o.picked_up_at, 'arrived_at', o.arrived_at,
        'delivered_at', o.delivered_at, 'failed_at', o.failed_at, 'cancelled_at', o.cancelled_at,
        'closed_at', o.closed_at, 'window_from', o.window_from, 'window_to', o.window_to)
$$;
