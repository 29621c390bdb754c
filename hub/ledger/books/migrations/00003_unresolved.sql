-- How many rows no account could take when the run was made, because the register did not know their
-- meter. NULL for runs that were made before this was counted.

-- +goose Up
ALTER TABLE runs ADD COLUMN unresolved_sales BIGINT;
ALTER TABLE runs ADD COLUMN unresolved_entries BIGINT;

-- +goose Down
ALTER TABLE runs DROP COLUMN unresolved_entries;
ALTER TABLE runs DROP COLUMN unresolved_sales;
