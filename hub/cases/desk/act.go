package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/cases"
	"citygrid/internal/sqldb"
	"citygrid/schemas"
)

// Done is what became of an act.
type Done struct {
	Case   *cases.Case
	Number uint32 // of the entry in its case
	// Repeated says that the same upload had been taken before; nothing was changed,
	// and the rest is the answer of then.
	Repeated bool
	// Followed are the acts that the hub itself has done upon this one.
	Followed []cases.Act
}

// Submission is an act with what does not belong in the journal.
type Submission struct {
	Entry cases.Entry
	// Petitioner is who reported it; nil for none.
	Petitioner *cases.Petitioner
	// Expect is how many entries the case had when the author of an act saw it; with
	// others now the act is refused (ErrStale). 0 takes any.
	Expect uint32
}

// Act does what s says, and then what the hub does by itself. The hub's clock, the
// number, the chain and for a report the number of the case are put in here; so are
// the name of a class, of a report the cell and duty grid by its position or
// component, and of a filing the area class and the limit: what the caller says about
// these does not count. At is cut to milliseconds. An act with a ClientID that was
// taken before is answered as it was then. The error is a *schemas.FieldError
// (perhaps several, joined), a *cases.ConflictError, ErrUnknown, ErrStale,
// ErrOtherUpload or ErrNoNumber where the database is not to blame.
func (d *Desk) Act(ctx context.Context, s Submission) (Done, error) {
	list, err := d.ActAll(ctx, []Submission{s})
	if err != nil {
		return Done{}, err
	}
	return list[0].Done, list[0].Err
}

// Result is what became of one act of several. Where Err is not nil, Done is empty
// and nothing was changed.
type Result struct {
	Done
	Err error
}

// ActAll does several acts in their order, in one transaction, as a phone sends them
// that was without network. An act that cannot be done is told in its Result and
// leaves the others alone; the error is that of the database or the registry, and
// then nothing was done.
func (d *Desk) ActAll(ctx context.Context, list []Submission) ([]Result, error) {
	out := make([]Result, len(list))
	err := d.change(ctx, func(w *work) error {
		for n := range list {
			done, err := w.submit(ctx, &list[n])
			var no *refusedError
			switch {
			case errors.As(err, &no):
				out[n] = Result{Err: no.error}
			case err != nil:
				return err
			default:
				out[n] = Result{Done: done}
			}
		}
		return nil
	})
	if err != nil {
		return nil, sqldb.Explain("write to the cases", err)
	}
	return out, nil
}

// change runs do as the only writer, and tells of new entries. SQLite has one writer;
// on PostgreSQL the row of the counter makes writers queue, so that no two of them
// prepare the same number of one case, and entries are numbered in the order of
// commit.
func (d *Desk) change(ctx context.Context, do func(w *work) error) error {
	w := &work{d: d}
	err := d.db.Change(ctx, func(tx bun.Tx) error {
		w.tx = tx
		if !d.db.SQLite() {
			if _, err := tx.NewRaw("SELECT last FROM case_counters WHERE name = 'entry' FOR UPDATE").Exec(ctx); err != nil {
				return err
			}
		}
		return do(w)
	})
	if err == nil {
		d.tell(w.seq)
	}
	return err
}

// refusedError is a fault of the caller, or of the case as it is: nothing has been
// written for the act. Every other error undoes the transaction.
type refusedError struct{ error }

// Unwrap returns what is told to the caller.
func (e *refusedError) Unwrap() error { return e.error }

func refuse(err error) error {
	if err == nil {
		return nil
	}
	return &refusedError{err}
}

func refused(err error) bool {
	var no *refusedError
	return errors.As(err, &no)
}

// work is acts in a transaction.
type work struct {
	d   *Desk
	tx  bun.Tx
	seq int64 // of the last entry written
}

func (w *work) exec(ctx context.Context, query string, args ...any) error {
	_, err := w.tx.NewRaw(query, args...).Exec(ctx)
	return err
}

// submit does one submission.
func (w *work) submit(ctx context.Context, s *Submission) (Done, error) {
	e := s.Entry
	e.At = e.At.UTC().Truncate(time.Millisecond)
	if err := w.d.wellFormed(&e, s.Petitioner); err != nil {
		return Done{}, refuse(err)
	}
	content := e.Content()
	if e.ClientID != "" {
		if done, found, err := w.repeated(ctx, &e, content, s.Petitioner); err != nil || found {
			return done, err
		}
	}
	c, err := w.load(ctx, e.Case)
	if err != nil {
		return Done{}, err
	}
	if s.Expect != 0 && c.Entries != s.Expect {
		return Done{}, refuse(fmt.Errorf("case %s has %d entries now: %w", c.ID, c.Entries, ErrStale))
	}
	if e.Act == cases.ActReport {
		if err := w.fillReport(ctx, &e, s.Petitioner); err != nil {
			return Done{}, err
		}
	}
	if err := w.put(ctx, c, &e); err != nil {
		return Done{}, err
	}
	if err := w.keepPetitioner(ctx, c.ID, s.Petitioner); err != nil {
		return Done{}, err
	}
	followed, err := w.automate(ctx, c)
	if err == nil {
		err = w.closed(ctx, c)
	}
	if err != nil {
		return Done{}, err
	}
	if e.ClientID != "" {
		err = w.exec(ctx, "INSERT INTO case_uploads (client_id, content, case_id, number, last) VALUES (?, ?, ?, ?, ?)",
			e.ClientID, content, string(c.ID), e.Number, c.Entries)
	}
	return Done{Case: c, Number: e.Number, Followed: followed}, err
}

