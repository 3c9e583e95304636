-- +goose Up
-- One row per order: who fills it, and whether it still takes money. Every
-- change of any of its payments is a compare-and-set on version.
CREATE TABLE payment_orders (
    order_id TEXT    PRIMARY KEY,
    merchant TEXT    NOT NULL,
    version  BIGINT NOT NULL,
    winner   TEXT    NOT NULL,
    round    BIGINT NOT NULL,
    closed   TEXT    NOT NULL
);

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
    sequence          BIGINT NOT NULL CHECK (sequence > 0),
    revision          BIGINT NOT NULL,
    currency          TEXT    NOT NULL,
    amount            BIGINT NOT NULL CHECK (amount > 0),
    approved          BIGINT NOT NULL CHECK (approved >= 0),
    captured          BIGINT NOT NULL CHECK (captured >= 0),
    refunded          BIGINT NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    refund_pending    BIGINT NOT NULL DEFAULT 0 CHECK (refund_pending >= 0),
    reported_amount   BIGINT,
    reported_currency TEXT    NOT NULL,
    reported_payee    TEXT    NOT NULL,
    reported_state    TEXT    NOT NULL,
    decline_code      TEXT    NOT NULL,
    round             BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    their_time        BIGINT,
    expires_at        BIGINT NOT NULL,
    next_check_at     BIGINT,
    last_check_at     BIGINT,
    checks            BIGINT NOT NULL,
    tries             BIGINT NOT NULL,
    misses            BIGINT NOT NULL,
    nudged            BIGINT NOT NULL,
    closed            BIGINT NOT NULL,
    lease_until       BIGINT NOT NULL DEFAULT 0,
    lease_token       TEXT    NOT NULL DEFAULT '',
    CONSTRAINT refunds_within_captured CHECK (refunded + refund_pending <= captured)
);
CREATE INDEX payments_order ON payments (order_id);
CREATE INDEX payments_merchant ON payments (merchant, id);
CREATE UNIQUE INDEX payments_start_key ON payments (merchant, start_key) WHERE start_key <> '';
CREATE INDEX payments_reference ON payments (provider, reference);
CREATE INDEX payments_due ON payments (provider, next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX payments_open ON payments (id) WHERE closed = 0;

CREATE TABLE payment_refunds (
    id         TEXT    PRIMARY KEY,
    payment_id TEXT    NOT NULL REFERENCES payments (id),
    position   BIGINT NOT NULL,
    cause_key  TEXT    NOT NULL,
    amount     BIGINT NOT NULL CHECK (amount > 0),
    currency   TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    reference  TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    cause      TEXT    NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (payment_id, cause_key)
);

CREATE TABLE payment_intents (
    payment_id TEXT    NOT NULL REFERENCES payments (id),
    intent_key TEXT    NOT NULL,
    position   BIGINT NOT NULL,
    op         TEXT    NOT NULL,
    amount     BIGINT NOT NULL,
    target     BIGINT NOT NULL,
    cause      TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    code       TEXT    NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (payment_id, intent_key)
);
-- The provider is asked for one thing at a time.
CREATE UNIQUE INDEX payment_intents_open ON payment_intents (payment_id) WHERE state = 'open';

CREATE TABLE payment_transitions (
    payment_id  TEXT    NOT NULL REFERENCES payments (id),
    seq         BIGINT NOT NULL,
    type        TEXT    NOT NULL,
    from_status TEXT    NOT NULL,
    to_status   TEXT    NOT NULL,
    at          BIGINT NOT NULL,
    cause       TEXT    NOT NULL,
    evidence    TEXT    NOT NULL,
    their_time  BIGINT,
    subject     TEXT    NOT NULL,
    PRIMARY KEY (payment_id, seq)
);

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
    received_at BIGINT NOT NULL,
    applied_at  BIGINT,
    PRIMARY KEY (provider, event_id)
);
CREATE INDEX payment_callbacks_parked ON payment_callbacks (payment_id, reference) WHERE state = 'parked';

-- +goose Down
DROP TABLE payment_callbacks;
DROP TABLE payment_transitions;
DROP TABLE payment_intents;
DROP TABLE payment_refunds;
DROP TABLE payments;
DROP TABLE payment_orders;
