-- +goose Up
ALTER TABLE webhook_endpoints ADD COLUMN version INTEGER NOT NULL DEFAULT 1;

-- +goose Down
ALTER TABLE webhook_endpoints DROP COLUMN version;
