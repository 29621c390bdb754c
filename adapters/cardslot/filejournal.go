package cardslot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"citygrid/internal/durable"
	"citygrid/schemas"
)

// State is how far a record is.
type State string

// The states.
const (
	PendingState   State = "pending"
	CommittedState State = "committed"
	DroppedState   State = "dropped"
)

// Settled is a record that has come to its end, until it is forgotten.
type Settled struct {
	Record
	State  State  `json:"state"`
	Reason string `json:"reason"` // why it was dropped
}

// FileJournal is a Journal in one file, which is replaced as a whole with each
// change: a power cut leaves the old content or the new one. Settled records stay
// until Forget, so that their entries reach the spool even if the process ends
// in between, and so that an order that comes twice is recognised.
type FileJournal struct {
	path    string
	write   func(path string, data []byte, perm fs.FileMode) error
	unlock  func() error
	records []Settled
}

// journalFile is the content of the file.
type journalFile struct {
	Version int       `json:"version"`
	Records []Settled `json:"records"`
}

const journalVersion = 1

// OpenJournal reads the journal at path; an absent file is an empty one. It is
// locked until Close or the end of the process, by a file beside it: two processes
// would write over each other's records. The second one gets durable.ErrLocked.
func OpenJournal(path string) (*FileJournal, error) {
	unlock, err := durable.Lock(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("open card journal %s: %w", path, err)
	}
	j := &FileJournal{path: path, write: durable.WriteFile, unlock: unlock}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err == nil {
		j.records, err = parseJournal(data)
	}
	if err != nil {
		return nil, fmt.Errorf("open card journal %s: %w", path, errors.Join(err, unlock()))
	}
	return j, nil
}

// Close lets another process open the journal. It is not used any more then.
func (j *FileJournal) Close() error { return j.unlock() }

// parseJournal reads the content of a journal's file.
func parseJournal(data []byte) ([]Settled, error) {
	var f journalFile
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(&f)
	if err == nil && f.Version != journalVersion {
		return nil, fmt.Errorf("version %d, want %d: use the program that wrote it", f.Version, journalVersion)
	}
	if _, end := d.Token(); err == nil && end != io.EOF {
		err = errors.New("something follows the records")
	}
	if err == nil {
		err = checkRecords(f.Records)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: do not delete the file, unfinished sales may be in it; put it right or restore it from a copy", err)
	}
	return f.Records, nil
}

// checkRecords finds what only a hand can have written: the file is where a
// supervisor decides.
func checkRecords(records []Settled) error {
	ids, pending := make(map[string]bool), make(map[schemas.CardID]string)
	for i := range records {
		r := &records[i]
		switch {
		case ids[r.ID]:
			return fmt.Errorf("order %s is there twice", r.ID)
		case !slices.Contains([]State{PendingState, CommittedState, DroppedState}, r.State):
			return fmt.Errorf("order %s: state %q; want %q, %q or %q", r.ID, r.State, PendingState, CommittedState, DroppedState)
		case !slices.Contains([]Kind{Sale, Clearing, Issuing}, r.Kind):
			return fmt.Errorf("order %s: kind %q; want %q, %q or %q", r.ID, r.Kind, Sale, Clearing, Issuing)
		case r.Application.Utility() == "":
			return fmt.Errorf("order %s: no application %04X", r.ID, uint16(r.Application))
		case r.State == PendingState && pending[r.Card] != "":
			return fmt.Errorf("card %s has two pending orders, %s and %s", r.Card, pending[r.Card], r.ID)
		}
		if ids[r.ID] = true; r.State == PendingState {
			pending[r.Card] = r.ID
		}
	}
	return nil
}

// replace makes records the content, durably, or changes nothing.
func (j *FileJournal) replace(records []Settled) error {
	if err := j.store(records); err != nil {
		// The file may be the new one already and only its name not durable. What
		// is reported as not done must not be there at the next start.
		return fmt.Errorf("card journal: %w", errors.Join(err, j.store(j.records)))
	}
	j.records = records
	return nil
}

func (j *FileJournal) store(records []Settled) error {
	data, err := json.MarshalIndent(journalFile{journalVersion, records}, "", "\t")
	if err != nil {
		return err
	}
	return j.write(j.path, append(data, '\n'), 0o600)
}

// Begin implements Journal.
func (j *FileJournal) Begin(r Record) error {
	for i := range j.records {
		old := &j.records[i]
		if old.ID == r.ID {
			return fmt.Errorf("card journal: order %s is %s already: what is new needs a number of its own", r.ID, old.State)
		}
		if old.Card == r.Card && old.State == PendingState {
			return fmt.Errorf("card journal: card %s: %w: %s", r.Card, ErrPending, old.Record.String())
		}
	}
	return j.replace(append(slices.Clone(j.records), Settled{Record: r, State: PendingState}))
}

// Commit implements Journal.
func (j *FileJournal) Commit(id string) error {
	records := slices.Clone(j.records)
	r, err := settle(records, id, CommittedState, "")
	if err != nil {
		return err
	}
	for _, s := range r.Settles {
		state, reason := CommittedState, ""
		if !s.Commit {
			state, reason = DroppedState, "settled by "+id
		}
		// Another replacement of the same card may have settled it the same way.
		if slices.ContainsFunc(records, func(r Settled) bool { return r.ID == s.ID && r.State == state }) {
			continue
		}
		if _, err := settle(records, s.ID, state, reason); err != nil {
			return err
		}
	}
	return j.replace(records)
}

// Drop implements Journal.
func (j *FileJournal) Drop(id, reason string) error {
	records := slices.Clone(j.records)
	if _, err := settle(records, id, DroppedState, reason); err != nil {
		return err
	}
	return j.replace(records)
}

// settle ends one pending record.
func settle(records []Settled, id string, state State, reason string) (*Record, error) {
	i := slices.IndexFunc(records, func(r Settled) bool { return r.ID == id })
	if i < 0 || records[i].State != PendingState {
		return nil, fmt.Errorf("card journal: no pending order %s", id)
	}
	records[i].State, records[i].Reason = state, reason
	return &records[i].Record, nil
}

// Pending implements Journal.
func (j *FileJournal) Pending() ([]Record, error) {
	var pending []Record
	for _, r := range j.records {
		if r.State == PendingState {
			pending = append(pending, r.Record)
		}
	}
	return pending, nil
}

// Settled returns what has been committed or dropped and not been forgotten, the
// oldest first. The entries of committed records are to be handed on before
// Forget.
func (j *FileJournal) Settled() []Settled {
	return slices.DeleteFunc(slices.Clone(j.records), func(r Settled) bool { return r.State == PendingState })
}

// Forget drops settled records whose entries are safe elsewhere. Pending ones are
// not forgotten, nor those that a pending one settles.
func (j *FileJournal) Forget(ids ...string) error {
	kept := make(map[string]bool)
	for i := range j.records {
		if r := &j.records[i]; r.State == PendingState {
			kept[r.ID] = true
			for _, s := range r.Settles {
				kept[s.ID] = true
			}
		}
	}
	records := slices.DeleteFunc(slices.Clone(j.records), func(r Settled) bool {
		return !kept[r.ID] && slices.Contains(ids, r.ID)
	})
	return j.replace(records)
}
