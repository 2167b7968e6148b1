-- Revocations. Nothing is ever deleted: one that is lifted keeps who lifted it and when. Times are microseconds since 1970.
CREATE TABLE revocation (
    id         TEXT   NOT NULL PRIMARY KEY,
    -- The part's revision that it was made in: grows in the order in which they were made, whoever made them.
    number     BIGINT NOT NULL UNIQUE,
    target     TEXT   NOT NULL,
    -- What was issued before this is refused; the greatest number for good.
    not_before BIGINT NOT NULL,
    -- Past this, everything that it covers has ended by itself.
    until      BIGINT,
    made_at    BIGINT NOT NULL,
    made_by    TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    lifted_at  BIGINT,
    lifted_by  TEXT
);

INSERT INTO revision (part, number) VALUES ('revocations', 1);
