-- How well the place of a stop is known: the merchant's own coordinates, or a geocoded house, street or place.
-- A node of an older version leaves the default, which is what it stores.

ALTER TABLE orders ADD COLUMN pickup_precision text NOT NULL DEFAULT 'exact';
ALTER TABLE orders ADD COLUMN dropoff_precision text NOT NULL DEFAULT 'exact';
