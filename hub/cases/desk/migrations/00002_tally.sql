-- What the pages of the city ask for every few seconds comes from an index alone: how many open
-- cases there are by cell, state, class and light, and which component events last.

-- +goose Up

CREATE INDEX cases_tally ON cases (open, cell, state, class, clock, deadline_ms, yellow_ms);
CREATE INDEX component_events_lasting ON component_events (cleared_ms, opened_ms);
