-- name: lock_expired_customers
SELECT id
FROM orders
WHERE closed_at < $1 AND customer_erased_at IS NULL
ORDER BY closed_at
LIMIT $2
FOR NO KEY UPDATE SKIP LOCKED;

-- name: erase_customers
UPDATE orders
SET customer = NULL, pickup_address = NULL, dropoff_address = NULL, instructions = NULL, contact = NULL,
    customer_instructions = NULL, rating = rating - 'text',
    proofs = '[]', pin = NULL, wrong_pins = '{}',
    customer_erased_at = $2, version = version + 1
WHERE id = ANY ($1::text[]) AND closed_at IS NOT NULL AND customer_erased_at IS NULL;

-- name: erase_words_of_orders
-- Free text may name the customer, so it is erased. `driver_erased` is a constant of the service and stays.
UPDATE timeline
SET detail = detail - 'text' - 'reason'
WHERE order_id = ANY ($1::text[])
  AND (detail ? 'text' OR (detail ? 'reason' AND detail ->> 'reason' <> 'driver_erased'));

-- name: delete_opens_of_orders
DELETE FROM link_opens o USING links l WHERE l.id = o.link_id AND l.order_id = ANY ($1::text[]);

-- name: delete_proofs_of_orders
DELETE FROM proofs WHERE order_id = ANY ($1::text[]);

-- name: erase_answers_about_order
-- No response is older than its order; the hour allows for different clocks of two nodes.
UPDATE idempotency SET request = '', headers = '{}', body = ''
WHERE created_at >= $2::timestamptz - interval '1 hour' 
  AND (position(convert_to($1, 'UTF8') IN body) > 0 OR position($1 IN headers::text) > 0);
