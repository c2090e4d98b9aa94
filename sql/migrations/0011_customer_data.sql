-- When the customer's data of an order was erased; NULL: it is kept. A row leaves the index with the erasure, so the
-- search for expired data reads nothing else.

ALTER TABLE orders ADD COLUMN customer_erased_at timestamptz;
CREATE INDEX orders_with_customer_data ON orders (closed_at) WHERE closed_at IS NOT NULL AND customer_erased_at IS NULL;
