-- Uploads in parts. While one is under way its token's row has no envelope, so that nothing can read the token; it is here.

-- +goose Up
CREATE TABLE uploads (
    token_id     BLOB   NOT NULL PRIMARY KEY,
    tenant       TEXT   NOT NULL,
    session_id   BLOB   NOT NULL,             -- as in grants
    object       TEXT   NOT NULL,             -- as in tokens
    store_id     TEXT   NOT NULL,             -- the store's id of the upload; empty: not known yet
    sealed       BLOB,                        -- as in tokens; NULL: moved to tokens, or destroyed
    size         BIGINT NOT NULL,             -- bytes of the value; -1: not known yet
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,                      -- as in tokens
    until        BIGINT NOT NULL,             -- the upload is over then, and the sweeper looks at the row
    completed_at BIGINT NOT NULL              -- 0: not completed
) WITHOUT ROWID;

CREATE INDEX uploads_session_id ON uploads (session_id);
CREATE INDEX uploads_tenant ON uploads (tenant) WHERE sealed IS NOT NULL;
CREATE INDEX uploads_until ON uploads (until);

-- +goose Down
-- A token whose upload is under way is destroyed: the older program has no place for its envelope.
UPDATE tokens SET master_key = 0, purge_at = 0 WHERE sealed IS NULL AND master_key <> 0;
DROP TABLE uploads;
