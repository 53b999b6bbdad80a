-- Only a state that has been used is here, so that unfinished sign-ins take no room.

-- +goose Up
CREATE TABLE sign_in_states (
    digest     BLOB   NOT NULL PRIMARY KEY, -- hash of the state's nonce
    expires_at BIGINT NOT NULL              -- from then on the state is refused by itself
) WITHOUT ROWID;

CREATE INDEX sign_in_states_expires_at ON sign_in_states (expires_at);

-- +goose Down
DROP TABLE sign_in_states;
