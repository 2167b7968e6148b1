-- Up to which record of a node's audit log a receiver has taken everything, by the export's name.
CREATE TABLE export_cursor (
    name TEXT   NOT NULL,
    node TEXT   NOT NULL,
    next BIGINT NOT NULL,
    PRIMARY KEY (name, node)
);
