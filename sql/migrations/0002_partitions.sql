-- Fixes stand in one partition a day (UTC), made ahead and dropped whole. The names hold the date: fixes_20261122.
-- Every step gives up after a second of waiting for a lock, so that it never holds up those who store fixes; whoever
-- called tries again later. Until then the default partition takes what has no partition of its own.

CREATE FUNCTION ensure_fix_partition(day date) RETURNS boolean  -- whether it had to be made
LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
    partition text := 'fixes_' || to_char(day, 'YYYYMMDD');
    begins    timestamptz := day::timestamp AT TIME ZONE 'UTC';
    ends      timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('tracker fix partitions'));  -- one node at a time
    -- Not by to_regclass again: it remembers that there was none.
    PERFORM FROM pg_class WHERE relname = partition AND relnamespace = current_schema()::regnamespace;
    IF FOUND THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE fixes INCLUDING ALL)', partition);
    -- What came before the partition moves into it. ATTACH, unlike CREATE … PARTITION OF, lets others go on writing.
    LOCK TABLE fixes_default IN ACCESS EXCLUSIVE MODE;
    EXECUTE format(
        'WITH moved AS (DELETE FROM fixes_default WHERE recorded_at >= %L AND recorded_at < %L RETURNING *) '
        'INSERT INTO %I SELECT * FROM moved', begins, ends, partition);
    EXECUTE format('ALTER TABLE fixes ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, begins, ends);
    RETURN true;
END
$$;

CREATE FUNCTION drop_oldest_fix_partition(before date) RETURNS date  -- NULL: none is older
LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
    oldest date;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('tracker fix partitions'));
    SELECT min(to_date(right(child.relname, 8), 'YYYYMMDD')) INTO oldest
    FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
    WHERE inhparent = 'fixes'::regclass AND child.relname ~ '^fixes_[0-9]{8}$';
    IF oldest IS NULL OR oldest >= before THEN
        RETURN NULL;
    END IF;
    EXECUTE format('DROP TABLE %I', 'fixes_' || to_char(oldest, 'YYYYMMDD'));
    RETURN oldest;
END
$$;
