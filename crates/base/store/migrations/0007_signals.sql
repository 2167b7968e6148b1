-- Security events that were taken in, so that none is taken twice. `event` is a keyed hash of its issuer and id.
CREATE TABLE signal_seen (
    event TEXT   NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL
);

-- How far each receiver of our own security events has come: the number of the last revocation that it has acknowledged. A node that
-- delivers to it holds it for a while.
CREATE TABLE signal_receiver (
    name  TEXT   NOT NULL PRIMARY KEY,
    done  BIGINT NOT NULL,
    held  BIGINT NOT NULL
);

-- What issuers said of principals beside their credentials: each thing by itself, as it was said last.
CREATE TABLE standing (
    tenant  TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    what    TEXT   NOT NULL,
    value   TEXT   NOT NULL,
    said    BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject, what)
);

INSERT INTO revision (part, number) VALUES ('standings', 1);
