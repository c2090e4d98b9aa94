-- Who changed or looked up what. It names keys, actions and ids only: no personal data, so nothing has to be erased.

CREATE TABLE audit (
    number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL,
    api_key   text NOT NULL,                           -- its id; TRACKER_ADMIN_KEY has no row of its own
    kind      text NOT NULL CHECK (kind IN ('change', 'lookup')),
    action    text NOT NULL,                           -- operationId of the OpenAPI document
    subjects  text[] NOT NULL                          -- ids in the path, and of what was created
);
CREATE INDEX audit_by_age ON audit (at);
CREATE INDEX audit_by_subject ON audit USING gin (subjects);
