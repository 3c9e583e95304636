-- +goose Up
CREATE TABLE merchants (
    id          TEXT    PRIMARY KEY,
    mode        TEXT    NOT NULL CHECK (mode IN ('test', 'live')),
    name        TEXT    NOT NULL,
    help_url    TEXT    NOT NULL,
    shop_url    TEXT    NOT NULL,
    refund_days INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
    id           TEXT    PRIMARY KEY,
    merchant     TEXT    NOT NULL REFERENCES merchants (id),
    mode         TEXT    NOT NULL CHECK (mode IN ('test', 'live')),
    name         TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    hint         TEXT    NOT NULL,
    hash         BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT;
CREATE INDEX api_keys_merchant ON api_keys (merchant, id);
CREATE INDEX api_keys_revoked ON api_keys (revoked_at) WHERE revoked_at IS NOT NULL;

-- +goose Down
DROP TABLE api_keys;
DROP TABLE merchants;
