-- What customers do on their page: instructions, the place of their door, and a rating.

ALTER TABLE orders ADD COLUMN customer_instructions text;  -- personal: erased with the customer's data
ALTER TABLE orders ADD COLUMN given_dropoff jsonb;         -- the merchant's coordinates, once the customer has moved the pin
ALTER TABLE orders ADD COLUMN rating jsonb;                -- its text is personal

ALTER TABLE timeline DROP CONSTRAINT timeline_kind_check;
ALTER TABLE timeline ADD CONSTRAINT timeline_kind_check CHECK (kind IN (
    'created', 'assigned', 'unassigned', 'picked_up', 'delivered', 'failed', 'cancelled', 'message',
    'link_created', 'link_revoked', 'arrived_at_pickup', 'departed_pickup', 'approaching', 'arrived_at_dropoff',
    'stuck', 'proof', 'attempt', 'instructions', 'place', 'rating')) NOT VALID;  -- what stands there was checked by a narrower one
