-- +goose Up
-- Orders that ended long ago, with all that belongs to them: one row each instead
-- of twenty, and one index instead of a dozen. A process that does not know of it
-- must not run beside one that fills it.
CREATE TABLE orders_archive (
    id          TEXT PRIMARY KEY,
    merchant    TEXT NOT NULL,
    reference   TEXT NOT NULL,
    sequence    BIGINT NOT NULL,
    archived_at BIGINT NOT NULL,
    body        TEXT NOT NULL -- JSON: the rows as they were
);
CREATE INDEX orders_archive_by_reference ON orders_archive (merchant, reference);

-- A carrier may speak of a parcel long after.
CREATE TABLE shipments_archive (
    id       TEXT PRIMARY KEY,
    merchant TEXT NOT NULL,
    order_id TEXT NOT NULL
);

-- +goose Down
DROP TABLE shipments_archive;
DROP TABLE orders_archive;
