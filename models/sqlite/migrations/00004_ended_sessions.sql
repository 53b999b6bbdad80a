-- What has ended before its credentials have: sessions, sign-ins and subjects, by hashes whose domains
-- differ, so that one column tells them apart.

-- +goose Up
CREATE TABLE ended (
    id            BLOB   NOT NULL PRIMARY KEY,
    issued_before BIGINT NOT NULL, -- credentials that were issued before are refused
    ended_at      BIGINT NOT NULL, -- by the clock of the replica that wrote the row
    expires_at    BIGINT NOT NULL  -- from then on nothing that the row stops can live
) WITHOUT ROWID;

CREATE INDEX ended_ended_at ON ended (ended_at);
CREATE INDEX ended_expires_at ON ended (expires_at);

-- +goose Down
DROP TABLE ended;
