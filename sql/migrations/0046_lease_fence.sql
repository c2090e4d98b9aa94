-- Which of these drivers' trips another node than `own` owns now. A statement sees what was committed before it began, but
-- a lease may be taken while it waits for a lock. A volatile function sees what is committed when it is called.

CREATE FUNCTION fenced_drivers(drivers bigint[], own text) RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT array_agg(driver) FROM trip_leases WHERE driver = ANY (drivers) AND node <> own);
END
$$;
