-- Moments are milliseconds since 1970 (UTC). Hashes are 32 bytes. Nothing here names a token, a
-- session or a key in clear.

-- +goose Up
CREATE TABLE tokens (
    id           BLOB    NOT NULL PRIMARY KEY, -- hash of the token
    tenant       TEXT    NOT NULL,
    object       TEXT    NOT NULL,             -- the value's key in the bucket
    sealed       BLOB,                         -- data key and metadata in their envelope; NULL: destroyed
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT,                       -- NULL: kept until deleted
    upload_until BIGINT  NOT NULL,             -- an upload may still arrive until then
    purge_at     BIGINT                        -- when the sweeper must look at the row; NULL: never
) WITHOUT ROWID;

CREATE INDEX tokens_purge_at ON tokens (purge_at) WHERE purge_at IS NOT NULL;

CREATE TABLE grants (
    session_id  BLOB   NOT NULL, -- hash of tenant and session id
    token_id    BLOB   NOT NULL,
    read_until  BIGINT NOT NULL, -- 0: no READ grant
    store_until BIGINT NOT NULL, -- 0: no STORE grant
    expires_at  BIGINT NOT NULL, -- the later of the two
    PRIMARY KEY (session_id, token_id)
) WITHOUT ROWID;

CREATE INDEX grants_token_id ON grants (token_id);
CREATE INDEX grants_expires_at ON grants (expires_at);

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
);

-- +goose Down
DROP TABLE settings;
DROP TABLE grants;
DROP TABLE tokens;
