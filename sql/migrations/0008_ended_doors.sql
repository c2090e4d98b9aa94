-- The dropoffs that a driver served last: they hide the driver until they are left, after a restart, too.

CREATE INDEX assignments_by_end ON assignments (driver, ended_at);
DROP INDEX assignments_by_driver;
