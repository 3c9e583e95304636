-- +goose Up
-- How far the calls to each provider are handed out, by all processes together,
-- and how long it asked for silence; in microseconds and milliseconds.
CREATE TABLE payment_providers (
    provider    TEXT    PRIMARY KEY,
    free_at     INTEGER NOT NULL,
    quiet_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose Down
DROP TABLE payment_providers;
