-- What `tracker check` compares between nodes. NULL: the node's version is older than these columns.

ALTER TABLE nodes
    ADD COLUMN version text,
    ADD COLUMN installation text,                      -- derived from the secret; nodes with one secret share it
    ADD COLUMN bus text;                               -- addresses of its NATS servers; empty: it has none
