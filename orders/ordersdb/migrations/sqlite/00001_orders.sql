-- +goose Up
CREATE TABLE orders (
    id                 TEXT PRIMARY KEY,
    merchant           TEXT NOT NULL,
    reference          TEXT NOT NULL,
    status             TEXT NOT NULL,
    payment_status     TEXT NOT NULL,
    fulfillment_status TEXT NOT NULL,
    -- Who acts next and what they have to do: derived, kept to be filtered by.
    waits_for          TEXT NOT NULL,
    task               TEXT NOT NULL,
    amount             INTEGER NOT NULL CHECK (amount >= 0),
    currency           TEXT NOT NULL,
    sequence           INTEGER NOT NULL CHECK (sequence > 0),
    token_epoch        INTEGER NOT NULL,
    requires_shipping  INTEGER NOT NULL,
    on_hold            INTEGER NOT NULL,
    shop               TEXT NOT NULL, -- JSON
    metadata           TEXT NOT NULL, -- JSON
    pay_by             INTEGER NOT NULL,
    cancelled_by       TEXT NOT NULL,
    cancel_reason      TEXT NOT NULL,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL
) STRICT;
CREATE INDEX orders_of_merchant ON orders (merchant, id);
CREATE INDEX orders_by_reference ON orders (merchant, reference);
CREATE INDEX orders_by_state ON orders (merchant, status, payment_status, fulfillment_status, waits_for, task, id);
CREATE INDEX orders_to_expire ON orders (pay_by) WHERE status = 'pending_payment';

CREATE TABLE order_items (
    order_id    TEXT NOT NULL,
    line        INTEGER NOT NULL,
    sku         TEXT NOT NULL,
    name        TEXT NOT NULL,
    quantity    INTEGER NOT NULL CHECK (quantity > 0),
    unit_amount INTEGER NOT NULL CHECK (unit_amount >= 0),
    PRIMARY KEY (order_id, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE order_transitions (
    order_id   TEXT NOT NULL,
    seq        INTEGER NOT NULL CHECK (seq > 0),
    type       TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    at         INTEGER NOT NULL,
    cause      TEXT NOT NULL,
    evidence   TEXT NOT NULL,
    their_time INTEGER, -- NULL where nobody else had a clock
    subject    TEXT NOT NULL,
    PRIMARY KEY (order_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE order_payments (
    order_id       TEXT NOT NULL,
    payment_id     TEXT NOT NULL,
    status         TEXT NOT NULL,
    amount         INTEGER NOT NULL,
    currency       TEXT NOT NULL,
    captured       INTEGER NOT NULL,
    refunded       INTEGER NOT NULL,
    refund_pending INTEGER NOT NULL,
    next_check_at  INTEGER, -- NULL when no check is planned
    updated_at     INTEGER NOT NULL,
    sequence       INTEGER NOT NULL,
    counts         INTEGER NOT NULL,
    accepted       INTEGER NOT NULL,
    reversed       INTEGER NOT NULL,
    PRIMARY KEY (order_id, payment_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX order_payments_by_payment ON order_payments (payment_id);

CREATE TABLE shipments (
    id              TEXT PRIMARY KEY,
    merchant        TEXT NOT NULL,
    order_id        TEXT NOT NULL,
    carrier         TEXT NOT NULL,
    tracking_number TEXT NOT NULL,
    tracking_url    TEXT NOT NULL,
    status          TEXT NOT NULL,
    planned_from    TEXT NOT NULL,
    planned_to      TEXT NOT NULL,
    estimated_from  TEXT NOT NULL,
    estimated_to    TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX shipments_of_order ON shipments (order_id);

CREATE TABLE shipment_items (
    shipment_id TEXT NOT NULL,
    line        INTEGER NOT NULL,
    sku         TEXT NOT NULL,
    quantity    INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (shipment_id, line)
) STRICT, WITHOUT ROWID;

CREATE TABLE shipment_events (
    id             TEXT PRIMARY KEY,
    shipment_id    TEXT NOT NULL,
    status         TEXT NOT NULL,
    occurred_at    INTEGER NOT NULL,
    recorded_at    INTEGER NOT NULL,
    location       TEXT NOT NULL,
    raw            TEXT NOT NULL, -- the carrier's own words; never announced
    estimated_from TEXT NOT NULL,
    estimated_to   TEXT NOT NULL
) STRICT;
-- The same report twice is one, whoever brings it.
CREATE UNIQUE INDEX shipment_events_once ON shipment_events (shipment_id, occurred_at, status);

-- +goose Down
DROP TABLE shipment_events;
DROP TABLE shipment_items;
DROP TABLE shipments;
DROP TABLE order_payments;
DROP TABLE order_transitions;
DROP TABLE order_items;
DROP TABLE orders;
