-- The desk of reconciliation: days that an approver has closed, and the ways to find rows by.

-- +goose Up

-- Rows are added only. A day that is closed takes all days before it along.
CREATE TABLE day_closings (
    utility TEXT NOT NULL,
    day INTEGER NOT NULL,
    run BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    why TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (utility, day)
);

CREATE INDEX imports_day ON imports (utility, day);
CREATE INDEX sales_import ON sales (import_id);
CREATE INDEX payments_import ON payments (import_id);
CREATE INDEX sales_card ON sales (card) WHERE card <> '';
CREATE INDEX installations_customer ON installations (customer) WHERE customer <> '';
CREATE INDEX card_entries_loads ON card_entries (utility, day) WHERE event = 'load';
CREATE INDEX card_entries_load ON card_entries (place, from_ms, purchase) WHERE event = 'load';

-- +goose Down
DROP INDEX card_entries_load;
DROP INDEX card_entries_loads;
DROP INDEX installations_customer;
DROP INDEX sales_card;
DROP INDEX payments_import;
DROP INDEX sales_import;
DROP INDEX imports_day;
DROP TABLE day_closings;
