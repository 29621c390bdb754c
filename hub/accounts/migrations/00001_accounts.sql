-- People, what they sign in with, and what was done about them. One text for SQLite and PostgreSQL:
-- BIGINT for moments (milliseconds since 1970 UTC, 0 for none) and numbers, INTEGER for flags.
-- No password, token or code is here: only what they are checked against.

-- +goose Up

-- Values that belong to this database, such as the key of account_names.
CREATE TABLE account_facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Numbers are given out here, inside the transaction that uses them. Every change takes 'audit'
-- first, so that changes follow one another on PostgreSQL too.
CREATE TABLE account_counters (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO account_counters (name, last) VALUES ('audit', 0), ('person', 0), ('token', 0);

CREATE TABLE account_people (
    person BIGINT PRIMARY KEY,
    id TEXT NOT NULL,   -- empty once forgotten
    name TEXT NOT NULL, -- empty once forgotten
    roles TEXT NOT NULL, -- comma-separated, in their order
    department TEXT NOT NULL,
    utilities TEXT NOT NULL, -- comma-separated
    password TEXT NOT NULL, -- PHC string of Argon2id; empty for none
    made_ms BIGINT NOT NULL,
    disabled_ms BIGINT NOT NULL,
    forgotten_ms BIGINT NOT NULL
);

-- Ids and names in one table, so that what somebody signs in with is one person's. mark is a keyed
-- digest: the row stays when the person is forgotten, so that nobody inherits the name.
CREATE TABLE account_names (
    mark TEXT PRIMARY KEY,
    person BIGINT NOT NULL
);

-- One-time codes: purpose setup (person 0) or password.
CREATE TABLE account_codes (
    digest TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    person BIGINT NOT NULL,
    ends_ms BIGINT NOT NULL
);

CREATE TABLE account_sessions (
    digest TEXT PRIMARY KEY,
    person BIGINT NOT NULL,
    made_ms BIGINT NOT NULL,
    seen_ms BIGINT NOT NULL,
    idle_ms BIGINT NOT NULL, -- how long it may rest
    ends_ms BIGINT NOT NULL,
    origin TEXT NOT NULL
);
CREATE INDEX account_sessions_person ON account_sessions (person);

-- Browsers from which a person has signed in.
CREATE TABLE account_devices (
    digest TEXT PRIMARY KEY,
    person BIGINT NOT NULL,
    seen_ms BIGINT NOT NULL
);

CREATE TABLE account_tokens (
    token BIGINT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    person BIGINT NOT NULL,
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    configured TEXT NOT NULL, -- what the configuration said when it was last read; empty for others
    made_ms BIGINT NOT NULL,
    ends_ms BIGINT NOT NULL,
    used_ms BIGINT NOT NULL,
    revoked_ms BIGINT NOT NULL,
    withdrawn INTEGER NOT NULL -- 1: revoked because the configuration no longer has it
);
CREATE INDEX account_tokens_person ON account_tokens (person);

-- The audit log. Rows are never changed but for origin and salt, which are emptied when the actor is
-- forgotten: digest covers the salted digest of the origin.
CREATE TABLE account_audit (
    seq BIGINT PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    actor BIGINT NOT NULL,   -- 0: the hub, or nobody who is known
    act TEXT NOT NULL,
    subject BIGINT NOT NULL, -- the person it was done to; 0: none
    detail TEXT NOT NULL,
    origin TEXT NOT NULL,
    salt TEXT NOT NULL,
    origin_digest TEXT NOT NULL,
    digest TEXT NOT NULL
);
CREATE INDEX account_audit_actor ON account_audit (actor);

-- +goose Down

DROP TABLE account_audit;
DROP TABLE account_tokens;
DROP TABLE account_devices;
DROP TABLE account_sessions;
DROP TABLE account_codes;
DROP TABLE account_names;
DROP TABLE account_people;
DROP TABLE account_counters;
DROP TABLE account_facts;
