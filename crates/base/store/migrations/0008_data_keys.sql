-- Seeds that data keys follow from, sealed under the root key, in base64, by their place. To forget somebody takes some of them out
-- for good and puts others in.
CREATE TABLE data_key (
    place  TEXT NOT NULL PRIMARY KEY,
    sealed TEXT NOT NULL
);
INSERT INTO revision (part, number) VALUES ('data-keys', 1);
