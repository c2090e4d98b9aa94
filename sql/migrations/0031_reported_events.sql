-- What events have said, so that a restart or a second node does not say it again.

-- About drivers: from when on the reported silence lasts, and whether the battery was reported as low.
CREATE TABLE driver_reports (
    driver        bigint PRIMARY KEY REFERENCES drivers (number) ON DELETE CASCADE,
    silent_since  timestamptz,
    battery_low   boolean NOT NULL DEFAULT false
);

-- About the forecasts of an order's attempt.
CREATE TABLE forecast_reports (
    order_id     text PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE,
    attempt      integer NOT NULL,
    reported_at  timestamptz,                          -- the arrival last reported
    promised_at  timestamptz,                          -- the first arrival forecast after the pickup
    is_delayed   boolean NOT NULL DEFAULT false        -- whether order.delayed was reported
);
