-- +goose Up
-- One row per order: who fills it, and whether it still takes money. Every
-- change of any of its payments is a compare-and-set on version.
CREATE TABLE payment_orders (
    order_id TEXT    PRIMARY KEY,
    merchant TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    winner   TEXT    NOT NULL,
    round    INTEGER NOT NULL,
    closed   TEXT    NOT NULL
) STRICT;

CREATE TABLE payments (
    id                TEXT    PRIMARY KEY,
    merchant          TEXT    NOT NULL,
    order_id          TEXT    NOT NULL REFERENCES payment_orders (order_id),
    provider          TEXT    NOT NULL,
    reference         TEXT    NOT NULL,
    payee             TEXT    NOT NULL,
    start_key         TEXT    NOT NULL,
    title             TEXT    NOT NULL,
    capture           TEXT    NOT NULL,
    return_url        TEXT    NOT NULL,
    redirect          TEXT    NOT NULL,
    status            TEXT    NOT NULL,
    sequence          INTEGER NOT NULL CHECK (sequence > 0),
    revision          INTEGER NOT NULL,
    currency          TEXT    NOT NULL,
    amount            INTEGER NOT NULL CHECK (amount > 0),
    approved          INTEGER NOT NULL CHECK (approved >= 0),
    captured          INTEGER NOT NULL CHECK (captured >= 0),
    refunded          INTEGER NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    refund_pending    INTEGER NOT NULL DEFAULT 0 CHECK (refund_pending >= 0),
    reported_amount   INTEGER,
    reported_currency TEXT    NOT NULL,
    reported_payee    TEXT    NOT NULL,
    reported_state    TEXT    NOT NULL,
    decline_code      TEXT    NOT NULL,
    round             INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    their_time        INTEGER,
    expires_at        INTEGER NOT NULL,
    next_check_at     INTEGER,
    last_check_at     INTEGER,
    checks            INTEGER NOT NULL,
    tries             INTEGER NOT NULL,
    misses            INTEGER NOT NULL,
    nudged            INTEGER NOT NULL,
    closed            INTEGER NOT NULL,
    lease_until       INTEGER NOT NULL DEFAULT 0,
    lease_token       TEXT    NOT NULL DEFAULT '',
    CONSTRAINT refunds_within_captured CHECK (refunded + refund_pending <= captured)
) STRICT;
CREATE INDEX payments_order ON payments (order_id);
CREATE INDEX payments_merchant ON payments (merchant, id);
CREATE UNIQUE INDEX payments_start_key ON payments (merchant, start_key) WHERE start_key <> '';
CREATE INDEX payments_reference ON payments (provider, reference);
CREATE INDEX payments_due ON payments (provider, next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX payments_open ON payments (id) WHERE closed = 0;

CREATE TABLE payment_refunds (
    id         TEXT    PRIMARY KEY,
    payment_id TEXT    NOT NULL REFERENCES payments (id),
    position   INTEGER NOT NULL,
    cause_key  TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount > 0),
    currency   TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    reference  TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    cause      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (payment_id, cause_key)
) STRICT;

CREATE TABLE payment_intents (
    payment_id TEXT    NOT NULL REFERENCES payments (id),
    intent_key TEXT    NOT NULL,
    position   INTEGER NOT NULL,
    op         TEXT    NOT NULL,
    amount     INTEGER NOT NULL,
    target     INTEGER NOT NULL,
    cause      TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (payment_id, intent_key)
) STRICT, WITHOUT ROWID;
-- The provider is asked for one thing at a time.
CREATE UNIQUE INDEX payment_intents_open ON payment_intents (payment_id) WHERE state = 'open';

CREATE TABLE payment_transitions (
    payment_id  TEXT    NOT NULL REFERENCES payments (id),
    seq         INTEGER NOT NULL,
    type        TEXT    NOT NULL,
    from_status TEXT    NOT NULL,
    to_status   TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    cause       TEXT    NOT NULL,
    evidence    TEXT    NOT NULL,
    their_time  INTEGER,
    subject     TEXT    NOT NULL,
    PRIMARY KEY (payment_id, seq)
) STRICT, WITHOUT ROWID;

-- The inbox. payment_id is what the callback says, not a reference: the payment
-- may not be there yet.
CREATE TABLE payment_callbacks (
    provider    TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    payment_id  TEXT    NOT NULL,
    reference   TEXT    NOT NULL,
    report      TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    applied_at  INTEGER,
    PRIMARY KEY (provider, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX payment_callbacks_parked ON payment_callbacks (payment_id, reference) WHERE state = 'parked';

-- +goose Down
DROP TABLE payment_callbacks;
DROP TABLE payment_transitions;
DROP TABLE payment_intents;
DROP TABLE payment_refunds;
DROP TABLE payments;
DROP TABLE payment_orders;
