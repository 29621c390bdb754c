-- A phone asks every few minutes for the open cases that its owner reported: from an index, not from
-- all of the journal.

-- +goose Up

CREATE INDEX case_entries_reports ON case_entries (person, seq) WHERE number = 1;
