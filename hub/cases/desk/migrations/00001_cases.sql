-- Cases and what comes to them. One text for SQLite and PostgreSQL, as in the books: BIGINT for
-- moments (milliseconds since 1970 UTC, 0 for none) and numbers, INTEGER for small ones and flags,
-- TEXT for codes and ids. Positions are whole 1e-7 degrees (about 1 cm); there is no REAL column.

-- +goose Up

-- Numbers are given out here, inside the transaction that uses them: their order is that of commit.
CREATE TABLE case_counters (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO case_counters (name, last) VALUES ('entry', 0);

-- The journal. body is the canonical JSON of an entry; the other columns repeat parts of it for
-- finding. Rows are never changed.
CREATE TABLE case_entries (
    seq BIGINT PRIMARY KEY,
    case_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    act TEXT NOT NULL,
    role TEXT NOT NULL,
    person TEXT NOT NULL,
    department TEXT NOT NULL,
    received_ms BIGINT NOT NULL,
    state TEXT NOT NULL, -- of the case after it
    body TEXT NOT NULL,
    UNIQUE (case_id, number)
);

-- What the journal comes to, for lists. Every column follows from the journal.
CREATE TABLE cases (
    id TEXT PRIMARY KEY,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    state TEXT NOT NULL,
    open INTEGER NOT NULL,
    since_ms BIGINT NOT NULL,
    reported_ms BIGINT NOT NULL,
    ended_ms BIGINT NOT NULL,
    source TEXT NOT NULL,
    urgency TEXT NOT NULL,
    class TEXT NOT NULL,
    class_name TEXT NOT NULL,
    condition_key TEXT NOT NULL,
    component TEXT NOT NULL,
    event TEXT NOT NULL,
    description TEXT NOT NULL,
    location TEXT NOT NULL,
    lon_e7 BIGINT NOT NULL, -- 0 and 0: not known
    lat_e7 BIGINT NOT NULL,
    cell TEXT NOT NULL,
    duty TEXT NOT NULL,
    handler TEXT NOT NULL,
    inspector TEXT NOT NULL, -- who is sent to verify or check now
    request TEXT NOT NULL,
    reworks INTEGER NOT NULL,
    duplicate_of TEXT NOT NULL,
    -- the clock of handling: deadline_ms is 0 while there is no limit or the clock stands; yellow_ms is
    -- when 80 % of the limit are used, and 0 unless the clock runs
    clock TEXT NOT NULL, -- none, running, stopped, met, missed
    yellow_ms BIGINT NOT NULL,
    deadline_ms BIGINT NOT NULL,
    entries INTEGER NOT NULL,
    head TEXT NOT NULL
);
-- Lists go by first_seq, the latest first.
CREATE UNIQUE INDEX cases_order ON cases (first_seq);
CREATE INDEX cases_state ON cases (state, first_seq);
CREATE INDEX cases_open ON cases (open, first_seq);
CREATE INDEX cases_cell ON cases (cell, first_seq);
CREATE INDEX cases_light ON cases (open, clock, deadline_ms, yellow_ms, first_seq);
CREATE INDEX cases_source ON cases (source, first_seq);
CREATE INDEX cases_place ON cases (lat_e7, lon_e7, first_seq);
CREATE INDEX cases_reported ON cases (reported_ms, first_seq);
CREATE INDEX cases_component ON cases (component, first_seq) WHERE component <> '';
CREATE INDEX cases_handler ON cases (handler, first_seq) WHERE handler <> '';
CREATE INDEX cases_inspector ON cases (inspector, first_seq) WHERE inspector <> '';
CREATE INDEX cases_request ON cases (request, first_seq) WHERE request <> '';

-- Which departments a case has been sent to and that have not given it back, whoever has taken it.
-- open and first_seq are those of the case, so that a department's list comes out of an index.
CREATE TABLE case_sent (
    case_id TEXT NOT NULL REFERENCES cases (id),
    department TEXT NOT NULL,
    open INTEGER NOT NULL,
    first_seq BIGINT NOT NULL,
    PRIMARY KEY (case_id, department)
);
CREATE INDEX case_sent_all ON case_sent (department, first_seq);
CREATE INDEX case_sent_open ON case_sent (department, open, first_seq);

-- Uploads by the id that the client gave them. The answer was entry number, and what the hub did upon
-- it up to entry last.
CREATE TABLE case_uploads (
    client_id TEXT PRIMARY KEY,
    content TEXT NOT NULL,
    case_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    last INTEGER NOT NULL
);

-- Serials of case numbers, by everything else in the number.
CREATE TABLE case_serials (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);

-- Personal data of petitioners, apart from the journal; a row may be deleted.
CREATE TABLE petitioners (
    case_id TEXT PRIMARY KEY,
    sm3 TEXT NOT NULL,
    name TEXT NOT NULL,
    phone TEXT NOT NULL,
    email TEXT NOT NULL,
    salt TEXT NOT NULL
);

-- Media that were taken, by the digest of what is kept.
CREATE TABLE case_media (
    sm3 TEXT PRIMARY KEY,
    original TEXT NOT NULL,
    kind TEXT NOT NULL,
    type TEXT NOT NULL,
    size BIGINT NOT NULL,
    taken_ms BIGINT NOT NULL,
    lon_e7 BIGINT NOT NULL,
    lat_e7 BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    at_ms BIGINT NOT NULL
);
CREATE INDEX case_media_original ON case_media (original);

-- Component events from collectors, each with the case that it led to; and of kind cell_outage the
-- hub's own, one for each case of an outage.
CREATE TABLE component_events (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    collector TEXT NOT NULL,
    meter TEXT NOT NULL,
    component TEXT NOT NULL,
    line TEXT NOT NULL,
    subject TEXT NOT NULL, -- component, else meter, else collector/line; of an outage cell/CODE
    since_ms BIGINT NOT NULL,
    opened_ms BIGINT NOT NULL, -- 0: only its end is known so far
    cleared_ms BIGINT NOT NULL,
    received_ms BIGINT NOT NULL,
    due_ms BIGINT NOT NULL, -- when it becomes a case unless it clears before; 0: decided
    affected INTEGER NOT NULL,
    note TEXT NOT NULL,
    cell TEXT NOT NULL,
    lon_e7 BIGINT NOT NULL,
    lat_e7 BIGINT NOT NULL,
    case_id TEXT NOT NULL, -- empty: none yet, or none at all
    outcome TEXT NOT NULL -- waiting, case, joined, passed
);
CREATE INDEX component_events_due ON component_events (outcome, due_ms);
CREATE INDEX component_events_subject ON component_events (subject, kind, opened_ms);
CREATE INDEX component_events_case ON component_events (case_id);
CREATE INDEX component_events_cell ON component_events (cell, kind, outcome);
CREATE INDEX component_events_place ON component_events (kind, lat_e7, opened_ms);

-- How far each reader of the journal has come, and what was given up.
CREATE TABLE feed_cursors (
    target TEXT PRIMARY KEY,
    seq BIGINT NOT NULL
);
CREATE TABLE feed_given_up (
    target TEXT NOT NULL,
    seq BIGINT NOT NULL,
    reason TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (target, seq)
);
