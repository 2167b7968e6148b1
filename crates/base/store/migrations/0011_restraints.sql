-- What is laid upon somebody whose credential still stands. Nothing is ever deleted: one that is released keeps who released it, when
-- and why. Times are microseconds since 1970.
CREATE TABLE restraint (
    id             TEXT   NOT NULL PRIMARY KEY,
    target         TEXT   NOT NULL,
    measure        TEXT   NOT NULL,
    since          BIGINT NOT NULL,
    until          BIGINT NOT NULL,
    made_by        TEXT   NOT NULL,
    reason         TEXT   NOT NULL,
    -- The run of the playbook that laid it, where one did.
    run            TEXT,
    released_at    BIGINT,
    released_by    TEXT,
    release_reason TEXT
);

CREATE INDEX restraint_until ON restraint (until);

INSERT INTO revision (part, number) VALUES ('restraints', 1);

-- What playbooks were set off by, and how far each has come.
CREATE TABLE playbook_run (
    id       TEXT   NOT NULL PRIMARY KEY,
    -- The playbook, whom it is about and which span of time: the same alert, seen by many or seen again, sets off one run.
    slot     TEXT   NOT NULL UNIQUE,
    playbook TEXT   NOT NULL,
    target   TEXT   NOT NULL,
    -- The alert as JSON.
    alert    TEXT   NOT NULL,
    began    BIGINT NOT NULL,
    -- The step that is next, or in the middle of which it is.
    step     TEXT   NOT NULL,
    -- running, waiting, done, declined, undone
    standing TEXT   NOT NULL,
    -- How many people have to approve before it goes on.
    wants    BIGINT NOT NULL,
    dry      BIGINT NOT NULL,
    -- Until when a node is at work on it.
    held     BIGINT NOT NULL
);

CREATE INDEX playbook_run_standing ON playbook_run (standing);

-- What each step did. A step is here before it does anything.
CREATE TABLE playbook_step (
    run     TEXT   NOT NULL,
    step    TEXT   NOT NULL,
    target  TEXT   NOT NULL,
    what    TEXT   NOT NULL,
    -- Whether it takes something away from somebody.
    harms   BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    -- Empty until it is done.
    outcome TEXT   NOT NULL,
    PRIMARY KEY (run, step)
);

CREATE INDEX playbook_step_at ON playbook_step (at);

-- Who approved a run, or declined it.
CREATE TABLE playbook_vote (
    run     TEXT   NOT NULL,
    voter   TEXT   NOT NULL,
    approve BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    note    TEXT   NOT NULL,
    PRIMARY KEY (run, voter)
);

INSERT INTO revision (part, number) VALUES ('playbooks', 1);
