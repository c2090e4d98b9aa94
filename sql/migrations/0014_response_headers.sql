-- Headers of the answers already given to an Idempotency-Key: a repeated request gets them too.

ALTER TABLE idempotency ADD COLUMN headers jsonb NOT NULL DEFAULT '{}';
