-- Drivers, orders, stops, the orders' timeline, fixes, newest states, keys, tokens and links.
-- Times are timestamptz, distances metres, speeds metres per second, angles degrees.

CREATE TABLE drivers (
    id          text PRIMARY KEY,                      -- drv_…, not to be guessed
    number      bigint GENERATED ALWAYS AS IDENTITY UNIQUE,  -- the short key of the fixes
    name        text NOT NULL,
    vehicle     text NOT NULL CHECK (vehicle IN ('car', 'bicycle', 'scooter', 'foot')),
    reference   text,
    token_hash  bytea NOT NULL UNIQUE,                 -- SHA-256; the token itself is shown once
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX drivers_by_age ON drivers (created_at DESC, id DESC);

CREATE TABLE orders (
    id            text PRIMARY KEY,                    -- ord_…
    reference     text,
    status        text NOT NULL DEFAULT 'created'
                  CHECK (status IN ('created', 'assigned', 'picked_up', 'delivered', 'failed', 'cancelled')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    driver_id     text REFERENCES drivers (id) ON DELETE SET NULL,
    pickup_lat    float8 NOT NULL,
    pickup_lon    float8 NOT NULL,
    pickup_address   text,
    pickup_service_s float8,
    dropoff_lat   float8 NOT NULL,
    dropoff_lon   float8 NOT NULL,
    dropoff_address   text,
    dropoff_service_s float8,
    customer      jsonb,                               -- name, phone, email
    window_from   timestamptz,
    window_to     timestamptz,
    visibility    jsonb NOT NULL DEFAULT '{}',
    assigned_at   timestamptz,
    picked_up_at  timestamptz,
    delivered_at  timestamptz,
    failed_at     timestamptz,
    cancelled_at  timestamptz,
    version       integer NOT NULL DEFAULT 1
);
CREATE INDEX orders_by_age ON orders (created_at DESC, id DESC);
CREATE INDEX orders_by_reference ON orders (reference, created_at DESC, id DESC) WHERE reference IS NOT NULL;
CREATE INDEX orders_by_driver ON orders (driver_id, created_at DESC, id DESC) WHERE driver_id IS NOT NULL;
CREATE INDEX orders_by_status ON orders (status, created_at DESC, id DESC);
CREATE INDEX orders_open ON orders (driver_id) WHERE status IN ('assigned', 'picked_up');

-- The places a driver has still to serve, in sequence. A row goes when its stop is done or taken away.
CREATE TABLE stops (
    order_id   text NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    kind       text NOT NULL CHECK (kind IN ('pickup', 'dropoff')),
    driver_id  text NOT NULL REFERENCES drivers (id) ON DELETE CASCADE,
    sequence   integer NOT NULL,
    PRIMARY KEY (order_id, kind)
);
CREATE INDEX stops_by_driver ON stops (driver_id, sequence);

-- Who carried an order, and when: the history's track is read along these.
CREATE TABLE assignments (
    order_id   text NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    driver     bigint NOT NULL REFERENCES drivers (number) ON DELETE CASCADE,
    begun_at   timestamptz NOT NULL,
    ended_at   timestamptz,
    PRIMARY KEY (order_id, begun_at)
);
CREATE INDEX assignments_by_driver ON assignments (driver);

CREATE TABLE timeline (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id   text NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    at         timestamptz NOT NULL,
    kind       text NOT NULL CHECK (kind IN (
                 'created', 'assigned', 'unassigned', 'picked_up', 'delivered', 'failed', 'cancelled', 'message',
                 'link_created', 'link_revoked', 'arrived_at_pickup', 'departed_pickup', 'approaching',
                 'arrived_at_dropoff')),
    detail     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX timeline_by_order ON timeline (order_id, at, id);

-- Every reading of every driver, one partition a day (UTC). The natural key makes a second sending a duplicate.
CREATE TABLE fixes (
    driver       bigint NOT NULL,                      -- drivers.number
    recorded_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    lat          float8 NOT NULL,
    lon          float8 NOT NULL,
    accuracy     real,
    speed        real,
    heading      real,
    altitude     real,
    battery      real,
    reason       text,                                 -- why it is doubted; NULL: believed
    PRIMARY KEY (driver, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE TABLE fixes_default PARTITION OF fixes DEFAULT;  -- should stay empty: an alarm tells when it does not

-- The newest believed fix of each driver; small and rewritten often.
CREATE TABLE driver_states (
    driver       bigint PRIMARY KEY REFERENCES drivers (number) ON DELETE CASCADE,
    recorded_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    lat          float8 NOT NULL,
    lon          float8 NOT NULL,
    accuracy     real,
    speed        real,
    heading      real,
    altitude     real,
    battery      real
) WITH (fillfactor = 70);

CREATE TABLE api_keys (
    id          text PRIMARY KEY,                      -- key_…
    name        text NOT NULL,
    scope       text NOT NULL CHECK (scope IN ('admin', 'orders', 'read')),
    key_hash    bytea NOT NULL UNIQUE,                 -- SHA-256
    created_at  timestamptz NOT NULL DEFAULT now(),
    revoked_at  timestamptz
);

-- Tracking links. Their tokens are derived from the id and the service's secret, and stored nowhere.
CREATE TABLE links (
    id              text PRIMARY KEY,                  -- lnk_…
    order_id        text NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz,
    revoked_at      timestamptz,
    opened          integer NOT NULL DEFAULT 0,
    last_opened_at  timestamptz
);
CREATE INDEX links_by_order ON links (order_id, created_at);

-- Answers already given to an Idempotency-Key.
CREATE TABLE idempotency (
    api_key     text NOT NULL,
    key         text NOT NULL,
    request     bytea NOT NULL,                        -- SHA-256 of method, path and body
    status      integer NOT NULL,
    body        bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (api_key, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);
