package enrolment

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	brokerconfig "citygrid/broker-config"
	"citygrid/internal/durable"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// Folder is where the keys of a tenant are kept: the sealed master keys, the
// enrolment list, the audit log, and the hub's password for the broker.
type Folder string

// Master returns the path of the first sealed master key; MasterFile that of the
// others.
func (f Folder) Master() string { return filepath.Join(string(f), "master.key") }

// List returns the path of the enrolment list.
func (f Folder) List() string { return filepath.Join(string(f), "enrolment.yaml") }

// HubPassword returns the path of the hub's password for the broker.
func (f Folder) HubPassword() string { return filepath.Join(string(f), "hub-broker.password") }

// Check reports a folder in which there is neither a list nor a log: a wrong path, which
// Load and ReadAudit would read as one in which nothing was done yet.
func (f Folder) Check() error {
	_, noList := os.Stat(f.List())
	_, noLog := os.Stat(f.Audit())
	if noList != nil && noLog != nil {
		return fmt.Errorf("%s is no key folder: %w; citygrid keys init makes one", f, errors.Join(noList, noLog))
	}
	return nil
}

// HubUser is the hub's user name, and so its client id, at the broker.
const HubUser = "hub"

// Office is somebody who works on a key folder. Each act holds the folder's lock and
// is written down durably before it counts.
type Office struct {
	Folder
	// By is who it is: 1 to 64 characters.
	By string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// maxBy bounds Office.By, in bytes.
const maxBy = 256

// plan is what an act asks for: what is written down, and what it takes back when
// that fails, or does when the list is saved.
type plan struct {
	entries    []Entry
	undo, then func() error
}

func (o Office) now() time.Time {
	if o.Now == nil {
		o.Now = time.Now
	}
	return o.Now().UTC().Truncate(time.Second)
}

// change does one act: decide changes the list and says what to write down. Nothing
// is written for no entries.
func (o Office) change(decide func(*List) (plan, error)) error {
	if o.By == "" || len(o.By) > maxBy {
		return fmt.Errorf("the audit log wants to know who it is: 1 to %d bytes", maxBy)
	}
	unlock, err := o.lock()
	if err != nil {
		return err
	}
	defer unlock()
	list, err := Load(o.List())
	if err != nil {
		return err
	}
	p, err := decide(list)
	if err != nil || len(p.entries) == 0 {
		return err
	}
	for i := range p.entries {
		p.entries[i].At, p.entries[i].By = o.now(), o.By
	}
	if list.Audit, err = o.append(list.Audit, p.entries); err == nil {
		err = list.Save(o.List())
	}
	if err != nil && p.undo != nil {
		return errors.Join(err, p.undo())
	}
	if err == nil && p.then != nil {
		err = p.then()
	}
	return err
}

// Init makes the folder: the hub's account at the broker, and a master key sealed by
// the passphrase. It replaces no master key. The key is written last, so that an
// Init that was cut short can be run again.
func (o Office) Init(tenant string, passphrase secret.Secret, rounds int) error {
	master, err := seal.NewMaster(tenant, 1, rand.Reader)
	if err != nil {
		return err
	}
	return o.InitWith(master, func() error { return seal.WriteMaster(o.Master(), master, passphrase, rounds) })
}

// InitWith is Init for a master key that comes from elsewhere; keep writes it last,
// and does nothing for a key that a key service keeps.
func (o Office) InitWith(master *seal.Master, keep func() error) error {
	if err := os.MkdirAll(string(o.Folder), 0o700); err != nil {
		return fmt.Errorf("key folder: %w", err)
	}
	return o.change(func(list *List) (plan, error) {
		if _, err := os.Lstat(o.Master()); !errors.Is(err, fs.ErrNotExist) {
			return plan{}, fmt.Errorf("%s is there already, and every collector's key depends on it: it is not replaced; give --dir another folder", o.Master())
		}
		if len(list.Collectors) > 0 || len(list.Masters) > 0 {
			return plan{}, fmt.Errorf("%s names keys of a master key that is not here: restore it, or give --dir another folder", o.List())
		}
		if err := o.makeHubAccount(list); err != nil {
			return plan{}, err
		}
		return plan{
			entries: []Entry{{Act: ActInit, To: uint16(master.Generation), Key: seal.CheckValue(master.Secret), Note: "tenant " + master.Tenant}},
			then:    keep,
		}, nil
	})
}

// lock keeps two commands from changing the folder at once.
func (f Folder) lock() (unlock func(), err error) {
	release, err := durable.Lock(filepath.Join(string(f), "lock"))
	if err != nil {
		return nil, fmt.Errorf("key folder %s: %w", f, err)
	}
	return func() { _ = release() }, nil // the end of the process releases it too
}

// makeHubAccount draws the hub's password for the broker.
func (o Office) makeHubAccount(list *List) error {
	password := brokerconfig.NewPassword()
	hash, err := brokerconfig.HashPassword(password)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(o.HubPassword(), []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("the hub's broker password: %w", err)
	}
	list.HubUser, list.HubHash = HubUser, hash
	return nil
}

// Wrap makes the bytes of the file in which a bundle travels; nil is the bundle
// itself, which is as secret as the box. before is the generation that the collector
// had, 0 for none.
type Wrap func(b seal.Bundle, before uint16) ([]byte, error)

// Request is what Issue is asked for.
type Request struct {
	Area      schemas.AreaCode
	Collector schemas.CollectorID
	Note      string
	// Bundle is the path of the new bundle file.
	Bundle string
	// Renew gives a collector that is enrolled already, or was revoked, a new
	// key; its old ones are refused from then on.
	Renew bool
	// Wrap seals the bundle for its way to the box.
	Wrap Wrap
}

// Issued is a bundle that was written.
type Issued struct {
	Collector  schemas.CollectorID
	Generation uint16
	Bundle     string // path
	// Key is the key's check value (seal.CheckValue).
	Key string
}

// Issue enrols a collector under a key of the active master, and writes its bundle.
// The bundle is written first: one that is not enrolled opens nothing.
func (o Office) Issue(master *seal.Master, r Request) (out Issued, err error) {
	err = o.change(func(list *List) (plan, error) {
		entry, act, err := list.next(master, r)
		if err != nil {
			return plan{}, err
		}
		bundle, err := seal.Issue(master, r.Area, r.Collector, uint8(entry.Generation), rand.Reader)
		if err != nil {
			return plan{}, err
		}
		if entry.BrokerHash, err = brokerconfig.HashPassword(string(bundle.BrokerPassword.Reveal())); err != nil {
			return plan{}, err
		}
		before, _ := list.Find(r.Collector)
		if err := writeBundle(r.Bundle, bundle, before.Generation, r.Wrap); err != nil {
			return plan{}, err
		}
		list.Put(entry)
		out = Issued{r.Collector, entry.Generation, r.Bundle, seal.CheckValue(bundle.Key.Secret)}
		return plan{
			entries: []Entry{{Act: act, Collector: r.Collector, From: before.Generation, To: entry.Generation, Key: out.Key, Note: "area " + string(r.Area)}},
			undo:    func() error { return os.Remove(r.Bundle) },
		}, nil
	})
	if err != nil {
		return Issued{}, err
	}
	return out, nil
}

// writeBundle writes a new file of mode 0600.
func writeBundle(path string, b seal.Bundle, before uint16, wrap Wrap) error {
	if wrap == nil {
		return seal.WriteBundle(path, b)
	}
	if err := mustBeNew(path); err != nil {
		return err
	}
	data, err := wrap(b, before)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// mustBeNew keeps a bundle from being replaced, and finds that its folder is missing.
func mustBeNew(path string) error {
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write bundle: %s is there already: move it away first", path)
	}
	return nil
}

// Revoke shuts a collector out until it is issued a new key. One that is revoked
// already stays so.
func (o Office) Revoke(id schemas.CollectorID) error {
	return o.change(func(list *List) (plan, error) {
		entry, ok := list.Find(id)
		if !ok {
			return plan{}, fmt.Errorf("revoke: no collector %q in %s", id, o.List())
		}
		entry.Revoked = true
		list.Put(entry)
		return plan{entries: []Entry{{Act: ActRevoke, Collector: id, From: entry.Generation}}}, nil
	})
}

// next returns the entry that r asks for, without its broker hash, and what the act
// is.
func (l *List) next(master *seal.Master, r Request) (Collector, Act, error) {
	entry := Collector{ID: r.Collector, Area: r.Area, Generation: seal.Generation(master.Generation, 0), Note: r.Note}
	if err := entry.validate(); err != nil {
		return entry, "", err
	}
	if err := l.mustBeActive(master); err != nil {
		return entry, "", err
	}
	known, ok := l.Find(r.Collector)
	switch {
	case !ok:
		return entry, ActIssue, nil
	case !r.Renew && known.Revoked:
		return entry, "", fmt.Errorf("collector %s was revoked; --renew gives it a new key and lets it in again", r.Collector)
	case !r.Renew:
		return entry, "", fmt.Errorf("collector %s is enrolled already; --renew gives it a new key", r.Collector)
	}
	next, err := known.following(master)
	if err != nil {
		return entry, "", err
	}
	entry.Generation, entry.Old = known.Generation, known.Old
	entry.retire(next, Destroyed, time.Time{})
	if entry.Note == "" {
		entry.Note = known.Note
	}
	return entry, ActRenew, nil
}

// mustBeActive keeps new keys from being made of an old master key.
func (l *List) mustBeActive(master *seal.Master) error {
	if active := l.ActiveMaster(); master.Generation != active && (len(l.Masters) > 0 || len(l.Collectors) > 0) {
		return fmt.Errorf("new keys are made of master key %d, not of %d", active, master.Generation)
	}
	return nil
}

// following returns the generation after the collector's, of master.
func (c Collector) following(master *seal.Master) (uint16, error) {
	switch {
	case uint8(c.Generation>>8) < master.Generation:
		return seal.Generation(master.Generation, 0), nil
	case uint8(c.Generation) == 255:
		return 0, fmt.Errorf("collector %s has used up its 256 keys of master key %d: rotate the master key (citygrid keys rotate --master)", c.ID, master.Generation)
	}
	return c.Generation + 1, nil
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
