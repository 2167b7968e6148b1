-- Keys that cannot be derived from the root key, sealed with it, in base64. All nodes sign with the one that was kept first.
CREATE TABLE signing_key (
    name   TEXT NOT NULL PRIMARY KEY,
    sealed TEXT NOT NULL
);
