-- What sessions can no longer read, so that every replica tells its own sessions. A row is kept for minutes.

-- +goose Up
CREATE TABLE revocations (
    seq        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- ascends in the order of commits, and is never used again
    tenant     TEXT    NOT NULL,
    session_id BLOB,             -- as in grants; NULL: of every session
    tokens     BLOB,             -- hashes, one after the other; NULL: every token
    revoked_at BIGINT  NOT NULL  -- by the clock of the replica that wrote the row
);

CREATE INDEX revocations_revoked_at ON revocations (revoked_at);

-- +goose Down
DROP TABLE revocations;
