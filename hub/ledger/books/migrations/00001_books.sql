-- The books. One text for SQLite and PostgreSQL: BIGINT for money (fen), volumes (litres,
-- watt-hours) and moments (milliseconds since 1970 UTC, 0 for none), INTEGER for days (since
-- 1970-01-01) and flags, BYTEA for bytes. There is no REAL column, and a test keeps it so.
-- "BIGINT PRIMARY KEY" is read as "INTEGER PRIMARY KEY" by SQLite, which makes it the order on disk.

-- +goose Up

-- Numbers are given out here, inside the transaction that uses them: their order is the order of
-- commit, so that "all rows up to n" means the same for ever.
CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO counters (name, last) VALUES
    ('place', 0), ('revision', 0), ('import', 0), ('sale', 0), ('payment', 0), ('entry', 0), ('run', 0), ('decision', 0), ('tariff', 0);

CREATE TABLE places (
    id BIGINT PRIMARY KEY,
    meter TEXT NOT NULL UNIQUE,
    utility TEXT NOT NULL,
    purse TEXT NOT NULL,
    plan TEXT NOT NULL,
    readout TEXT NOT NULL,
    revision BIGINT NOT NULL -- rises with each change of the place or its installations
);

CREATE TABLE installations (
    place BIGINT NOT NULL REFERENCES places (id),
    from_ms BIGINT NOT NULL,
    to_ms BIGINT NOT NULL,
    number TEXT NOT NULL,
    customer TEXT NOT NULL,
    PRIMARY KEY (place, from_ms)
);
CREATE INDEX installations_number ON installations (number, from_ms);

CREATE TABLE imports (
    id BIGINT PRIMARY KEY,
    content TEXT NOT NULL,
    utility TEXT NOT NULL,
    channel TEXT NOT NULL,
    day INTEGER NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    mapping TEXT NOT NULL,
    digest TEXT NOT NULL,
    rows_read BIGINT NOT NULL,
    bytes_read BIGINT NOT NULL,
    debit BIGINT NOT NULL,
    credit BIGINT NOT NULL,
    raw BYTEA NOT NULL, -- gzip
    at_ms BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    UNIQUE (channel, day, number, content, utility)
);

-- L1. place and from_ms are 0 while the register does not know the meter. placed is a number of the
-- same counter as id: id itself, or a later one when the register came to know the meter later.
CREATE TABLE sales (
    id BIGINT PRIMARY KEY,
    placed BIGINT NOT NULL, -- 0 while place is 0
    import_id BIGINT NOT NULL,
    utility TEXT NOT NULL,
    day INTEGER NOT NULL,
    place BIGINT NOT NULL,
    from_ms BIGINT NOT NULL,
    channel TEXT NOT NULL,
    order_no TEXT NOT NULL,
    kind TEXT NOT NULL,
    meter TEXT NOT NULL, -- as the file said, as is number
    number TEXT NOT NULL,
    customer TEXT NOT NULL,
    card TEXT NOT NULL,
    scheme TEXT NOT NULL,
    purchase BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    volume BIGINT NOT NULL,
    undoes TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    operator TEXT NOT NULL,
    terminal TEXT NOT NULL
);
CREATE INDEX sales_order ON sales (channel, order_no);
CREATE INDEX sales_day ON sales (utility, day);
CREATE INDEX sales_place ON sales (place, purchase);
CREATE INDEX sales_placed ON sales (placed);

-- L2.
CREATE TABLE payments (
    id BIGINT PRIMARY KEY,
    import_id BIGINT NOT NULL,
    utility TEXT NOT NULL,
    day INTEGER NOT NULL,
    channel TEXT NOT NULL,
    order_no TEXT NOT NULL,
    reference TEXT NOT NULL,
    refund INTEGER NOT NULL,
    amount BIGINT NOT NULL,
    at_ms BIGINT NOT NULL
);
CREATE INDEX payments_order ON payments (channel, order_no);
CREATE INDEX payments_day ON payments (utility, day);

