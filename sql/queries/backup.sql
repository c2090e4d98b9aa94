-- name: lock_tables_to_read
-- Partitions that are dropped meanwhile would be missing from the backup.
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT relname FROM pg_class
                WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY relname LOOP
        EXECUTE format('LOCK TABLE %I IN ACCESS SHARE MODE', name);
    END LOOP;
END
$$;

-- name: lock_empty_tables
-- Nobody else may write until the restore has ended. The error's text is the name of a table with rows.
DO $$
DECLARE
    name    text;
    is_full boolean;
BEGIN
    FOR name IN SELECT relname FROM pg_class
                WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
                  AND relname <> 'migrations' ORDER BY relname LOOP
        EXECUTE format('LOCK TABLE %I IN EXCLUSIVE MODE', name);
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO is_full;
        IF is_full THEN
            RAISE EXCEPTION '%', name USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
    END LOOP;
END
$$;

-- name: set_copy_format
-- Text that every server reads alike, whatever its settings.
SELECT set_config('datestyle', 'ISO', true), set_config('intervalstyle', 'postgres', true),
       set_config('timezone', 'UTC', true), set_config('extra_float_digits', '3', true),
       set_config('bytea_output', 'hex', true);

-- name: select_tables
-- The tables with data, partitions included, and the columns that are stored.
SELECT relation.relname::text AS name, pg_table_size(relation.oid) AS bytes,
       array_agg(attribute.attname::text ORDER BY attribute.attnum) AS columns
FROM pg_class relation JOIN pg_attribute attribute ON attribute.attrelid = relation.oid
WHERE relation.relkind = 'r' AND relation.relnamespace = current_schema()::regnamespace
  AND relation.relname <> 'migrations'
  AND attribute.attnum > 0 AND NOT attribute.attisdropped AND attribute.attgenerated = ''
GROUP BY relation.oid, relation.relname
ORDER BY relation.relname;

-- name: select_references
SELECT one.relname::text AS from_table, other.relname::text AS to_table
FROM pg_constraint JOIN pg_class one ON one.oid = conrelid JOIN pg_class other ON other.oid = confrelid
WHERE contype = 'f' AND connamespace = current_schema()::regnamespace AND conrelid <> confrelid;

-- name: select_sequences
SELECT sequencename::text AS name, last_value FROM pg_sequences
WHERE schemaname = current_schema() AND last_value IS NOT NULL
ORDER BY sequencename;

-- name: set_sequence
SELECT setval(quote_ident($1::text)::regclass, $2::bigint);
