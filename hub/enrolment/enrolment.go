// Package enrolment is the list of collectors that a hub serves: who they are,
// which generations of their key are in which state, and the hash of their broker
// password. One file is the truth for both the hub and the broker's access
// rules. It holds no secret that opens anything.
//
// Office changes it: it makes, issues, rotates and destroys keys, and writes each
// act down before it counts (audit.jsonl). Masters are where master keys come from.
package enrolment

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"

	"go.yaml.in/yaml/v3"

	"citygrid/internal/durable"
	"citygrid/internal/strictyaml"
	"citygrid/schemas"
)

// Collector is one enrolled collector.
type Collector struct {
	ID   schemas.CollectorID `yaml:"id"`
	Area schemas.AreaCode    `yaml:"area"`
	// Generation of the active key [schemas/envelope.md].
	Generation uint16 `yaml:"generation"`
	// Old are earlier generations that were rotated, newest first. A generation
	// that is named nowhere is out of use.
	Old []OldKey `yaml:"old,omitempty"`
	// BrokerHash is the password hash for the broker (brokerconfig.HashPassword).
	BrokerHash string `yaml:"broker_hash"`
	// Revoked: neither the hub nor the broker knows this collector any more.
	// The entry stays, so that no generation is ever given twice.
	Revoked bool `yaml:"revoked,omitempty"`
	// Note is free text: where the cabinet stands, who installed it.
	Note string `yaml:"note,omitempty"`
}

// List is the file's content.
type List struct {
	// Collectors are in the order of their ids.
	Collectors []Collector `yaml:"collectors"`
	// Masters are the generations of the master key, the active one last. None:
	// there is one, the first.
	Masters []MasterKey `yaml:"masters,omitempty"`
	// Audit is the end of the audit log when this list was written.
	Audit Head `yaml:"audit,omitempty"`
	// HubUser and HubHash let the hub itself into the broker.
	HubUser string `yaml:"hub_user,omitempty"`
	HubHash string `yaml:"hub_hash,omitempty"`
}

// Load reads the file at path strictly. A file that does not exist is an empty
// list.
func Load(path string) (*List, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return &List{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read enrolment: %w", err)
	}
	l, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("enrolment %s: %w", path, err)
	}
	return l, nil
}

// Parse reads the text of an enrolment file. Unknown keys, a bad entry, an id
// that stands twice and a second document are errors.
func Parse(data []byte) (*List, error) {
	l := &List{}
	if err := strictyaml.Decode(data, l); err != nil && !errors.Is(err, strictyaml.ErrEmpty) {
		return nil, err
	}
	seen := make(map[schemas.CollectorID]bool)
	for i, c := range l.Collectors {
		if err := c.validate(); err != nil {
			return nil, fmt.Errorf("collectors[%d]: %w", i, err)
		}
		if seen[c.ID] {
			return nil, fmt.Errorf("collectors[%d]: %s is enrolled twice", i, c.ID)
		}
		seen[c.ID] = true
	}
	if err := l.checkMasters(); err != nil {
		return nil, err
	}
	l.sort()
	return l, nil
}

func (l *List) sort() { slices.SortFunc(l.Collectors, byID) }

func byID(a, b Collector) int { return cmp.Compare(a.ID, b.ID) }

// validate reports what the hub or the broker could not work with.
func (c Collector) validate() error {
	err := errors.Join(c.ID.Validate(), c.Area.Validate())
	switch {
	case err != nil:
		return err
	case c.ID == HubUser:
		return fmt.Errorf("the id %s is the hub's own account at the broker: give the collector another", c.ID)
	case c.Generation>>8 == 0:
		return fmt.Errorf("%s: generation %d: its high byte counts from 1; citygrid keys issue --renew gives a new key", c.ID, c.Generation)
	}
	return c.checkOld()
}

// Save writes the list to path durably, mode 0600.
func (l *List) Save(path string) error {
	l.sort()
	data, err := yaml.Marshal(l)
	if err != nil {
		return fmt.Errorf("write enrolment: %w", err)
	}
	if err := durable.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("write enrolment: %w", err)
	}
	return nil
}

// Find returns the collector with the given id, revoked or not.
func (l *List) Find(id schemas.CollectorID) (Collector, bool) {
	i, ok := l.at(id)
	if !ok {
		return Collector{}, false
	}
	return l.Collectors[i], true
}

func (l *List) at(id schemas.CollectorID) (int, bool) {
	return slices.BinarySearchFunc(l.Collectors, id, func(c Collector, id schemas.CollectorID) int { return cmp.Compare(c.ID, id) })
}

// Put adds c, or replaces the entry with its id.
func (l *List) Put(c Collector) {
	i, ok := l.at(c.ID)
	if ok {
		l.Collectors[i] = c
		return
	}
	l.Collectors = slices.Insert(l.Collectors, i, c)
}
