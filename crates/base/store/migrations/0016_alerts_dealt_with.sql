-- Up to which record of its log all alerts of a node have set off what they set off.
CREATE TABLE dealt_with (
    node   TEXT   NOT NULL PRIMARY KEY,
    record BIGINT NOT NULL
);
