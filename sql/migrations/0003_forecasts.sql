-- The account of every forecast that was shown, what it was worth, and what finished ways have taught.

-- What somebody was told, and what the forecast knew when it was made. Dropped when the fixes of its day are.
CREATE TABLE eta_forecasts (
    order_id      text NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    made_at       timestamptz NOT NULL,
    driver        bigint NOT NULL,                     -- drivers.number
    arrives_at    timestamptz NOT NULL,                -- the median
    earliest      timestamptz NOT NULL,
    latest        timestamptz NOT NULL,
    distance_m    real,
    stops_before  integer NOT NULL,
    basis         text NOT NULL CHECK (basis IN ('route', 'straight_line')),
    stale         boolean NOT NULL,
    last_fix_at   timestamptz,                         -- the newest fix it knew
    progress_m    real,                                -- along the route, which begins anew with each reroute
    PRIMARY KEY (order_id, made_at)
);
CREATE INDEX eta_forecasts_by_age ON eta_forecasts (made_at);

-- Orders with forecasts whose errors have not been added up yet.
CREATE TABLE eta_open_accounts (
    order_id  text PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE
);

-- How wrong an order's forecasts were, once it had arrived: sums, so that a report adds up few rows. They stay when
-- the forecasts go.
CREATE TABLE eta_errors (
    order_id     text NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    bucket       integer NOT NULL,                     -- true minutes to go, from: 0, 2, 5, 10, 20
    hour         integer NOT NULL,                     -- of the day (UTC) in which they were made
    driver       bigint REFERENCES drivers (number) ON DELETE SET NULL,
    arrived_at   timestamptz NOT NULL,
    forecasts    integer NOT NULL,
    off_s        float8 NOT NULL,                      -- sum of |foretold - real|
    bias_s       float8 NOT NULL,                      -- sum of foretold - real
    off_share    float8 NOT NULL,                      -- sum of |foretold - real| / time to go
    held         integer NOT NULL,                     -- whose interval held the arrival
    width_s      float8 NOT NULL                       -- sum of the intervals' widths
);
CREATE INDEX eta_errors_by_order ON eta_errors (order_id);
CREATE INDEX eta_errors_by_arrival ON eta_errors (arrived_at);
CREATE INDEX eta_errors_by_driver ON eta_errors (driver);

-- What reaching one stop teaches, until a node has learned it.
CREATE TABLE eta_lessons (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lesson   jsonb NOT NULL
);

-- What was learned from them, one row for each kind of vehicle. Whoever learns holds the row.
CREATE TABLE eta_knowledge (
    vehicle     text PRIMARY KEY CHECK (vehicle IN ('car', 'bicycle', 'scooter', 'foot')),
    version     bigint NOT NULL,                       -- one more with each change
    arrivals    bigint NOT NULL,                       -- learned from
    state       bytea NOT NULL,
    updated_at  timestamptz NOT NULL
);

-- How fast each driver has been lately against what was expected; worth something for half an hour.
CREATE TABLE driver_paces (
    driver      bigint PRIMARY KEY REFERENCES drivers (number) ON DELETE CASCADE,
    observed    float8 NOT NULL,                       -- seconds
    expected    float8 NOT NULL,                       -- seconds
    updated_at  timestamptz NOT NULL
) WITH (fillfactor = 70);