// wellFormed reports all that is wrong in what the caller sent, whatever the case is
// like: the registry is asked about nothing else than what is right. The hub's own
// part stands in for itself.
func (d *Desk) wellFormed(e *cases.Entry, p *cases.Petitioner) error {
	trial, now := *e, d.now()
	trial.Number, trial.Previous, trial.ReceivedAt, trial.CountsAt = 1, "", now, now
	if e.At.IsZero() {
		trial.At = now
	}
	var first error
	switch {
	case e.Act == cases.ActReport:
		trial.Case, first = "0", wellReported(&trial, e.Case, p)
	case p != nil:
		first = &schemas.FieldError{Field: "petitioner", Problem: fmt.Sprintf("given with %s; only a report has one", e.Act)}
	case e.Filing != nil:
		f := *e.Filing
		f.AreaClass, f.Limit = "", cases.Limit{}
		if f.Condition == "" {
			f.Condition = "-"
		}
		if f.Cell == "" && f.NoCell == "" {
			f.NoCell = "-"
		}
		trial.Filing = &f
	case e.Classification != nil:
		k := *e.Classification
		k.ClassName = "-"
		trial.Classification = &k
	}
	return errors.Join(first, trial.Validate())
}

// wellReported puts the hub's part into the trial of a report.
func wellReported(trial *cases.Entry, given cases.CaseID, p *cases.Petitioner) error {
	var first error
	if given != "" {
		first = &schemas.FieldError{Field: "case", Problem: "given; the number of a new case is the hub's"}
	}
	if p != nil {
		first = errors.Join(first, p.Validate())
	}
	if trial.Report == nil {
		return first
	}
	r := *trial.Report
	trial.Report = &r
	if r.PetitionerSM3 != "" {
		first = errors.Join(first, &schemas.FieldError{Field: "report.petitioner_sm3", Problem: "given; the hub makes it of the petitioner's data"})
	}
	if p != nil {
		r.PetitionerSM3 = p.Digest()
	}
	r.ClassName, r.Cell, r.Duty = "-", "", ""
	if r.Location == "" && r.Component != "" {
		r.Location = "-" // the registry may know
	}
	return first
}

// repeated looks whether the upload has been taken before, and answers as then.
func (w *work) repeated(ctx context.Context, e *cases.Entry, content string, p *cases.Petitioner) (Done, bool, error) {
	var held, id string
	var number, last uint32
	err := w.tx.NewRaw("SELECT content, case_id, number, last FROM case_uploads WHERE client_id = ?", e.ClientID).Scan(ctx, &held, &id, &number, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return Done{}, false, nil
	}
	if err != nil {
		return Done{}, false, err
	}
	entries, err := journal(ctx, w.tx, cases.CaseID(id))
	if err != nil {
		return Done{}, false, err
	}
	if len(entries) < int(last) {
		return Done{}, false, fmt.Errorf("case %s has %d entries, upload %s was answered with %d; restore the database from the back-up", id, len(entries), e.ClientID, last)
	}
	c, err := cases.Fold(entries[:last])
	if err != nil {
		return Done{}, false, err
	}
	same := held == content
	if same && e.Act == cases.ActReport {
		if same, err = w.samePetitioner(ctx, c, p); err != nil {
			return Done{}, false, err
		}
	}
	if !same {
		return Done{}, true, refuse(fmt.Errorf("client id %s: %w", e.ClientID, ErrOtherUpload))
	}
	done := Done{Case: c, Number: number, Repeated: true}
	for n := number; n < last; n++ {
		done.Followed = append(done.Followed, entries[n].Act)
	}
	return done, true, nil
}

// samePetitioner compares the data, because the salt may be drawn anew. Data that have
// been deleted are like any.
func (w *work) samePetitioner(ctx context.Context, c *cases.Case, p *cases.Petitioner) (bool, error) {
	if p == nil || c.Report.PetitionerSM3 == "" {
		return p == nil && c.Report.PetitionerSM3 == "", nil
	}
	held, err := petitioner(ctx, w.tx, c.ID)
	if err != nil || held == nil {
		return true, err
	}
	held.Salt = p.Salt
	return *held == *p, nil
}

func (w *work) keepPetitioner(ctx context.Context, id cases.CaseID, p *cases.Petitioner) error {
	if p == nil {
		return nil
	}
	return w.exec(ctx, "INSERT INTO petitioners (case_id, sm3, name, phone, email, salt) VALUES (?, ?, ?, ?, ?, ?)",
		string(id), p.Digest(), p.Name, p.Phone, p.Email, p.Salt)
}
