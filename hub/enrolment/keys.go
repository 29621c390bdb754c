package enrolment

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	brokerconfig "citygrid/broker-config"
	"citygrid/internal/durable"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// Folder is where the keys of a tenant are kept: the sealed master key, the
// enrolment list, and the hub's password for the broker.
type Folder string

// Master returns the path of the sealed master key.
func (f Folder) Master() string { return filepath.Join(string(f), "master.key") }

// List returns the path of the enrolment list.
func (f Folder) List() string { return filepath.Join(string(f), "enrolment.yaml") }

// HubPassword returns the path of the hub's password for the broker.
func (f Folder) HubPassword() string { return filepath.Join(string(f), "hub-broker.password") }

// HubUser is the hub's user name, and so its client id, at the broker.
const HubUser = "hub"

// Init makes the folder: a master key sealed by the passphrase, and the hub's
// account at the broker. It replaces no master key.
func (f Folder) Init(tenant string, passphrase seal.Secret, rounds int) error {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return fmt.Errorf("key folder: %w", err)
	}
	master, err := seal.NewMaster(tenant, 1, rand.Reader)
	if err != nil {
		return err
	}
	if err := seal.WriteMaster(f.Master(), master, passphrase, rounds); err != nil {
		return err
	}
	password := brokerconfig.NewPassword()
	hash, err := brokerconfig.HashPassword(password)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(f.HubPassword(), []byte(password+"\n"), 0o600); err != nil {
		return err
	}
	list, err := Load(f.List())
	if err != nil {
		return err
	}
	list.HubUser, list.HubHash = HubUser, hash
	return list.Save(f.List())
}

// Request is what Issue is asked for.
type Request struct {
	Area      schemas.AreaCode
	Collector schemas.CollectorID
	Note      string
	// Bundle is the path of the new bundle file.
	Bundle string
	// Renew gives a collector that is enrolled already a new key; its old one
	// is refused from then on.
	Renew bool
}

// Issue enrols a collector and writes its bundle. It returns the key
// generation. The bundle is written first: one that is not enrolled opens
// nothing.
func (f Folder) Issue(master *seal.Master, r Request) (generation uint16, err error) {
	if err := errors.Join(r.Collector.Validate(), r.Area.Validate()); err != nil {
		return 0, err
	}
	list, err := Load(f.List())
	if err != nil {
		return 0, err
	}
	keyVersion := uint8(0)
	if known, ok := list.Find(r.Collector); ok {
		if !r.Renew {
			return 0, fmt.Errorf("collector %s is enrolled already; --renew gives it a new key", r.Collector)
		}
		if uint8(known.Generation) == 255 {
			return 0, fmt.Errorf("collector %s has used up its 256 keys: give it another id", r.Collector)
		}
		keyVersion = uint8(known.Generation) + 1
	}
	bundle, err := seal.Issue(master, r.Area, r.Collector, keyVersion, rand.Reader)
	if err != nil {
		return 0, err
	}
	hash, err := brokerconfig.HashPassword(string(bundle.BrokerPassword.Reveal()))
	if err != nil {
		return 0, err
	}
	if err := seal.WriteBundle(r.Bundle, bundle); err != nil {
		return 0, err
	}
	list.Put(Collector{ID: r.Collector, Area: r.Area, Generation: bundle.Generation, BrokerHash: hash, Note: r.Note})
	return bundle.Generation, list.Save(f.List())
}

// Access says what each enrolled collector and the hub may do at the broker.
// areas are those that the hub serves; none means all.
func (l *List) Access(areas []schemas.AreaCode) (*brokerconfig.Access, error) {
	if l.HubUser == "" {
		return nil, errors.New("the enrolment names no account for the hub; citygrid keys init makes it")
	}
	access := &brokerconfig.Access{Users: []brokerconfig.User{brokerconfig.HubUser(l.HubUser, areas, l.HubHash)}}
	for _, c := range l.Collectors {
		access.Users = append(access.Users, brokerconfig.CollectorUser(c.Area, c.ID, c.BrokerHash))
	}
	return access, nil
}
