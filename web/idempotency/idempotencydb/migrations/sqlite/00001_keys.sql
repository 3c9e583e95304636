-- +goose Up
CREATE TABLE idempotency_keys (
    id          TEXT    PRIMARY KEY,
    fingerprint BLOB    NOT NULL,
    holder      TEXT    NOT NULL,
    lease_until INTEGER NOT NULL,
    answer      BLOB,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

-- +goose Down
DROP TABLE idempotency_keys;
