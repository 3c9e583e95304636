-- +goose Up
CREATE TABLE merchants (
    id          TEXT    PRIMARY KEY,
    mode        TEXT    NOT NULL CHECK (mode IN ('test', 'live')),
    name        TEXT    NOT NULL,
    help_url    TEXT    NOT NULL,
    shop_url    TEXT    NOT NULL,
    refund_days BIGINT  NOT NULL,
    created_at  BIGINT  NOT NULL
);

CREATE TABLE api_keys (
    id           TEXT    PRIMARY KEY,
    merchant     TEXT    NOT NULL REFERENCES merchants (id),
    mode         TEXT    NOT NULL CHECK (mode IN ('test', 'live')),
    name         TEXT    NOT NULL,
    scopes       TEXT    NOT NULL,
    hint         TEXT    NOT NULL,
    hash         BYTEA   NOT NULL,
    created_at   BIGINT  NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT
);
CREATE INDEX api_keys_merchant ON api_keys (merchant, id);
CREATE INDEX api_keys_revoked ON api_keys (revoked_at) WHERE revoked_at IS NOT NULL;

-- +goose Down
DROP TABLE api_keys;
DROP TABLE merchants;
