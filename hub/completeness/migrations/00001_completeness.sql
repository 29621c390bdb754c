-- What should have come from every meter, what came, and why the rest did not. One text for SQLite
-- and PostgreSQL: BIGINT for moments (milliseconds since 1970 UTC, 0 for none) and numbers, BYTEA for
-- bytes. Days are counted from 1970-01-01 UTC.

-- +goose Up

-- The hours of one meter and day, as record.go writes them. What is told again is merged into the
-- row, so that the order and the number of tellings do not matter.
CREATE TABLE completeness_days (
    meter TEXT NOT NULL,
    collector TEXT NOT NULL,
    day BIGINT NOT NULL,
    short BIGINT NOT NULL,  -- planned slots that are neither received nor refilled
    wanted BIGINT NOT NULL, -- hours of which the collector has not been asked for a refill, and could
    hours BYTEA NOT NULL,
    PRIMARY KEY (meter, collector, day)
);
CREATE INDEX completeness_short ON completeness_days (day) WHERE short > 0;
CREATE INDEX completeness_wanted ON completeness_days (collector, meter, day) WHERE wanted > 0;
CREATE INDEX completeness_by_day ON completeness_days (day);

-- The schedule that a collector gave last for a meter, and the end of the last hour that it told of.
CREATE TABLE completeness_meters (
    meter TEXT NOT NULL,
    collector TEXT NOT NULL,
    interval_ms BIGINT NOT NULL,
    offset_ms BIGINT NOT NULL,
    told_ms BIGINT NOT NULL,
    PRIMARY KEY (meter, collector)
);

-- When a collector was heard of last.
CREATE TABLE completeness_collectors (
    collector TEXT PRIMARY KEY,
    heard_ms BIGINT NOT NULL
);

-- One row, 'open', while a hub has the ledger open: after a kill what was in memory is counted again.
CREATE TABLE completeness_facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Times to be counted again from the store, as an operator asked.
CREATE TABLE completeness_recounts (
    from_ms BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    asked_ms BIGINT NOT NULL,
    PRIMARY KEY (from_ms, until_ms)
);

-- +goose Down
DROP TABLE completeness_recounts;
DROP TABLE completeness_facts;
DROP TABLE completeness_collectors;
DROP TABLE completeness_meters;
DROP TABLE completeness_days;
