-- Whom each node has seen, as a sketch: the smallest hashes of tenants and subjects, in base64. Kept for a day.
CREATE TABLE playbook_crowd (
    node   TEXT   NOT NULL,
    -- Halves of days since 1970.
    half   BIGINT NOT NULL,
    hashes TEXT   NOT NULL,
    PRIMARY KEY (node, half)
);
