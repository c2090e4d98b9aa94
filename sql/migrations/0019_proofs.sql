-- What drivers proved at the stops of an order. The rows go with the customer's data, with the driver and the order.

CREATE TABLE proofs (
    id           text PRIMARY KEY,                     -- prf_…
    order_id     text NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    driver       bigint NOT NULL REFERENCES drivers (number) ON DELETE CASCADE,
    stop         text NOT NULL CHECK (stop IN ('pickup', 'dropoff')),
    kind         text NOT NULL CHECK (kind IN ('photo', 'signature', 'barcode', 'pin')),
    at           timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    distance_m   float8,                               -- from the stop; NULL: unknown
    value        text,                                 -- of a barcode
    image        bytea                                 -- JPEG
);
CREATE INDEX proofs_by_order ON proofs (order_id, received_at, id);
CREATE INDEX proofs_by_driver ON proofs (driver);
ALTER TABLE proofs ALTER COLUMN image SET STORAGE EXTERNAL;  -- a JPEG cannot be compressed further

ALTER TABLE orders ADD COLUMN proofs jsonb NOT NULL DEFAULT '[]';  -- those that the present driver gave, without images
ALTER TABLE orders ADD COLUMN pin text;                            -- only while the order is open and needs it
ALTER TABLE orders ADD COLUMN wrong_pins text[] NOT NULL DEFAULT '{}';  -- that were tried since none was refused
ALTER TABLE orders ADD COLUMN pins_refused_until timestamptz;

ALTER TABLE timeline DROP CONSTRAINT timeline_kind_check;
ALTER TABLE timeline ADD CONSTRAINT timeline_kind_check CHECK (kind IN (
    'created', 'assigned', 'unassigned', 'picked_up', 'delivered', 'failed', 'cancelled', 'message',
    'link_created', 'link_revoked', 'arrived_at_pickup', 'departed_pickup', 'approaching', 'arrived_at_dropoff',
    'stuck', 'proof', 'attempt')) NOT VALID;  -- what stands there was checked by a narrower one
