-- When drivers were off duty or on a break, and the newest state of each driver's device.

-- A time without a row is on duty. Rows are kept as long as fixes: a backlog is judged by the duty of its own time.
CREATE TABLE duty_intervals (
    driver    bigint NOT NULL REFERENCES drivers (number) ON DELETE CASCADE,
    duty      text NOT NULL CHECK (duty IN ('on_break', 'off')),
    begun_at  timestamptz NOT NULL,
    ended_at  timestamptz,
    PRIMARY KEY (driver, begun_at)
);
CREATE UNIQUE INDEX duty_intervals_open ON duty_intervals (driver) WHERE ended_at IS NULL;
CREATE INDEX duty_intervals_by_end ON duty_intervals (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE device_states (
    driver  bigint PRIMARY KEY REFERENCES drivers (number) ON DELETE CASCADE,
    state   jsonb NOT NULL                             -- the newest value of each field, and its time
);
