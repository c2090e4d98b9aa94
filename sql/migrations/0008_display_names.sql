-- What customers read in place of a driver's first name.

ALTER TABLE drivers ADD COLUMN display_name text;
CREATE INDEX drivers_by_reference ON drivers (reference, created_at DESC, id DESC) WHERE reference IS NOT NULL;
