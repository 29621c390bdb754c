-- Where a meter's purchase count begins anew, 0 where its number is absolute. While place is 0,
-- purchase is what the meter showed; with a place it is the number of the purchase.

-- +goose Up
ALTER TABLE card_entries ADD COLUMN modulus BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE card_entries DROP COLUMN modulus;
