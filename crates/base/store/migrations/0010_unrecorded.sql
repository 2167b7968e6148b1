-- Changes that were made beside the gateway and are not in an audit log yet, in the words of whoever writes that log. `id` sorts by
-- time. A node that puts one on record holds it for a while.
CREATE TABLE unrecorded (
    id   TEXT   NOT NULL PRIMARY KEY,
    said TEXT   NOT NULL,
    held BIGINT NOT NULL
);
