-- What budgets have spent, as the audit log of each node tells up to a record. The log is the truth; these figures spare reading
-- it from its beginning.
CREATE TABLE budget_cell (
    log   TEXT   NOT NULL,
    cell  TEXT   NOT NULL,
    spent BIGINT NOT NULL,
    -- When the window ends, in microseconds since 1970.
    ends  BIGINT NOT NULL,
    PRIMARY KEY (log, cell)
);

-- Index of the first record that is not in the figures.
CREATE TABLE budget_mark (
    log  TEXT   NOT NULL PRIMARY KEY,
    next BIGINT NOT NULL
);

INSERT INTO revision (part, number) VALUES ('budgets', 1);
