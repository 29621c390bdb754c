package cardslot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"citygrid/internal/durable"
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
	records []Settled
}

// journalFile is the content of the file.
type journalFile struct {
	Version int       `json:"version"`
	Records []Settled `json:"records"`
}

const journalVersion = 1

// OpenJournal reads the journal at path; an absent file is an empty one. The
// caller sees to it that no other process has the journal open: a lock on its
// folder (durable.Lock).
func OpenJournal(path string) (*FileJournal, error) {
	j := &FileJournal{path: path, write: durable.WriteFile}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err == nil {
		j.records, err = parseJournal(data)
	}
	if err != nil {
		return nil, fmt.Errorf("open card journal %s: %w", path, err)
	}
	return j, nil
}

// parseJournal reads the content of a journal's file.
func parseJournal(data []byte) ([]Settled, error) {
	var f journalFile
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("%w: do not delete the file, unfinished sales may be in it; restore it from a copy", err)
	}
	if f.Version != journalVersion {
		return nil, fmt.Errorf("version %d, want %d: use the program that wrote it", f.Version, journalVersion)
	}
	return f.Records, nil
}

// replace makes records the content, durably, or changes nothing.
func (j *FileJournal) replace(records []Settled) error {
	data, err := json.MarshalIndent(journalFile{journalVersion, records}, "", "\t")
	if err != nil {
		return fmt.Errorf("card journal: %w", err)
	}
	if err := j.write(j.path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("card journal: %w", err)
	}
	j.records = records
	return nil
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

// Forget drops settled records whose entries are safe elsewhere. Pending ones
// cannot be forgotten.
func (j *FileJournal) Forget(ids ...string) error {
	records := slices.DeleteFunc(slices.Clone(j.records), func(r Settled) bool {
		return r.State != PendingState && slices.Contains(ids, r.ID)
	})
	return j.replace(records)
}
