-- name: insert_link
INSERT INTO links (id, order_id, created_at, expires_at) VALUES ($1, $2, $3, $4);

-- name: select_link
SELECT * FROM links WHERE id = $1;

-- name: select_links
SELECT * FROM links WHERE order_id = $1 ORDER BY created_at, id;

-- name: select_links_of_orders
SELECT * FROM links WHERE order_id = ANY ($1::text[]) AND revoked_at IS NULL ORDER BY created_at, id;

-- name: revoke_link
UPDATE links SET revoked_at = $3 WHERE id = $1 AND order_id = $2 AND revoked_at IS NULL;

-- name: insert_link_open
-- Counts and stores an opening. No row if there is no such link or the opening is stored already. Once the customer's
-- data is erased, no data of the client is stored.
WITH noted AS (
    INSERT INTO link_opens (id, link_id, at, way, network, agent)
    SELECT $1, l.id, $3::timestamptz, $4, CASE WHEN o.customer_erased_at IS NULL THEN $5::text END,
           CASE WHEN o.customer_erased_at IS NULL THEN $6::text END
    FROM links l JOIN orders o ON o.id = l.order_id
    WHERE l.id = $2
    ON CONFLICT (id) DO NOTHING
    RETURNING link_id, at
)
UPDATE links
SET opened = opened + 1, last_opened_at = greatest(last_opened_at, noted.at)
FROM noted
WHERE links.id = noted.link_id
RETURNING opened;

-- name: delete_old_link_opens
-- All but the newest $2.
DELETE FROM link_opens o
USING (SELECT at, id FROM link_opens WHERE link_id = $1 ORDER BY at DESC, id DESC OFFSET $2 LIMIT 1) AS first
WHERE o.link_id = $1 AND (o.at, o.id) <= (first.at, first.id);

-- name: select_link_opens
SELECT id, at, way, network, agent
FROM link_opens
WHERE link_id = $1 AND ($2::timestamptz IS NULL OR (at, id) < ($2, $3::text))
ORDER BY at DESC, id DESC
LIMIT $4;

-- name: select_openings_for_driver
-- Openings of links to orders while the driver had them.
SELECT opening.id, opening.at, a.order_id, o.reference
FROM assignments a
JOIN orders o ON o.id = a.order_id
JOIN links l ON l.order_id = a.order_id
JOIN link_opens opening ON opening.link_id = l.id AND opening.at >= a.begun_at
     AND opening.at <= coalesce(a.ended_at, 'infinity')
WHERE a.driver = $1 AND ($2::timestamptz IS NULL OR (opening.at, opening.id) < ($2, $3::text))
ORDER BY opening.at DESC, opening.id DESC
LIMIT $4;
