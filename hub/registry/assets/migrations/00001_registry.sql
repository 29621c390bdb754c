-- The asset register. One text for SQLite and PostgreSQL, as in the books: BIGINT for moments
-- (milliseconds since 1970 UTC, 0 for none) and numbers, INTEGER for small ones and flags, TEXT for
-- codes, ids and lists (joined by semicolons), BYTEA for bytes. Positions are whole 1e-7 degrees of
-- CGCS2000 (about 1 cm), shapes whole 1e-9 degrees (shape.go). There is no REAL column.
--
-- Nothing here refers to anything by a foreign key that deletes: rows are added, and given an end.

-- +goose Up

-- Numbers are given out here, inside the transaction that uses them: their order is that of commit.
CREATE TABLE registry_counters (
    name TEXT PRIMARY KEY,
    last BIGINT NOT NULL
);
INSERT INTO registry_counters (name, last) VALUES ('import', 0);

-- What was imported, a row a file.
CREATE TABLE registry_imports (
    id BIGINT PRIMARY KEY,
    kind TEXT NOT NULL,
    file TEXT NOT NULL,
    sm3 TEXT NOT NULL,
    settings TEXT NOT NULL, -- digest of how it was read: reference system, mapping, standard, characters
    bytes BIGINT NOT NULL,
    crs TEXT NOT NULL,
    mapping TEXT NOT NULL,
    standard TEXT NOT NULL,
    records BIGINT NOT NULL,
    added BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    unchanged BIGINT NOT NULL,
    unlocated BIGINT NOT NULL,
    warnings BIGINT NOT NULL,
    by_whom TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    reason TEXT NOT NULL -- of corrections; empty for an ordinary import
);
CREATE INDEX registry_imports_sm3 ON registry_imports (sm3);

-- The files as they were: parts of 1 MiB each, gzip. A Shapefile has several names.
CREATE TABLE registry_raw (
    import BIGINT NOT NULL,
    name TEXT NOT NULL,
    part INTEGER NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (import, name, part)
);

CREATE TABLE registry_areas (
    code TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    shape BYTEA NOT NULL, -- empty where nobody gave one
    from_ms BIGINT NOT NULL,
    to_ms BIGINT NOT NULL,
    import BIGINT NOT NULL -- the last that changed the row, here and below
);

CREATE TABLE registry_cells (
    code TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    shape BYTEA NOT NULL,
    area_m2 BIGINT NOT NULL,
    duty TEXT NOT NULL,
    from_ms BIGINT NOT NULL,
    to_ms BIGINT NOT NULL,
    import BIGINT NOT NULL
);

CREATE TABLE registry_duties (
    code TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    inspectors TEXT NOT NULL,
    import BIGINT NOT NULL
);

CREATE TABLE registry_departments (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    classes TEXT NOT NULL,
    phone TEXT NOT NULL,
    import BIGINT NOT NULL
);

CREATE TABLE registry_people (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    department TEXT NOT NULL,
    duty TEXT NOT NULL,
    disabled INTEGER NOT NULL,
    import BIGINT NOT NULL
);

CREATE TABLE registry_components (
    id TEXT PRIMARY KEY,
    class TEXT NOT NULL,
    class_name TEXT NOT NULL,
    name TEXT NOT NULL,
    lon_e7 BIGINT NOT NULL, -- 0 and 0: not known
    lat_e7 BIGINT NOT NULL,
    radius_mm BIGINT NOT NULL,
    tile BIGINT NOT NULL, -- the hundredth of a degree that it is in; -1: not known
    accuracy TEXT NOT NULL,
    cell TEXT NOT NULL,
    state TEXT NOT NULL,
    authority TEXT NOT NULL,
    owner TEXT NOT NULL,
    upkeep TEXT NOT NULL,
    location TEXT NOT NULL,
    source TEXT NOT NULL,
    recorded_ms BIGINT NOT NULL,
    changed_ms BIGINT NOT NULL,
    note TEXT NOT NULL,
    more TEXT NOT NULL, -- JSON, empty for none
    import BIGINT NOT NULL
);
CREATE INDEX registry_components_cell ON registry_components (cell, id);
CREATE INDEX registry_components_class ON registry_components (class, id);
CREATE INDEX registry_components_tile ON registry_components (tile, id);

CREATE TABLE registry_links (
    meter TEXT NOT NULL,
    from_ms BIGINT NOT NULL,
    to_ms BIGINT NOT NULL,
    component TEXT NOT NULL,
    collector TEXT NOT NULL,
    line TEXT NOT NULL,
    import BIGINT NOT NULL,
    PRIMARY KEY (meter, from_ms)
);
CREATE INDEX registry_links_line ON registry_links (collector, line);
CREATE INDEX registry_links_component ON registry_links (component);

-- What rows were before they were changed. Rows here are never changed themselves.
CREATE TABLE registry_changes (
    kind TEXT NOT NULL,
    code TEXT NOT NULL,
    import BIGINT NOT NULL, -- that changed it
    before TEXT NOT NULL, -- JSON
    PRIMARY KEY (kind, code, import)
);
