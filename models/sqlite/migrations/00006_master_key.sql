-- There is no index on the new column: each token would write to it, and it would be read only where master keys are changed.

-- +goose Up
ALTER TABLE tokens ADD COLUMN master_key BIGINT NOT NULL DEFAULT 0; -- Tink's id of the key that sealed is under; 0: destroyed

-- An envelope is our version in a byte, then what Tink makes: a byte 1, the key's id in four bytes (big-endian), and the
-- rest. JSON5 has numbers in hexadecimal.
UPDATE tokens SET master_key = ('0x' || hex(substr(sealed, 3, 4))) ->> '$'
WHERE substr(sealed, 2, 1) = x'01' AND length(sealed) > 6;

-- +goose Down
ALTER TABLE tokens DROP COLUMN master_key;
