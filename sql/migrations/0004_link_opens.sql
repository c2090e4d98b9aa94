-- Who opened a tracking link, as far as the merchant may know: a part of the network, a family of browsers.

CREATE TABLE link_opens (
    id       text PRIMARY KEY,                         -- opn_…
    link_id  text NOT NULL REFERENCES links (id) ON DELETE CASCADE,
    at       timestamptz NOT NULL,
    way      text NOT NULL CHECK (way IN ('page', 'snapshot', 'ws', 'sse', 'poll')),
    network  text,                                     -- the first 24 bits of an IPv4 address, 48 of IPv6
    agent    text
);
CREATE INDEX link_opens_by_link ON link_opens (link_id, at DESC, id DESC);
