-- Which node owns which driver's trip, where several nodes share one database.

-- A node renews its row every second and a half while it runs. After expires_at its leases count for nothing.
CREATE TABLE nodes (
    id          text PRIMARY KEY,                      -- random, new at each start
    expires_at  timestamptz NOT NULL
);

CREATE TABLE trip_leases (
    driver      bigint PRIMARY KEY REFERENCES drivers (number) ON DELETE CASCADE,
    node        text,                                  -- null: nobody owns the trip; may name a node that is gone
    generation  bigint NOT NULL                        -- grows with each new owner
);
CREATE INDEX trip_leases_by_node ON trip_leases (node) WHERE node IS NOT NULL;
