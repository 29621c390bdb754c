package enrolment

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	brokerconfig "citygrid/broker-config"
	"citygrid/internal/durable"
	"citygrid/internal/secret"
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

// Init makes the folder: the hub's account at the broker, and a master key
// sealed by the passphrase. It replaces no master key. The key is written last,
// so that an Init that was cut short can be run again.
func (f Folder) Init(tenant string, passphrase secret.Secret, rounds int) error {
	master, err := seal.NewMaster(tenant, 1, rand.Reader)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return fmt.Errorf("key folder: %w", err)
	}
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Lstat(f.Master()); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already, and every collector's key depends on it: it is not replaced; give --dir another folder", f.Master())
	}
	if err := f.makeHubAccount(); err != nil {
		return err
	}
	return seal.WriteMaster(f.Master(), master, passphrase, rounds)
}

// lock keeps two commands from changing the enrolment list at once.
func (f Folder) lock() (unlock func(), err error) {
	release, err := durable.Lock(filepath.Join(string(f), "lock"))
	if err != nil {
		return nil, fmt.Errorf("key folder %s: %w", f, err)
	}
	return func() { _ = release() }, nil // the end of the process releases it too
}

// makeHubAccount draws the hub's password for the broker.
func (f Folder) makeHubAccount() error {
	list, err := Load(f.List())
	if err != nil {
		return err
	}
	password := brokerconfig.NewPassword()
	hash, err := brokerconfig.HashPassword(password)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(f.HubPassword(), []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("the hub's broker password: %w", err)
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
	// Renew gives a collector that is enrolled already, or was revoked, a new
	// key; its old one is refused from then on.
	Renew bool
}

// Issue enrols a collector and writes its bundle. It returns the key
// generation. The bundle is written first: one that is not enrolled opens
// nothing.
func (f Folder) Issue(master *seal.Master, r Request) (generation uint16, err error) {
	unlock, err := f.lock()
	if err != nil {
		return 0, err
	}
	defer unlock()
	list, err := Load(f.List())
	if err != nil {
		return 0, err
	}
	entry, err := list.next(master, r)
	if err != nil {
		return 0, err
	}
	bundle, err := seal.Issue(master, r.Area, r.Collector, uint8(entry.Generation), rand.Reader)
	if err != nil {
		return 0, err
	}
	if entry.BrokerHash, err = brokerconfig.HashPassword(string(bundle.BrokerPassword.Reveal())); err != nil {
		return 0, err
	}
	if err := seal.WriteBundle(r.Bundle, bundle); err != nil {
		return 0, err
	}
	list.Put(entry)
	if err := list.Save(f.List()); err != nil {
		return 0, errors.Join(err, os.Remove(r.Bundle))
	}
	return entry.Generation, nil
}

// Revoke shuts a collector out until it is issued a new key. One that is
// revoked already stays so.
func (f Folder) Revoke(id schemas.CollectorID) error {
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	list, err := Load(f.List())
	if err != nil {
		return err
	}
	entry, ok := list.Find(id)
	if !ok {
		return fmt.Errorf("revoke: no collector %q in %s", id, f.List())
	}
	entry.Revoked = true
	list.Put(entry)
	return list.Save(f.List())
}

// next returns the entry that r asks for, without its broker hash.
func (l *List) next(master *seal.Master, r Request) (Collector, error) {
	entry := Collector{ID: r.Collector, Area: r.Area, Generation: seal.Generation(master.Generation, 0), Note: r.Note}
	if err := entry.validate(); err != nil {
		return entry, err
	}
	known, ok := l.Find(r.Collector)
	switch {
	case !ok:
		return entry, nil
	case !r.Renew && known.Revoked:
		return entry, fmt.Errorf("collector %s was revoked; --renew gives it a new key and lets it in again", r.Collector)
	case !r.Renew:
		return entry, fmt.Errorf("collector %s is enrolled already; --renew gives it a new key", r.Collector)
	case uint8(known.Generation) == 255:
		return entry, fmt.Errorf("collector %s has used up its 256 keys: give it another id", r.Collector)
	}
	entry.Generation = seal.Generation(master.Generation, uint8(known.Generation)+1)
	if entry.Note == "" {
		entry.Note = known.Note
	}
	return entry, nil
}

// Access says what each enrolled collector and the hub may do at the broker. A
// revoked collector has no account.
// areas are those that the hub serves; none means all.
func (l *List) Access(areas []schemas.AreaCode) (*brokerconfig.Access, error) {
	if l.HubUser == "" {
		return nil, errors.New("the enrolment names no account for the hub; citygrid keys init makes it")
	}
	access := &brokerconfig.Access{Users: []brokerconfig.User{brokerconfig.HubUser(l.HubUser, areas, l.HubHash)}}
	for _, c := range l.Collectors {
		if !c.Revoked {
			access.Users = append(access.Users, brokerconfig.CollectorUser(c.Area, c.ID, c.BrokerHash))
		}
	}
	return access, nil
}
