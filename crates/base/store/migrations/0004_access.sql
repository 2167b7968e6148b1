-- Access for a purpose and a time. Nothing is ever deleted. Times are microseconds since 1970, spans too.
CREATE TABLE access_case (
    id             TEXT   NOT NULL PRIMARY KEY,
    access         TEXT   NOT NULL,
    asker_tenant   TEXT   NOT NULL,
    asker          TEXT   NOT NULL,
    holder_tenant  TEXT   NOT NULL,
    holder         TEXT   NOT NULL,
    holder_kind    TEXT   NOT NULL CHECK (holder_kind IN ('person', 'service', 'agent')),
    actor_tenant   TEXT,
    actor          TEXT,
    purpose        TEXT   NOT NULL,
    span           BIGINT NOT NULL,
    asked          BIGINT NOT NULL,
    needed         BIGINT NOT NULL,
    glass          BIGINT NOT NULL CHECK (glass IN (0, 1)),
    begins         BIGINT,
    ends           BIGINT,
    closed_how     TEXT CHECK (closed_how IN ('denied', 'withdrawn', 'ended')),
    closed_tenant  TEXT,
    closed_by      TEXT,
    closed_at      BIGINT
);

-- What a case is for, and the roles that were granted.
CREATE TABLE access_name (
    case_id TEXT   NOT NULL REFERENCES access_case (id),
    sort    TEXT   NOT NULL CHECK (sort IN ('thing', 'role')),
    place   BIGINT NOT NULL,
    name    TEXT   NOT NULL,
    PRIMARY KEY (case_id, sort, place)
);

-- Who said what about a case. At most one review.
CREATE TABLE access_word (
    case_id TEXT   NOT NULL REFERENCES access_case (id),
    sort    TEXT   NOT NULL CHECK (sort IN ('decision', 'review')),
    place   BIGINT NOT NULL,
    tenant  TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    yes     BIGINT NOT NULL CHECK (yes IN (0, 1)),
    at      BIGINT NOT NULL,
    note    TEXT   NOT NULL,
    PRIMARY KEY (case_id, sort, place)
);

-- Sessions opened on granted access. The credential itself is nowhere: `hash` is HMAC-SHA256 of it, in hexadecimal; `bound` names the
-- key it is bound to, by the member of `cnf` and a SHA-256 in hexadecimal.
CREATE TABLE access_session (
    id      TEXT   NOT NULL PRIMARY KEY,
    case_id TEXT   NOT NULL REFERENCES access_case (id),
    hash    TEXT   NOT NULL UNIQUE,
    bound   TEXT   NOT NULL,
    issued  BIGINT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    ended   BIGINT
);

-- Who acts, the newest first, and all that revokes the session.
CREATE TABLE access_session_name (
    session_id TEXT   NOT NULL REFERENCES access_session (id),
    sort       TEXT   NOT NULL CHECK (sort IN ('act', 'covering')),
    place      BIGINT NOT NULL,
    name       TEXT   NOT NULL,
    PRIMARY KEY (session_id, sort, place)
);

INSERT INTO revision (part, number) VALUES ('access', 1);
