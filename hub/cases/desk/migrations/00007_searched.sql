-- Cases are searched without going to the table for each: SQLite takes three times as long for that
-- as for the search, and leaves the table alone while a condition can be told from the index. Not
-- for PostgreSQL, whose indexes have no room for long texts and whose tables need none.

-- +goose Up

CREATE INDEX cases_text ON cases (first_seq, search);
CREATE INDEX cases_searched ON cases (state, answer, search) WHERE open = 1;
