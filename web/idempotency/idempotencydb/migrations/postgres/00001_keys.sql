-- +goose Up
CREATE TABLE idempotency_keys (
    id          TEXT   PRIMARY KEY,
    fingerprint BYTEA  NOT NULL,
    holder      TEXT   NOT NULL,
    lease_until BIGINT NOT NULL,
    answer      BYTEA,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

-- +goose Down
DROP TABLE idempotency_keys;
