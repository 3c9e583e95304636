-- +goose Up
-- A merchant looks for the payment that its provider calls by this name. A
-- process of the version before this one neither needs nor minds it.
CREATE INDEX payments_merchant_reference ON payments (merchant, reference);

-- +goose Down
DROP INDEX payments_merchant_reference;
