-- +goose Up
CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY,
    event_id     TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    resource     TEXT    NOT NULL,
    seq          INTEGER NOT NULL,
    body         BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    published_at INTEGER
) STRICT;
-- An event id is a function of resource and seq, so this is its uniqueness too.
CREATE UNIQUE INDEX outbox_resource_seq ON outbox (resource, seq);
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;

-- Who relays. One process at a time holds the lease.
CREATE TABLE outbox_lease (
    name   TEXT    PRIMARY KEY,
    holder TEXT    NOT NULL,
    until  INTEGER NOT NULL
) STRICT;

-- +goose Down
DROP TABLE outbox_lease;
DROP TABLE outbox;
