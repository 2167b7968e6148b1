-- Legal holds. Nothing is ever deleted: one that is released keeps who asked for it and who agreed. Times are microseconds since 1970;
-- what is not said does not narrow a hold.
CREATE TABLE hold (
    id           TEXT   NOT NULL PRIMARY KEY,
    tenant       TEXT,
    subject      TEXT,
    since_at     BIGINT,
    until_at     BIGINT,
    reason       TEXT   NOT NULL,
    made_by      TEXT   NOT NULL,
    made_at      BIGINT NOT NULL,
    -- Who asked last that it be released.
    asked_at     BIGINT,
    asked_by     TEXT,
    asked_reason TEXT,
    released_at  BIGINT,
    released_by  TEXT
);
