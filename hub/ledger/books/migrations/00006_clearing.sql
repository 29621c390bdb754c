-- Clearing between cities (docs/clearing-files.md): the files that were exchanged, what each of our
-- rows became, and the answers. Nothing here is ever changed or deleted.

-- +goose Up

INSERT INTO counters (name, last) VALUES ('clearing', 0);

CREATE TABLE clearing_files (
    id BIGINT PRIMARY KEY,
    direction TEXT NOT NULL, -- 'sent' or 'received'
    from_issuer TEXT NOT NULL,
    to_issuer TEXT NOT NULL,
    day INTEGER NOT NULL,
    number INTEGER NOT NULL,
    utility TEXT NOT NULL,
    details BIGINT NOT NULL,
    taken BIGINT NOT NULL,
    returned BIGINT NOT NULL,
    digest TEXT NOT NULL, -- SM3 of the bytes
    raw BYTEA NOT NULL, -- gzip
    at_ms BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    UNIQUE (from_issuer, to_issuer, day, number)
);
CREATE INDEX clearing_files_day ON clearing_files (day);

-- The one answer to a file: ours to a received one, the partner's to a sent one.
CREATE TABLE clearing_answers (
    file BIGINT PRIMARY KEY REFERENCES clearing_files (id),
    accepted BIGINT NOT NULL,
    accepted_taken BIGINT NOT NULL,
    accepted_returned BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    refused_taken BIGINT NOT NULL,
    refused_returned BIGINT NOT NULL,
    digest TEXT NOT NULL,
    raw BYTEA NOT NULL, -- gzip
    at_ms BIGINT NOT NULL,
    by_whom TEXT NOT NULL
);

-- Every order that stood in a file: it may stand in one only.
CREATE TABLE clearing_details (
    channel TEXT NOT NULL,
    order_no TEXT NOT NULL, -- as the file has it
    file BIGINT NOT NULL REFERENCES clearing_files (id),
    PRIMARY KEY (channel, order_no)
);

-- Details that an answer refused.
CREATE TABLE clearing_refused (
    channel TEXT NOT NULL,
    order_no TEXT NOT NULL,
    file BIGINT NOT NULL REFERENCES clearing_files (id),
    reason TEXT NOT NULL,
    PRIMARY KEY (channel, order_no)
);

-- Which row of L1 was sent, and by which entry of L3 it was proven. The entry is named by what it
-- tells: its number changes when the register comes to know its meter.
CREATE TABLE clearing_proofs (
    sale BIGINT PRIMARY KEY,
    file BIGINT NOT NULL REFERENCES clearing_files (id),
    utility TEXT NOT NULL,
    event TEXT NOT NULL,
    number TEXT NOT NULL,
    card TEXT NOT NULL,
    scheme TEXT NOT NULL,
    purchase BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    amount_unit TEXT NOT NULL,
    moment_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX clearing_proofs_entry ON clearing_proofs (number, purchase, card, event, moment_ms, amount, amount_unit, utility, scheme);

-- By these the rows and entries of other cities' cards are found among millions of our own. Rows of
-- our own meters have a place, and stay out of the indexes: importing them costs nothing more.
CREATE INDEX card_entries_issuer ON card_entries (issuer, card) WHERE issuer <> '';
CREATE INDEX card_entries_elsewhere ON card_entries (number) WHERE place = 0;
CREATE INDEX sales_elsewhere ON sales (number) WHERE place = 0;
CREATE INDEX sales_elsewhere_card ON sales (card) WHERE place = 0;

-- +goose Down
DROP INDEX sales_elsewhere_card;
DROP INDEX sales_elsewhere;
DROP INDEX card_entries_elsewhere;
DROP INDEX card_entries_issuer;
DROP TABLE clearing_proofs;
DROP TABLE clearing_refused;
DROP TABLE clearing_details;
DROP TABLE clearing_answers;
DROP TABLE clearing_files;
DELETE FROM counters WHERE name = 'clearing';
