-- A search in the inbox looks through one text of a case: put together once, in small letters, where
-- it would be put together for every case at every search. The expression is that of package desk.

-- +goose Up

ALTER TABLE cases ADD COLUMN search TEXT NOT NULL DEFAULT '';

UPDATE cases AS c SET search = LOWER(c.id || '
' || c.class_name || '
' || c.location || '
' || c.description || '
' || c.component);
