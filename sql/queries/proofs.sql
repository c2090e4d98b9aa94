-- name: insert_proof
INSERT INTO proofs (id, order_id, driver, stop, kind, at, received_at, distance_m, value, image)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: select_proofs
SELECT id, stop, kind, at, distance_m, value, image IS NOT NULL AS has_image
FROM proofs
WHERE order_id = $1
ORDER BY received_at, id;

-- name: count_proofs
SELECT count(*) FROM proofs WHERE order_id = $1;

-- name: select_proof_image
SELECT image FROM proofs WHERE id = $2 AND order_id = $1;

-- name: select_wrong_pins
SELECT wrong_pins, pins_refused_until FROM orders WHERE id = $1;

-- name: update_wrong_pins
UPDATE orders SET wrong_pins = $2, pins_refused_until = $3 WHERE id = $1;
