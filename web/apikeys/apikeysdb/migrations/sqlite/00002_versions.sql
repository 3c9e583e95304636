-- +goose Up
ALTER TABLE merchants ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE api_keys ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

-- +goose Down
ALTER TABLE api_keys DROP COLUMN version;
ALTER TABLE merchants DROP COLUMN version;
