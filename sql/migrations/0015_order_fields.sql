-- What the merchant adds to an order for its driver, and for its own programs.

ALTER TABLE orders ADD COLUMN instructions text;                   -- personal: erased with the customer's data
ALTER TABLE orders ADD COLUMN contact text;                        -- personal: a phone number or URL
ALTER TABLE orders ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}';  -- the merchant's own pairs; kept
