-- name: select_event_feed
SELECT coalesce(max(last), 0) AS last, coalesce(max(dropped), 0) AS dropped,
       EXISTS (SELECT FROM events WHERE position IS NULL) AS is_behind
FROM event_feed;

-- name: lock_event_feed
-- One transaction at a time numbers events. The next statement sees all that were numbered before.
SELECT pg_advisory_xact_lock(hashtext('tracker event feed'));

-- name: number_events
-- Numbers committed events in the sequence of their insertion, at most $1, after `lock_event_feed`. An event whose
-- transaction commits later gets a later position, so no reader passes it by. Each webhook gets a delivery, which waits
-- while an earlier one of the same order or driver is not done.
WITH unnumbered AS (
    SELECT number, row_number() OVER (ORDER BY number) AS place
    FROM (SELECT number FROM events WHERE position IS NULL ORDER BY number LIMIT $1) AS first
), numbered AS (
    UPDATE events e
    SET position = coalesce((SELECT last FROM event_feed), 0) + unnumbered.place
    FROM unnumbered
    WHERE e.number = unnumbered.number
    RETURNING e.number, e.position, e.type, e.webhook_id, coalesce(e.order_id, e.driver_id, e.id) AS subject
), moved AS (
    INSERT INTO event_feed (last)
    SELECT max(position) FROM numbered HAVING count(*) > 0
    ON CONFLICT (one) DO UPDATE SET last = excluded.last
), wanted AS (
    SELECT w.id, n.number, n.subject,
           row_number() OVER (PARTITION BY w.id, n.subject ORDER BY n.number) > 1
           OR EXISTS (SELECT FROM webhook_deliveries d
                      WHERE d.webhook_id = w.id AND d.subject = n.subject AND d.status IN ('waiting', 'pending')) AS waits
    FROM numbered n
    JOIN webhooks w ON w.disabled_at IS NULL
                    AND CASE WHEN n.webhook_id IS NULL THEN w.types = '{}' OR n.type = ANY (w.types)
                             ELSE n.webhook_id = w.id END
), deliveries AS (
    INSERT INTO webhook_deliveries (webhook_id, event_number, subject, status, next_attempt_at)
    SELECT id, number, subject, CASE WHEN waits THEN 'waiting' ELSE 'pending' END, CASE WHEN NOT waits THEN now() END
    FROM wanted
)
SELECT coalesce((SELECT max(position) FROM numbered), (SELECT last FROM event_feed), 0) AS last,
       (SELECT count(*) FROM numbered) AS numbered;

-- name: select_events
-- The events after the position $1, at most $2, and those with the numbers $3. Fields of the order that no fact tells are
-- its present ones.
SELECT e.position, e.number AS event_number, e.id AS event_id, e.type, e.at, e.recorded_at, e.driver_id AS event_driver_id, e.eta,
       coalesce(t.detail, '{}') || e.detail AS detail, o.closed_at AS present_closed_at,
       o.version AS present_version, then_.*
FROM ((SELECT * FROM events WHERE position > $1 AND webhook_id IS NULL ORDER BY position LIMIT $2)
      UNION ALL
      SELECT * FROM events WHERE number = ANY ($3::bigint[])) AS e
LEFT JOIN timeline t ON t.id = e.timeline_id
LEFT JOIN orders o ON o.id = e.order_id
LEFT JOIN LATERAL jsonb_populate_record(o, e.facts || jsonb_build_object('driver_id', e.driver_id)) AS then_
          ON e.order_id IS NOT NULL
ORDER BY e.position;

-- name: delete_old_events
-- Deletes at most $2 events recorded before $1.
WITH old AS (
    DELETE FROM events
    WHERE number IN (SELECT number FROM events WHERE recorded_at < $1 AND position IS NOT NULL
                     ORDER BY recorded_at LIMIT $2)
    RETURNING position
), moved AS (
    UPDATE event_feed SET dropped = greatest(dropped, (SELECT max(position) FROM old)) WHERE EXISTS (SELECT FROM old)
)
SELECT count(*) FROM old;

-- name: delete_events_of_driver
-- Events about the driver. Those about orders keep no trace of an erased driver.
DELETE FROM events WHERE driver_id = $1 AND order_id IS NULL;
