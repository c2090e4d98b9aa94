-- name: insert_audit_entry
-- Without drivers who are erased, or are being erased by this transaction.
INSERT INTO audit (at, api_key, kind, action, subjects)
VALUES ($1, $2, $3, $4, ARRAY(SELECT subject FROM unnest($5::text[]) AS subject
                              WHERE subject NOT LIKE 'drv\_%' OR EXISTS (SELECT FROM drivers WHERE id = subject)));

-- name: erase_driver_from_audit
UPDATE audit SET subjects = array_remove(subjects, $1) WHERE subjects @> ARRAY[$1::text];

-- name: select_audit
-- Newest first, below number $1.
SELECT a.number, a.at, a.api_key, coalesce(k.name, a.api_key) AS name, a.kind, a.action, a.subjects
FROM audit a LEFT JOIN api_keys k ON k.id = a.api_key
WHERE ($1::bigint IS NULL OR a.number < $1)
  AND ($3::text IS NULL OR a.kind = $3)
  AND ($4::text IS NULL OR a.subjects @> ARRAY[$4])
  AND ($5::timestamptz IS NULL OR a.at >= $5)
  AND ($6::timestamptz IS NULL OR a.at < $6)
ORDER BY a.number DESC
LIMIT $2;

-- name: delete_old_audit
DELETE FROM audit WHERE at < $1;
