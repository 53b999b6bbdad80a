-- Pages that ends, revocations and deletions may use on a full disk: rows of zeros, which are removed for them.

-- +goose Up
CREATE TABLE reserve (
    id   INTEGER NOT NULL PRIMARY KEY,
    room BLOB    NOT NULL
);

-- +goose Down
DROP TABLE reserve;
