-- Statements of the address index (SQLite), which `tracker.map.geocoder` builds from the map and reads.

-- name: create_tables
CREATE TABLE docs (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL, -- street, place, poi
    name TEXT NOT NULL,
    area TEXT NOT NULL, -- suburb, postcode and city as shown after the name
    city TEXT NOT NULL,
    postcode TEXT NOT NULL,
    lat INTEGER NOT NULL, -- 1e-7 degrees
    lon INTEGER NOT NULL,
    rank REAL NOT NULL, -- larger is more important
    is_number_first INTEGER NOT NULL,
    spellings TEXT NOT NULL, -- separated by |
    located TEXT NOT NULL -- words of the area
);
CREATE TABLE houses (
    doc INTEGER NOT NULL,
    number INTEGER NOT NULL,
    label TEXT NOT NULL,
    copy INTEGER NOT NULL, -- 0, 1, … for the same number far apart
    shown TEXT NOT NULL,
    is_inner INTEGER NOT NULL,
    lat INTEGER NOT NULL,
    lon INTEGER NOT NULL,
    city TEXT NOT NULL,
    postcode TEXT NOT NULL,
    PRIMARY KEY (doc, number, label, copy)
) WITHOUT ROWID;
CREATE TABLE terms (id INTEGER PRIMARY KEY, term TEXT NOT NULL UNIQUE, docs INTEGER NOT NULL);
CREATE TABLE postings (term INTEGER NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (term, doc)) WITHOUT ROWID;
CREATE TABLE located (term INTEGER NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (term, doc)) WITHOUT ROWID;
CREATE TABLE grams (gram TEXT NOT NULL, term INTEGER NOT NULL, PRIMARY KEY (gram, term)) WITHOUT ROWID;
CREATE TABLE gram_counts (gram TEXT PRIMARY KEY, terms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- name: create_found
-- What the reader finds, in the order of the extract.
CREATE TABLE found (
    key TEXT NOT NULL,
    kind TEXT NOT NULL, -- way, house, poi
    name TEXT NOT NULL,
    others TEXT NOT NULL, -- other names, separated by |
    number TEXT NOT NULL,
    city TEXT NOT NULL,
    postcode TEXT NOT NULL,
    class INTEGER NOT NULL, -- of a house: 0 its own node, 1 a building, 2 something in it, 3 interpolated
    lat INTEGER NOT NULL,
    lon INTEGER NOT NULL
);

-- name: insert_found
INSERT INTO found VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: select_found
SELECT key, kind, name, others, number, city, postcode, class, lat, lon
FROM found
ORDER BY key, rowid;

-- name: select_cities
-- The cities that addresses name, where most of their addresses are.
SELECT city, CAST(avg(lat) AS INTEGER), CAST(avg(lon) AS INTEGER) FROM found WHERE city <> '' GROUP BY city
ORDER BY city;

-- name: count_found
SELECT count(*) FROM found;

-- name: select_house_at
SELECT key, name, number, city, postcode FROM found WHERE lat = ? AND lon = ? AND kind = 'house' LIMIT 1;

-- name: index_found_by_place
CREATE INDEX found_by_place ON found (lat, lon) WHERE kind = 'house';

-- name: drop_found
DROP TABLE found;

-- name: insert_doc
INSERT INTO docs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_house
INSERT INTO houses VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_term
INSERT INTO terms (term, docs) VALUES (?, 0) ON CONFLICT DO NOTHING;

-- name: insert_posting
INSERT INTO postings SELECT id, ? FROM terms WHERE term = ? ON CONFLICT DO NOTHING;

-- name: insert_located
INSERT INTO located SELECT id, ? FROM terms WHERE term = ? ON CONFLICT DO NOTHING;

-- name: count_docs_of_terms
UPDATE terms SET docs = (SELECT count(*) FROM postings WHERE postings.term = terms.id);

-- name: select_terms
SELECT id, term FROM terms ORDER BY id;

-- name: insert_gram
INSERT INTO grams VALUES (?, ?) ON CONFLICT DO NOTHING;

-- name: count_grams
INSERT INTO gram_counts SELECT gram, count(*) FROM grams GROUP BY gram;

-- name: insert_about
INSERT INTO about VALUES (?, ?);

-- name: count_houses
SELECT count(*) FROM houses;

-- name: count_docs
SELECT count(*) FROM docs WHERE kind = ?;

-- name: select_about
SELECT name, value FROM about;

-- name: select_term
SELECT id, term, docs FROM terms WHERE term = ?;

-- name: select_terms_with_prefix
SELECT id, term, docs FROM terms WHERE term >= ? AND term < ? ORDER BY docs DESC, term LIMIT ?;

-- name: select_gram_counts
SELECT gram, terms FROM gram_counts WHERE gram IN (SELECT value FROM json_each(?));

-- name: select_terms_with_grams
SELECT DISTINCT terms.id, terms.term, terms.docs
FROM grams
JOIN terms ON terms.id = grams.term
WHERE grams.gram IN (SELECT value FROM json_each(?)) AND length(terms.term) BETWEEN ? AND ?;

-- name: select_postings
SELECT DISTINCT doc FROM postings WHERE term IN (SELECT value FROM json_each(?)) LIMIT ?;

-- name: select_postings_located
-- The documents with one of these names, in one of these areas.
SELECT DISTINCT doc
FROM postings
WHERE term IN (SELECT value FROM json_each(?1))
  AND EXISTS (SELECT 1 FROM located
              WHERE located.doc = postings.doc AND located.term IN (SELECT value FROM json_each(?2)))
LIMIT ?3;

-- name: select_docs
SELECT * FROM docs WHERE id IN (SELECT value FROM json_each(?)) ORDER BY rank DESC, id LIMIT ?;

-- name: select_docs_near
-- The nearest documents; ?4 is the length of a degree of longitude in degrees of latitude.
SELECT *
FROM docs
WHERE id IN (SELECT value FROM json_each(?1))
ORDER BY abs(lat - ?2) + abs(lon - ?3) * ?4, id
LIMIT ?5;

-- name: select_houses
SELECT number, label, shown, is_inner, lat, lon, city, postcode
FROM houses
WHERE doc = ? AND number = ?
ORDER BY label, copy;

-- name: select_houses_below
SELECT number, label, shown, is_inner, lat, lon, city, postcode
FROM houses
WHERE doc = ? AND number < ?
ORDER BY number DESC, label, copy
LIMIT ?;

-- name: select_houses_above
SELECT number, label, shown, is_inner, lat, lon, city, postcode
FROM houses
WHERE doc = ? AND number > ?
ORDER BY number, label, copy
LIMIT ?;

-- name: select_houses_with_prefix
-- The first houses of a street whose number begins with ?2: 1, 10, 100 to 109.
SELECT number, label, shown, is_inner, lat, lon, city, postcode
FROM houses
WHERE doc = ?1 AND is_inner = 0
  AND (number = ?2 OR number BETWEEN ?2 * 10 AND ?2 * 10 + 9 OR number BETWEEN ?2 * 100 AND ?2 * 100 + 99)
ORDER BY number, label, copy
LIMIT ?3;
