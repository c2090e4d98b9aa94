-- name: select_outcome
-- Why an order failed the last time; null if nobody said.
SELECT detail ->> 'outcome' FROM timeline WHERE order_id = $1 AND kind = 'failed' ORDER BY at DESC LIMIT 1;
