-- What the driver has to prove at the stops of an order.

ALTER TABLE orders ADD COLUMN requirements jsonb NOT NULL DEFAULT '{}';
