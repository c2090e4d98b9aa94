-- Work that one node does for all, such as receiving from the MQTT broker.
CREATE TABLE node_roles (
    role  text PRIMARY KEY,
    node  text NOT NULL                                -- may name a node that is gone
);