-- L3 and L4. place is 0 while the register does not know the meter; the entry gets a new id when it
-- does. A unit that is '' says that the amount beside it is not known. moment_ms is
-- recorded_ms, else taken_ms; print is a fingerprint of what is told, so that the same fact told
-- twice is one row.
CREATE TABLE card_entries (
    id BIGINT PRIMARY KEY,
    utility TEXT NOT NULL,
    day INTEGER NOT NULL,
    place BIGINT NOT NULL,
    from_ms BIGINT NOT NULL,
    event TEXT NOT NULL,
    source TEXT NOT NULL,
    meter TEXT NOT NULL,
    number TEXT NOT NULL,
    issuer TEXT NOT NULL,
    card TEXT NOT NULL,
    replaces TEXT NOT NULL,
    customer TEXT NOT NULL,
    scheme TEXT NOT NULL,
    purchase BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    amount_unit TEXT NOT NULL,
    residual BIGINT NOT NULL,
    residual_unit TEXT NOT NULL,
    overdraft BIGINT NOT NULL,
    overdraft_unit TEXT NOT NULL,
    bought BIGINT NOT NULL,
    bought_unit TEXT NOT NULL,
    used BIGINT NOT NULL,
    used_unit TEXT NOT NULL,
    counters TEXT NOT NULL, -- name=value, sorted, with blanks between
    fault INTEGER NOT NULL,
    terminal TEXT NOT NULL,
    moment_ms BIGINT NOT NULL,
    taken_ms BIGINT NOT NULL,
    recorded_ms BIGINT NOT NULL,
    installed_ms BIGINT NOT NULL, -- as the entry said
    collector TEXT NOT NULL,
    stored_ms BIGINT NOT NULL,
    print BIGINT NOT NULL
);
CREATE UNIQUE INDEX card_entries_fact ON card_entries (place, moment_ms, print);
CREATE INDEX card_entries_day ON card_entries (utility, day);

-- What the last run closed with, and what each run wrote over: the way back. wake is the next day on
-- which something can change without a new row. A row of the undo tables with a NULL body says that
-- there was no balance.
CREATE TABLE account_balances (
    place BIGINT PRIMARY KEY,
    utility TEXT NOT NULL,
    wake INTEGER NOT NULL,
    body BYTEA NOT NULL
);
CREATE TABLE account_undo (
    run BIGINT NOT NULL,
    place BIGINT NOT NULL,
    utility TEXT NOT NULL,
    wake INTEGER,
    body BYTEA,
    PRIMARY KEY (run, place)
);
CREATE TABLE order_balances (
    utility TEXT NOT NULL,
    channel TEXT NOT NULL,
    order_no TEXT NOT NULL,
    wake INTEGER NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (utility, channel, order_no)
);
CREATE TABLE order_undo (
    run BIGINT NOT NULL,
    utility TEXT NOT NULL,
    channel TEXT NOT NULL,
    order_no TEXT NOT NULL,
    wake INTEGER,
    body BYTEA,
    PRIMARY KEY (run, channel, order_no)
);

-- Sale rows that a run of the accounts marked as further rows of a live purchase, or no longer (0).
CREATE TABLE duplicate_marks (
    run BIGINT NOT NULL,
    sale BIGINT NOT NULL,
    channel TEXT NOT NULL,
    order_no TEXT NOT NULL,
    duplicate INTEGER NOT NULL,
    PRIMARY KEY (run, sale)
);
CREATE INDEX duplicate_marks_order ON duplicate_marks (channel, order_no);

-- Rows that a run left out because they contradict their place. They come again when the register
-- changes there.
CREATE TABLE refusals (
    run BIGINT NOT NULL,
    item INTEGER NOT NULL,
    ledger TEXT NOT NULL, -- 'sale', 'payment' or 'entry'
    row_id BIGINT NOT NULL,
    place BIGINT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (run, item)
);
CREATE INDEX refusals_place ON refusals (place);

