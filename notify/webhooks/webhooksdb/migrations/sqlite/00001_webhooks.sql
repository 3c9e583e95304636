-- +goose Up
CREATE TABLE webhook_endpoints (
    id              TEXT   PRIMARY KEY,
    merchant        TEXT   NOT NULL,
    url             TEXT   NOT NULL,
    events          TEXT   NOT NULL, -- a JSON array of filters
    status          TEXT   NOT NULL,
    secret          TEXT   NOT NULL,
    previous_secret TEXT   NOT NULL,
    previous_until  INTEGER NOT NULL,
    disabled_at     INTEGER NOT NULL,
    disabled_reason TEXT   NOT NULL,
    failing_since   INTEGER NOT NULL,
    failures        INTEGER NOT NULL,
    paused_until    INTEGER NOT NULL,
    last_success    INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    removed_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_endpoints_merchant ON webhook_endpoints (merchant, id);

-- One event on its way to one endpoint.
CREATE TABLE webhook_deliveries (
    endpoint_id TEXT   NOT NULL,
    event_id    TEXT   NOT NULL,
    merchant    TEXT   NOT NULL,
    event_type  TEXT   NOT NULL,
    subject     TEXT   NOT NULL,
    seq         INTEGER NOT NULL,
    previous    INTEGER NOT NULL, -- the sequence before it that this endpoint was to get
    body        BLOB   NOT NULL,
    state       TEXT   NOT NULL,
    tries       INTEGER NOT NULL,
    first_try   INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, event_id)
) STRICT;
CREATE INDEX webhook_deliveries_lane ON webhook_deliveries (endpoint_id, subject, seq);
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (created_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_finished ON webhook_deliveries (finished_at) WHERE state <> 'pending';

-- The line of one resource's events before one endpoint: the head is tried, the
-- rest waits for it. While a lane is leased, due_at is the end of the lease.
CREATE TABLE webhook_lanes (
    endpoint_id  TEXT   NOT NULL,
    subject      TEXT   NOT NULL,
    pending      INTEGER NOT NULL,
    due_at       INTEGER NOT NULL,
    leased_until INTEGER NOT NULL,
    token        TEXT   NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (endpoint_id, subject)
) STRICT;
CREATE INDEX webhook_lanes_due ON webhook_lanes (due_at, endpoint_id) WHERE pending > 0;
CREATE INDEX webhook_lanes_endpoint ON webhook_lanes (endpoint_id, due_at) WHERE pending > 0;
CREATE INDEX webhook_lanes_idle ON webhook_lanes (updated_at) WHERE pending = 0;

CREATE TABLE webhook_attempts (
    id          TEXT   PRIMARY KEY,
    merchant    TEXT   NOT NULL,
    endpoint_id TEXT   NOT NULL,
    event_id    TEXT   NOT NULL,
    event_type  TEXT   NOT NULL,
    subject     TEXT   NOT NULL,
    seq         INTEGER NOT NULL,
    try         INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    status_code INTEGER NOT NULL, -- 0 is no answer
    error       TEXT   NOT NULL,
    excerpt     TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    next_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_attempts_endpoint ON webhook_attempts (endpoint_id, id);
CREATE INDEX webhook_attempts_subject ON webhook_attempts (merchant, subject, id);
CREATE INDEX webhook_attempts_merchant ON webhook_attempts (merchant, id);
CREATE INDEX webhook_attempts_at ON webhook_attempts (at);

-- +goose Down
DROP TABLE webhook_attempts;
DROP TABLE webhook_lanes;
DROP TABLE webhook_deliveries;
DROP TABLE webhook_endpoints;
