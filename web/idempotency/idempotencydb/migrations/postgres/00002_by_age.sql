-- contracts: nothing.
-- +goose Up
SELECT 1; -- PostgreSQL stores rows in the order in which they come; SQLite is told to, here

-- +goose Down
SELECT 1;
