-- A device's clock may be steadily wrong. The key of a fix stays as the device sent it, so that sending it again is a
-- duplicate whatever was found out about the clock meanwhile; the time by our clock stands beside it.

ALTER TABLE fixes ADD COLUMN corrected_at timestamptz;  -- NULL: recorded_at is right
CREATE INDEX fixes_corrected ON fixes (driver, corrected_at) WHERE corrected_at IS NOT NULL;

-- The fixes with the time at which they were really recorded. Two halves, so that each has its index.
CREATE VIEW timed_fixes AS
SELECT driver, recorded_at AS at, recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason
FROM fixes
WHERE corrected_at IS NULL
UNION ALL
SELECT driver, corrected_at, recorded_at, received_at, lat, lon, accuracy, speed, heading, altitude, battery, reason
FROM fixes
WHERE corrected_at IS NOT NULL;
