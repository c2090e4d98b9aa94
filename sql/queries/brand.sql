-- name: select_brand_version
SELECT version FROM brand;

-- name: select_brand
SELECT name, logo, logo_type, colour, support_url, support_phone, languages, customer_may FROM brand;

-- name: upsert_brand
INSERT INTO brand (name, logo, logo_type, colour, support_url, support_phone, languages, customer_may, version, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (is_only) DO UPDATE
SET name = excluded.name, logo = excluded.logo, logo_type = excluded.logo_type, colour = excluded.colour,
    support_url = excluded.support_url, support_phone = excluded.support_phone, languages = excluded.languages,
    customer_may = excluded.customer_may, version = excluded.version, changed_at = excluded.changed_at;
