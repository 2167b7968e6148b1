-- Counts of a day with their noise, as they were told first: whoever asks again is told the same. `epsilon` is in thousandths.
CREATE TABLE released (
    day     BIGINT NOT NULL,
    node    TEXT   NOT NULL,
    epsilon BIGINT NOT NULL,
    counts  TEXT   NOT NULL,
    PRIMARY KEY (day, node)
);
-- Who was told which day, and when. The row of a reader is what their readings wait for.
CREATE TABLE reader (
    name TEXT NOT NULL PRIMARY KEY
);
CREATE TABLE reading (
    reader  TEXT   NOT NULL,
    day     BIGINT NOT NULL,
    node    TEXT   NOT NULL,
    epsilon BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (reader, day, node)
);
