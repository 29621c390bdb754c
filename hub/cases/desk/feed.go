package desk

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/cases"
	"citygrid/internal/sqldb"
)

// FeedEntry is an entry with its place in the journal of all cases.
type FeedEntry struct {
	Seq   int64
	State cases.State // of the case after it
	Entry cases.Entry
}

// Feed returns up to limit entries after a number, 1 to 1,000, in the order in which
// the hub took them. None comes later with a smaller number.
func (d *Desk) Feed(ctx context.Context, after int64, limit int) ([]FeedEntry, error) {
	var rows []struct {
		Seq         int64
		State, Body string
	}
	err := d.db.Read.NewRaw("SELECT seq, state, body FROM case_entries WHERE seq > ? ORDER BY seq LIMIT ?", after, min(max(limit, 1), 1000)).Scan(ctx, &rows)
	if err != nil {
		return nil, sqldb.Explain("read the journal", err)
	}
	out := make([]FeedEntry, len(rows))
	for n, r := range rows {
		e, err := cases.DecodeEntry([]byte(r.Body))
		if err != nil && n > 0 {
			return out[:n], nil // what comes before it is told all the same
		}
		if err != nil {
			return nil, fmt.Errorf("entry %d of the journal: %w; restore the database from the back-up", r.Seq, err)
		}
		out[n] = FeedEntry{r.Seq, cases.State(r.State), *e}
	}
	return out, nil
}

// Cursor returns how far a reader of the feed has come. One that was never seen begins
// behind the newest entry, and is remembered there.
func (d *Desk) Cursor(ctx context.Context, target string) (seq int64, err error) {
	err = d.db.Read.NewRaw("SELECT seq FROM feed_cursors WHERE target = ?", target).Scan(ctx, &seq)
	if !errors.Is(err, sql.ErrNoRows) {
		return seq, sqldb.Explain("read a cursor", err)
	}
	// Another one may make it at the same time: the first stays.
	err = d.db.Change(ctx, func(tx bun.Tx) error {
		_, err := tx.NewRaw("INSERT INTO feed_cursors (target, seq) SELECT ?, COALESCE(MAX(seq), 0) FROM case_entries WHERE true ON CONFLICT (target) DO NOTHING", target).Exec(ctx)
		if err != nil {
			return err
		}
		return tx.NewRaw("SELECT seq FROM feed_cursors WHERE target = ?", target).Scan(ctx, &seq)
	})
	return seq, sqldb.Explain("make a cursor", err)
}

// Move moves a cursor forward, never back. A reason that is not empty is kept: the
// entry was given up.
func (d *Desk) Move(ctx context.Context, target string, seq int64, givenUp string) error {
	err := d.db.Change(ctx, func(tx bun.Tx) error {
		_, err := tx.NewRaw("INSERT INTO feed_cursors (target, seq) VALUES (?, ?) ON CONFLICT (target) DO UPDATE SET seq = EXCLUDED.seq WHERE feed_cursors.seq < EXCLUDED.seq",
			target, seq).Exec(ctx)
		if err != nil || givenUp == "" {
			return err
		}
		_, err = tx.NewRaw("INSERT INTO feed_given_up (target, seq, reason, at_ms) VALUES (?, ?, ?, ?) ON CONFLICT (target, seq) DO NOTHING",
			target, seq, givenUp, millis(d.now())).Exec(ctx)
		return err
	})
	return sqldb.Explain("move a cursor", err)
}

// Undelivered is an entry that a target of the feed did not take.
type Undelivered struct {
	Target string
	Seq    int64
	Reason string
	At     time.Time
}

// GivenUp lists what targets did not take, the latest first, 1 to 1,000 of them.
func (d *Desk) GivenUp(ctx context.Context, limit int) ([]Undelivered, error) {
	var rows []struct {
		Target string
		Seq    int64
		Reason string
		AtMs   int64
	}
	err := d.db.Read.NewRaw("SELECT target, seq, reason, at_ms FROM feed_given_up ORDER BY at_ms DESC, seq DESC LIMIT ?", min(max(limit, 1), 1000)).Scan(ctx, &rows)
	if err != nil {
		return nil, sqldb.Explain("list what was given up", err)
	}
	out := make([]Undelivered, len(rows))
	for n, r := range rows {
		out[n] = Undelivered{r.Target, r.Seq, r.Reason, moment(r.AtMs)}
	}
	return out, nil
}

// Public is the JSON form of a feed entry for other programs: the entry in its
// canonical form, which holds no personal data of petitioners and of which the digest
// can be made, and the state after it.
func (f *FeedEntry) Public() ([]byte, error) {
	entry, err := f.Entry.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // the canonical form has none
	err = enc.Encode(struct {
		Type  string          `json:"type"`
		Seq   int64           `json:"seq"`
		State cases.State     `json:"state"`
		Entry json.RawMessage `json:"entry"`
	}{f.Type(), f.Seq, f.State, entry})
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// Type names what happened, such as "case.close".
func (f *FeedEntry) Type() string { return "case." + string(f.Entry.Act) }
