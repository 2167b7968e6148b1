-- Answers to requests that came with an idempotency key: a repeated request gets the answer of the first. Both hashes are keyed, in
-- hexadecimal. The answer is there once the request is over; it never holds a secret.
CREATE TABLE answer (
    asked   TEXT   NOT NULL PRIMARY KEY,
    request TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    status  BIGINT,
    body    TEXT
);
