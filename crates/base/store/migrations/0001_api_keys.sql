-- API keys. The key itself is nowhere: `hash` is HMAC-SHA256 of it, in hexadecimal. Times are microseconds since 1970.
-- Text and BIGINT alone, so that the same statements hold for SQLite and PostgreSQL.
CREATE TABLE api_key (
    id         TEXT   NOT NULL PRIMARY KEY,
    hash       TEXT   NOT NULL UNIQUE,
    tenant     TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    kind       TEXT   NOT NULL CHECK (kind IN ('person', 'service', 'agent')),
    created    BIGINT NOT NULL,
    expires    BIGINT,
    revoked_at BIGINT,
    note       TEXT   NOT NULL
);

-- What a key brings along: names of roles, and scopes it is restricted to.
CREATE TABLE api_key_grant (
    key_id TEXT NOT NULL REFERENCES api_key (id),
    kind   TEXT NOT NULL CHECK (kind IN ('role', 'scope')),
    name   TEXT NOT NULL,
    PRIMARY KEY (key_id, kind, name)
);

-- Counts the changes to each part of the store, in the same transaction as the change.
CREATE TABLE revision (
    part   TEXT   NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
);

INSERT INTO revision (part, number) VALUES ('keys', 1);
