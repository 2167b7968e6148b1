-- Users and groups as a directory keeps them in step here, by SCIM. Each belongs to the tenant of whoever provisions it. Times are
-- microseconds since 1970.
CREATE TABLE directory_user (
    id          TEXT   NOT NULL PRIMARY KEY,
    tenant      TEXT   NOT NULL,
    external_id TEXT,
    user_name   TEXT   NOT NULL,
    -- The name as it is compared.
    name_key    TEXT   NOT NULL,
    display     TEXT,
    active      BIGINT CHECK (active IN (0, 1)),
    created     BIGINT NOT NULL,
    modified    BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    -- When it was deleted. It stays, so that its principal stays shut out.
    gone        BIGINT
);

CREATE UNIQUE INDEX directory_user_name ON directory_user (tenant, name_key) WHERE gone IS NULL;
CREATE UNIQUE INDEX directory_user_external ON directory_user (tenant, external_id) WHERE gone IS NULL AND external_id IS NOT NULL;

CREATE TABLE directory_group (
    id          TEXT   NOT NULL PRIMARY KEY,
    tenant      TEXT   NOT NULL,
    external_id TEXT,
    display     TEXT   NOT NULL,
    created     BIGINT NOT NULL,
    modified    BIGINT NOT NULL,
    version     BIGINT NOT NULL
);

CREATE UNIQUE INDEX directory_group_external ON directory_group (tenant, external_id) WHERE external_id IS NOT NULL;

CREATE TABLE directory_member (
    group_id TEXT NOT NULL REFERENCES directory_group (id),
    user_id  TEXT NOT NULL REFERENCES directory_user (id),
    PRIMARY KEY (group_id, user_id)
);

CREATE INDEX directory_member_user ON directory_member (user_id);

INSERT INTO revision (part, number) VALUES ('directory', 1);
