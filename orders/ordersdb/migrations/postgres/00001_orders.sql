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
    amount             BIGINT NOT NULL CHECK (amount >= 0),
    currency           TEXT NOT NULL,
    sequence           BIGINT NOT NULL CHECK (sequence > 0),
    token_epoch        BIGINT NOT NULL,
    requires_shipping  BOOLEAN NOT NULL,
    on_hold            BOOLEAN NOT NULL,
    shop               TEXT NOT NULL, -- JSON
    metadata           TEXT NOT NULL, -- JSON
    pay_by             BIGINT NOT NULL,
    cancelled_by       TEXT NOT NULL,
    cancel_reason      TEXT NOT NULL,
    created_at         BIGINT NOT NULL,
    updated_at         BIGINT NOT NULL
);
CREATE INDEX orders_of_merchant ON orders (merchant, id);
CREATE INDEX orders_by_reference ON orders (merchant, reference);
CREATE INDEX orders_by_state ON orders (merchant, status, payment_status, fulfillment_status, waits_for, task, id);
CREATE INDEX orders_to_expire ON orders (pay_by) WHERE status = 'pending_payment';

CREATE TABLE order_items (
    order_id    TEXT NOT NULL,
    line        BIGINT NOT NULL,
    sku         TEXT NOT NULL,
    name        TEXT NOT NULL,
    quantity    BIGINT NOT NULL CHECK (quantity > 0),
    unit_amount BIGINT NOT NULL CHECK (unit_amount >= 0),
    PRIMARY KEY (order_id, line)
);

CREATE TABLE order_transitions (
    order_id   TEXT NOT NULL,
    seq        BIGINT NOT NULL CHECK (seq > 0),
    type       TEXT NOT NULL,
    from_state TEXT NOT NULL,
    to_state   TEXT NOT NULL,
    at         BIGINT NOT NULL,
    cause      TEXT NOT NULL,
    evidence   TEXT NOT NULL,
    their_time BIGINT, -- NULL where nobody else had a clock
    subject    TEXT NOT NULL,
    PRIMARY KEY (order_id, seq)
);

CREATE TABLE order_payments (
    order_id       TEXT NOT NULL,
    payment_id     TEXT NOT NULL,
    status         TEXT NOT NULL,
    amount         BIGINT NOT NULL,
    currency       TEXT NOT NULL,
    captured       BIGINT NOT NULL,
    refunded       BIGINT NOT NULL,
    refund_pending BIGINT NOT NULL,
    next_check_at  BIGINT, -- NULL when no check is planned
    updated_at     BIGINT NOT NULL,
    sequence       BIGINT NOT NULL,
    counts         BOOLEAN NOT NULL,
    accepted       BOOLEAN NOT NULL,
    reversed       BOOLEAN NOT NULL,
    PRIMARY KEY (order_id, payment_id)
);
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
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);
CREATE INDEX shipments_of_order ON shipments (order_id);

CREATE TABLE shipment_items (
    shipment_id TEXT NOT NULL,
    line        BIGINT NOT NULL,
    sku         TEXT NOT NULL,
    quantity    BIGINT NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (shipment_id, line)
);

CREATE TABLE shipment_events (
    id             TEXT PRIMARY KEY,
    shipment_id    TEXT NOT NULL,
    status         TEXT NOT NULL,
    occurred_at    BIGINT NOT NULL,
    recorded_at    BIGINT NOT NULL,
    location       TEXT NOT NULL,
    raw            TEXT NOT NULL, -- the carrier's own words; never announced
    estimated_from TEXT NOT NULL,
    estimated_to   TEXT NOT NULL
);
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
