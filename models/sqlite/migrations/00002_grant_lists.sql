-- +goose Up
CREATE TABLE grant_lists (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- ascends in the order of commits, and is never used again
    session_id  BLOB   NOT NULL, -- as in grants
    bucket      TEXT   NOT NULL, -- the first hexadecimal digit of its tokens' hashes: 0 to F
    read_until  BIGINT NOT NULL, -- 0: no READ grants
    store_until BIGINT NOT NULL, -- 0: no STORE grants
    expires_at  BIGINT NOT NULL, -- the later of the two
    tokens      BLOB   NOT NULL  -- hashes, ascending, one after the other
);

CREATE INDEX grant_lists_session_id ON grant_lists (session_id, bucket);
CREATE INDEX grant_lists_expires_at ON grant_lists (expires_at);

-- +goose Down
DROP TABLE grant_lists;
