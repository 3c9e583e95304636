-- contracts: nothing. The table is the same to whoever uses it, stored otherwise.
-- +goose Up
-- A table without row ids is a tree of whole rows by their key, and the key is a
-- hash: every answer went to a page of its own, far from the one before. Three of
-- six pages that an order wrote were these. Now answers lie in the order in which
-- they came, and only the index is by hash.
CREATE TABLE idempotency_keys_by_age (
    id          TEXT    PRIMARY KEY,
    fingerprint BLOB    NOT NULL,
    holder      TEXT    NOT NULL,
    lease_until INTEGER NOT NULL,
    answer      BLOB,
    expires_at  INTEGER NOT NULL
) STRICT;
INSERT INTO idempotency_keys_by_age SELECT id, fingerprint, holder, lease_until, answer, expires_at FROM idempotency_keys;
DROP TABLE idempotency_keys;
ALTER TABLE idempotency_keys_by_age RENAME TO idempotency_keys;
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);

-- +goose Down
SELECT 1; -- the version before works on it as it is
