-- Idempotency keys as SHA-256: a client may put personal data into a key, and a key outlives its erased response.

UPDATE idempotency SET key = encode(sha256(convert_to(key, 'UTF8')), 'hex');
