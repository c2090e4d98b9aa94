-- What positions show of an order comes once, and where drivers really stop for an address.

-- A restart, a second node or a driver who comes back never tells one of these again.
CREATE UNIQUE INDEX timeline_milestones ON timeline (order_id, kind)
    WHERE kind IN ('arrived_at_pickup', 'departed_pickup', 'approaching', 'arrived_at_dropoff');

-- No person, no order and no time in it. At most five rows for a place.
CREATE TABLE stop_pins (
    place    text NOT NULL,                            -- rounded coordinate, and a hash of the address
    lat      float8 NOT NULL,                          -- mean of those who stood there
    lon      float8 NOT NULL,
    n        integer NOT NULL,                         -- how many
    dwells   integer NOT NULL,                         -- how many of them with a known arrival
    dwell_s  float8 NOT NULL                           -- seconds from arrival to delivery, all together
);
CREATE INDEX stop_pins_by_place ON stop_pins (place);