CREATE TABLE runs (
    id BIGINT PRIMARY KEY,
    utility TEXT NOT NULL,
    first_day INTEGER NOT NULL,
    last_day INTEGER NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL, -- 'done' or 'set_aside'
    before_run BIGINT NOT NULL, -- whose closing balances it began with; 0 for none
    replaces BIGINT NOT NULL, -- the version before; 0 for none
    sale_upto BIGINT NOT NULL,
    payment_upto BIGINT NOT NULL,
    entry_upto BIGINT NOT NULL,
    revision_upto BIGINT NOT NULL,
    rules TEXT NOT NULL,
    tariffs TEXT NOT NULL,
    inputs TEXT NOT NULL, -- JSON: SM3 digests by name
    figures TEXT NOT NULL, -- JSON
    by_whom TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    took_ms BIGINT NOT NULL,
    redo INTEGER NOT NULL DEFAULT 1 -- 0: the undo tables no longer hold it
);
CREATE INDEX runs_chain ON runs (utility, last_day);

-- What each run found and cleared; it never changes.
CREATE TABLE run_items (
    run BIGINT NOT NULL,
    item INTEGER NOT NULL,
    what TEXT NOT NULL, -- 'found', 'cleared' (by itself) or 'decided'
    diff_key TEXT NOT NULL,
    class TEXT NOT NULL,
    amount BIGINT NOT NULL,
    volume BIGINT NOT NULL,
    PRIMARY KEY (run, item)
);

-- Where each difference stands now: the sum of run_items of the runs that count, and of decisions.
CREATE TABLE differences (
    diff_key TEXT NOT NULL,
    utility TEXT NOT NULL,
    class TEXT NOT NULL,
    channel TEXT NOT NULL,
    order_no TEXT NOT NULL,
    place BIGINT NOT NULL,
    meter TEXT NOT NULL,
    from_ms BIGINT NOT NULL,
    scheme TEXT NOT NULL,
    purchase BIGINT NOT NULL,
    card TEXT NOT NULL,
    moment_ms BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    volume BIGINT NOT NULL,
    day INTEGER NOT NULL,
    shown TEXT NOT NULL,
    expected TEXT NOT NULL,
    note TEXT NOT NULL,
    found_run BIGINT NOT NULL,
    cleared_run BIGINT NOT NULL, -- 0 while it is open
    state TEXT NOT NULL, -- by decisions
    PRIMARY KEY (diff_key, found_run)
);
CREATE INDEX differences_list ON differences (utility, cleared_run, class, day);
CREATE INDEX differences_meter ON differences (meter);
CREATE INDEX differences_found ON differences (found_run);
CREATE INDEX differences_cleared ON differences (cleared_run);

CREATE TABLE decisions (
    id BIGINT PRIMARY KEY,
    diff_key TEXT NOT NULL,
    step INTEGER NOT NULL,
    state TEXT NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    evidence TEXT NOT NULL,
    assignee TEXT NOT NULL,
    rule TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    UNIQUE (diff_key, step) -- two people cannot take one step
);

CREATE TABLE adjustments (
    decision BIGINT PRIMARY KEY,
    diff_key TEXT NOT NULL,
    amount BIGINT NOT NULL,
    volume BIGINT NOT NULL,
    at_ms BIGINT NOT NULL
);

CREATE TABLE tariffs (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    text TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    UNIQUE (name, digest)
);

-- +goose Down
DROP TABLE tariffs;
DROP TABLE adjustments;
DROP TABLE decisions;
DROP TABLE differences;
DROP TABLE run_items;
DROP TABLE runs;
DROP TABLE refusals;
DROP TABLE duplicate_marks;
DROP TABLE order_undo;
DROP TABLE order_balances;
DROP TABLE account_undo;
DROP TABLE account_balances;
DROP TABLE card_entries;
DROP TABLE payments;
DROP TABLE sales;
DROP TABLE imports;
DROP TABLE installations;
DROP TABLE places;
DROP TABLE counters;
