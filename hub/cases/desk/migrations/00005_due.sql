-- What waits by the limit of handling comes out of an index in the order of an inbox: those without
-- a limit, whose deadline_ms is 0, after all others. The expression is that of package desk, letter
-- for letter; 4611686018427387904 is 2 to the power of 62.

-- +goose Up

DROP INDEX cases_handled;
DROP INDEX cases_requests;
CREATE INDEX cases_handled ON cases (open, state, (CASE deadline_ms WHEN 0 THEN 4611686018427387904 ELSE deadline_ms END), first_seq, clock, deadline_ms);
CREATE INDEX cases_requests ON cases (request, (CASE deadline_ms WHEN 0 THEN 4611686018427387904 ELSE deadline_ms END), first_seq, open, clock, deadline_ms) WHERE request <> '';
