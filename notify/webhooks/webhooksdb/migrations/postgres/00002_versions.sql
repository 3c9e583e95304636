-- +goose Up
ALTER TABLE webhook_endpoints ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

-- +goose Down
ALTER TABLE webhook_endpoints DROP COLUMN version;
