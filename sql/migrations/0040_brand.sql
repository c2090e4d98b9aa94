-- The merchant's brand: one row at most. The logo was checked and encoded again before it was stored.

CREATE TABLE brand (
    is_only        boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    name           text,
    logo           bytea,
    logo_type      text CHECK (logo_type IN ('image/png', 'image/svg+xml')),
    colour         text,
    support_url    text,
    support_phone  text,
    languages      text[] NOT NULL DEFAULT '{}',
    customer_may   text[] NOT NULL DEFAULT '{}',
    version        text NOT NULL,                      -- hash of the fields above
    changed_at     timestamptz NOT NULL,
    CHECK ((logo IS NULL) = (logo_type IS NULL))
);
