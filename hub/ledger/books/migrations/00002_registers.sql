-- Registers of the meter beside a card entry, and the day on which a bill is due.

-- +goose Up

-- Filled from the meter's readings (FillUse) where the entry did not tell: the main counter and the
-- counters by rate, in litres or watt-hours as the meter shows them, without multiplier. NULL is not
-- known. A run that has taken the entry ends its filling.
ALTER TABLE card_entries ADD COLUMN reg_used BIGINT;
ALTER TABLE card_entries ADD COLUMN reg_t1 BIGINT;
ALTER TABLE card_entries ADD COLUMN reg_t2 BIGINT;
ALTER TABLE card_entries ADD COLUMN reg_t3 BIGINT;
ALTER TABLE card_entries ADD COLUMN reg_t4 BIGINT;

-- They rise with each filling, so that a run notices one that happens beside it.
INSERT INTO counters (name, last) VALUES ('fill water', 0), ('fill power', 0), ('fill gas', 0);

ALTER TABLE sales ADD COLUMN due INTEGER NOT NULL DEFAULT 0; -- of a bill; 0 for other kinds

-- +goose Down
ALTER TABLE sales DROP COLUMN due;
DELETE FROM counters WHERE name IN ('fill water', 'fill power', 'fill gas');
ALTER TABLE card_entries DROP COLUMN reg_t4;
ALTER TABLE card_entries DROP COLUMN reg_t3;
ALTER TABLE card_entries DROP COLUMN reg_t2;
ALTER TABLE card_entries DROP COLUMN reg_t1;
ALTER TABLE card_entries DROP COLUMN reg_used;
