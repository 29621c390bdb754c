-- Use first, pay later: accounts of credit mode and the bills made for them.

-- +goose Up
INSERT INTO counters (name, last) VALUES ('account', 0), ('bill', 0);

-- Rows are added only. The highest revision of an installation is in force.
CREATE TABLE accounts (
    place BIGINT NOT NULL,
    from_ms BIGINT NOT NULL,
    revision BIGINT NOT NULL, -- of the import that brought it
    customer TEXT NOT NULL, -- '' for the one of the register
    mode TEXT NOT NULL,
    credit_limit BIGINT NOT NULL,
    channel TEXT NOT NULL,
    begin_ms BIGINT NOT NULL, -- 0 for from_ms
    due_days INTEGER NOT NULL,
    warn INTEGER NOT NULL,
    stop INTEGER NOT NULL,
    late_free INTEGER NOT NULL,
    late_per_day INTEGER NOT NULL, -- 0 for no late fee
    late_cap INTEGER NOT NULL,
    at_ms BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    PRIMARY KEY (place, from_ms, revision),
    FOREIGN KEY (place, from_ms) REFERENCES installations (place, from_ms)
);

-- Rows are added only. An account has one bill of a month, and none begins elsewhere than the one
-- before has ended.
CREATE TABLE bills (
    id BIGINT PRIMARY KEY,
    place BIGINT NOT NULL,
    from_ms BIGINT NOT NULL,
    month INTEGER NOT NULL, -- 12 x year + month - 1
    utility TEXT NOT NULL,
    meter TEXT NOT NULL,
    channel TEXT NOT NULL,
    order_no TEXT NOT NULL,
    day INTEGER NOT NULL,
    due INTEGER NOT NULL,
    begin_ms BIGINT NOT NULL,
    end_ms BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    late INTEGER NOT NULL, -- 1 where late fees may arise from it or are claimed by it
    import_id BIGINT NOT NULL, -- the file of sales in which it stands; 0 where nothing is owed
    body TEXT NOT NULL, -- JSON: all of it
    digest TEXT NOT NULL, -- SM3 of body
    at_ms BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    UNIQUE (place, from_ms, month),
    UNIQUE (place, from_ms, begin_ms),
    UNIQUE (channel, order_no),
    FOREIGN KEY (place, from_ms) REFERENCES installations (place, from_ms)
);
CREATE INDEX bills_month ON bills (utility, month);
CREATE INDEX bills_meter ON bills (meter, id);

-- +goose Down
DROP TABLE bills;
DROP TABLE accounts;
DELETE FROM counters WHERE name IN ('account', 'bill');
