-- name: insert_webhook
INSERT INTO webhooks (id, url, types, base_url, created_at) VALUES ($1, $2, $3, $4, $5) RETURNING *;

-- name: count_webhooks
SELECT count(*) FROM webhooks;

-- name: select_webhook
SELECT * FROM webhooks WHERE id = $1;

-- name: select_webhooks
SELECT *
FROM webhooks
WHERE $1::timestamptz IS NULL OR (created_at, id) < ($1, $2::text)
ORDER BY created_at DESC, id DESC
LIMIT $3;

-- name: update_webhook
UPDATE webhooks SET url = $2, types = $3, base_url = $4 WHERE id = $1 RETURNING *;

-- name: enable_webhook
UPDATE webhooks SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL WHERE id = $1 RETURNING *;

-- name: disable_webhook
-- What is not sent by then is dead, and can be sent again.
WITH ended AS (
    UPDATE webhook_deliveries SET status = 'dead', next_attempt_at = NULL, last_error = 'webhook_disabled'
    WHERE webhook_id = $1 AND status IN ('waiting', 'pending')
)
UPDATE webhooks SET disabled_at = coalesce(disabled_at, now()), disabled_reason = coalesce(disabled_reason, $2)
WHERE id = $1
RETURNING *;

-- name: renew_webhook_secret
UPDATE webhooks SET secret_number = secret_number + 1, old_secret_until = $2 WHERE id = $1 RETURNING *;

-- name: delete_webhook
DELETE FROM webhooks WHERE id = $1 RETURNING id;

-- name: note_webhook_failure
UPDATE webhooks SET failing_since = coalesce(failing_since, now()) WHERE id = $1
RETURNING failing_since < now() - $2::interval AS is_over;

-- name: note_webhook_success
UPDATE webhooks SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL;

-- name: insert_test_event
INSERT INTO events (type, at, webhook_id) VALUES ('webhook.test', $2, $1) RETURNING id;

-- name: lock_deliveries
-- Deliveries are added while nobody else ends one: otherwise neither might see that the next one need not wait. The
-- commit need not be synced: if it is lost, the event is sent twice.
SELECT pg_advisory_xact_lock_shared(hashtext('tracker event feed')), set_config('synchronous_commit', 'off', true);

-- name: claim_deliveries
-- Due deliveries, at most $1 of each webhook together with the $3 that this node sends to it ($2), and at most $4. Until
-- $5 from now no other node claims them; if this one dies, they are due again then.
WITH due AS (
    SELECT first.webhook_id, first.event_number
    FROM webhooks w
    LEFT JOIN unnest($2::text[], $3::integer[]) AS busy (webhook_id, sends) ON busy.webhook_id = w.id
    CROSS JOIN LATERAL (
        SELECT d.webhook_id, d.event_number
        FROM webhook_deliveries d
        WHERE d.webhook_id = w.id AND d.status = 'pending' AND d.next_attempt_at <= now()
        ORDER BY d.next_attempt_at, d.event_number
        LIMIT greatest($1::integer - coalesce(busy.sends, 0), 0)
        FOR UPDATE SKIP LOCKED) AS first
    WHERE w.disabled_at IS NULL
    LIMIT $4
)
UPDATE webhook_deliveries d
SET next_attempt_at = now() + $5::interval
FROM due JOIN webhooks w ON w.id = due.webhook_id
WHERE d.webhook_id = due.webhook_id AND d.event_number = due.event_number
RETURNING d.event_number, d.attempts, w.*;

-- name: retry_delivery
UPDATE webhook_deliveries
SET attempts = attempts + 1, next_attempt_at = now() + $3::interval, last_attempt_at = now(), last_status = $4,
    last_error = $5
WHERE webhook_id = $1 AND event_number = $2 AND status = 'pending';

-- name: end_delivery
-- Ends a pending delivery as $3, after `lock_deliveries`; the next one of its order or driver is then due.
WITH ended AS (
    UPDATE webhook_deliveries
    SET status = $3, attempts = attempts + 1, next_attempt_at = NULL, last_attempt_at = now(), last_status = $4,
        last_error = $5
    WHERE webhook_id = $1 AND event_number = $2 AND status = 'pending'
    RETURNING webhook_id, subject
)
UPDATE webhook_deliveries
SET status = 'pending', next_attempt_at = now()
WHERE (webhook_id, event_number) = (SELECT d.webhook_id, d.event_number
                                    FROM webhook_deliveries d JOIN ended USING (webhook_id, subject)
                                    WHERE d.status = 'waiting' ORDER BY d.event_number LIMIT 1);

-- name: insert_delivery
-- A delivery of the event $2 that the webhook may have missed. No row: there is no such event, or only one for another
-- webhook.
INSERT INTO webhook_deliveries (webhook_id, event_number, subject, status)
SELECT $1, number, coalesce(order_id, driver_id, id), 'dead'
FROM events
WHERE id = $2 AND position IS NOT NULL AND (webhook_id IS NULL OR webhook_id = $1)
ON CONFLICT (webhook_id, event_number) DO UPDATE SET subject = excluded.subject
RETURNING event_number;

-- name: repeat_deliveries
-- Sends the delivery of the event $2 again, or all that are dead, after `lock_event_feed`. The earliest of each order or
-- driver is due at once, unless one is pending.
WITH chosen AS (
    SELECT event_number,
           status = 'pending'
           OR (row_number() OVER (PARTITION BY subject ORDER BY event_number) = 1
               AND NOT EXISTS (SELECT FROM webhook_deliveries o
                               WHERE o.webhook_id = d.webhook_id AND o.subject = d.subject AND o.status = 'pending'))
           AS is_due
    FROM webhook_deliveries d
    WHERE webhook_id = $1 AND CASE WHEN $2::bigint IS NULL THEN status = 'dead' ELSE event_number = $2 END
)
UPDATE webhook_deliveries d
SET attempts = 0, status = CASE WHEN is_due THEN 'pending' ELSE 'waiting' END,
    next_attempt_at = CASE WHEN is_due THEN now() END
FROM chosen
WHERE d.webhook_id = $1 AND d.event_number = chosen.event_number
RETURNING d.event_number;

-- name: select_deliveries
SELECT e.id, e.type, e.at, e.recorded_at, d.event_number, d.status, d.attempts, d.next_attempt_at, d.last_attempt_at,
       d.last_status, d.last_error
FROM webhook_deliveries d
JOIN events e ON e.number = d.event_number
WHERE d.webhook_id = $1 AND ($2::text IS NULL OR d.status = $2) AND ($3::bigint IS NULL OR d.event_number < $3)
ORDER BY d.event_number DESC
LIMIT $4;

-- name: select_delivery_backlog
SELECT (SELECT count(*) FROM webhook_deliveries WHERE status = 'pending')
       + (SELECT count(*) FROM webhook_deliveries WHERE status = 'waiting') AS unsent,
       (SELECT count(*) FROM webhook_deliveries WHERE status = 'dead') AS dead,
       coalesce(extract(epoch FROM now() - (
           SELECT recorded_at FROM events
           WHERE number = (SELECT min(event_number) FROM webhook_deliveries WHERE status = 'pending')
       )), 0)::float8 AS oldest_s;
