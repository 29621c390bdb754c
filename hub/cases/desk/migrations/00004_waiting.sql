-- The inbox of a role sorts and counts by what a case waits for: kept beside the case, where the
-- journal of every waiting case would have to be asked for it.

-- +goose Up

ALTER TABLE cases ADD COLUMN began_ms BIGINT NOT NULL DEFAULT 0; -- when the hub received what began the state
ALTER TABLE cases ADD COLUMN answer TEXT NOT NULL DEFAULT '';    -- of checked and reported cases: yes or no

UPDATE cases AS c SET
    began_ms = COALESCE(CASE c.state
        WHEN 'reported' THEN (SELECT MAX(e.received_ms) FROM case_entries e WHERE e.case_id = c.id AND e.act = 'report')
        WHEN 'verified' THEN (SELECT MAX(e.received_ms) FROM case_entries e WHERE e.case_id = c.id AND e.act = 'answer_verify')
        WHEN 'fed_back' THEN (SELECT MAX(e.received_ms) FROM case_entries e WHERE e.case_id = c.id AND e.act = 'feed_back')
        WHEN 'checked' THEN (SELECT MAX(e.received_ms) FROM case_entries e WHERE e.case_id = c.id AND e.act = 'answer_check')
        ELSE c.since_ms END, c.since_ms),
    answer = CASE c.state
        WHEN 'checked' THEN CASE WHEN (SELECT e.body FROM case_entries e WHERE e.case_id = c.id AND e.act = 'answer_check' ORDER BY e.number DESC LIMIT 1) LIKE '%"outcome":"no"%' THEN 'no' ELSE 'yes' END
        WHEN 'reported' THEN CASE WHEN (SELECT e.body FROM case_entries e WHERE e.case_id = c.id AND e.number = 1) LIKE '%"self_handled":true%' THEN 'yes' ELSE 'no' END
        ELSE '' END
WHERE c.open = 1;

CREATE INDEX cases_waiting ON cases (open, state, began_ms, first_seq, answer, source);
CREATE INDEX cases_handled ON cases (open, state, deadline_ms, first_seq, clock);
CREATE INDEX cases_requests ON cases (request, deadline_ms, first_seq, clock) WHERE request <> '';
