-- +goose Up
-- The traceparent that the attempts of a delivery belong to; empty: none. A process
-- of the version before this one neither writes nor reads it.
ALTER TABLE webhook_deliveries ADD COLUMN trace TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE webhook_deliveries DROP COLUMN trace;
