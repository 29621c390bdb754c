package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"citygrid/hub/cases"
	"citygrid/internal/sqldb"
)

// journal reads the entries of a case, in order.
func journal(ctx context.Context, db bun.IDB, id cases.CaseID) ([]cases.Entry, error) {
	var bodies []string
	if err := db.NewRaw("SELECT body FROM case_entries WHERE case_id = ? ORDER BY number", string(id)).Scan(ctx, &bodies); err != nil {
		return nil, err
	}
	return decode(string(id), bodies)
}

func decode(id string, bodies []string) ([]cases.Entry, error) {
	entries := make([]cases.Entry, len(bodies))
	for n, body := range bodies {
		e, err := cases.DecodeEntry([]byte(body))
		if err != nil {
			return nil, fmt.Errorf("entry %d of case %s in the journal: %w; restore the database from the back-up", n+1, id, err)
		}
		entries[n] = *e
	}
	return entries, nil
}

// folded reads the journal of a case, and what it comes to. An error is about this
// case alone, and nothing that others wait for.
func folded(id string, bodies []string) (*cases.Case, []cases.Entry, error) {
	c, entries, err := cases.Read(bodies)
	if err != nil {
		return nil, nil, fmt.Errorf("case %s: %w; restore the database from the back-up", id, err)
	}
	return c, entries, nil
}

// bodies reads the journals of several cases with one query.
func bodies(ctx context.Context, db bun.IDB, ids []string) (map[string][]string, error) {
	var rows []struct{ CaseID, Body string }
	if len(ids) > 0 {
		err := db.NewRaw("SELECT case_id, body FROM case_entries WHERE case_id IN (?) ORDER BY case_id, number", bun.List(ids)).Scan(ctx, &rows)
		if err != nil {
			return nil, err
		}
	}
	out := make(map[string][]string, len(ids))
	for _, r := range rows {
		out[r.CaseID] = append(out[r.CaseID], r.Body)
	}
	return out, nil
}

// Case returns a case as it is, or ErrUnknown.
func (d *Desk) Case(ctx context.Context, id cases.CaseID) (*cases.Case, error) {
	entries, err := d.Journal(ctx, id)
	if err != nil {
		return nil, err
	}
	return cases.Fold(entries)
}

// Journal returns what was done in a case, or ErrUnknown.
func (d *Desk) Journal(ctx context.Context, id cases.CaseID) ([]cases.Entry, error) {
	entries, err := journal(ctx, d.db.Read, id)
	if err != nil {
		return nil, sqldb.Explain("read the case", err)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("case %.60q: %w", string(id), ErrUnknown)
	}
	return entries, nil
}

// Journals hands on every case with its journal, in the order of their first entries,
// for indicators and exports; cases that arrive meanwhile may be among them. Some
// hundred are in memory at a time. keep stops it with an error, which is returned as
// it is.
func (d *Desk) Journals(ctx context.Context, keep func(c *cases.Case, entries []cases.Entry) error) error {
	const atOnce = 200
	for after := int64(0); ; {
		var rows []caseRow
		err := d.db.Read.NewSelect().Model(&rows).Column("id", "first_seq").Where("first_seq > ?", after).Order("first_seq").Limit(atOnce).Scan(ctx)
		if err != nil || len(rows) == 0 {
			return sqldb.Explain("read journals", err)
		}
		ids := make([]string, len(rows))
		for n := range rows {
			ids[n] = rows[n].ID
		}
		all, err := bodies(ctx, d.db.Read, ids)
		if err != nil {
			return sqldb.Explain("read journals", err)
		}
		for n := range rows {
			c, entries, err := folded(rows[n].ID, all[rows[n].ID])
			if err == nil && len(entries) == 0 {
				err = fmt.Errorf("read journals: case %s has none; restore the database from the back-up", rows[n].ID)
			}
			if err != nil {
				return err
			}
			if err := keep(c, entries); err != nil {
				return err
			}
		}
		after = rows[len(rows)-1].FirstSeq
	}
}

// Petitioner returns who reported a case; nil where nobody is named, or the data have
// been deleted.
func (d *Desk) Petitioner(ctx context.Context, id cases.CaseID) (*cases.Petitioner, error) {
	p, err := petitioner(ctx, d.db.Read, id)
	return p, sqldb.Explain("read the petitioner", err)
}

func petitioner(ctx context.Context, db bun.IDB, id cases.CaseID) (*cases.Petitioner, error) {
	var p cases.Petitioner
	err := db.NewRaw("SELECT name, phone, email, salt FROM petitioners WHERE case_id = ?", string(id)).Scan(ctx, &p.Name, &p.Phone, &p.Email, &p.Salt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &p, err
}

// Forget deletes the personal data of a case's petitioner. The journal keeps their
// digest, which tells nothing.
func (d *Desk) Forget(ctx context.Context, id cases.CaseID) error {
	_, err := d.db.Write.NewRaw("DELETE FROM petitioners WHERE case_id = ?", string(id)).Exec(ctx)
	return sqldb.Explain("delete the petitioner's data", err)
}
