package enrolment

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	brokerconfig "citygrid/broker-config"
	"citygrid/internal/durable"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// DefaultGrace is how long a key that was rotated opens what is still on its way. It
// is as long as a reading may be late: what a collector has kept in its spool for so
// long is taken under the key that it was sealed with.
const DefaultGrace = 90 * 24 * time.Hour

// Rotation is what Rotate is asked for.
type Rotation struct {
	Collectors []schemas.CollectorID
	// Grace is how long the old keys go on opening.
	Grace time.Duration
	// Compromised destroys the old keys at once, and gives a new broker password.
	// Nobody else's key changes.
	Compromised bool
	// Bundle returns the path of a collector's new bundle file, by the generation of
	// the key in it: with the generation in its name, none meets one of before.
	Bundle func(id schemas.CollectorID, generation uint16) string
	// Wrap seals the bundles for their way to the boxes.
	Wrap Wrap
}

// Rotate gives collectors their next key, of the active master. The box goes on under
// the old key until it has the new bundle: old keys open for the grace time, and the
// broker password stays, so that no connection ends. A bundle without a password
// replaces the one in the box by `collector enrol accept`.
//
// All collectors change or none.
func (o Office) Rotate(master *seal.Master, r Rotation) (out []Issued, err error) {
	err = o.change(func(list *List) (p plan, err error) {
		if err := list.mustBeActive(master); err != nil {
			return p, err
		}
		p.undo = func() error {
			var errs []error
			for _, done := range out {
				errs = append(errs, os.Remove(done.Bundle))
			}
			return errors.Join(errs...)
		}
		if err := r.namesOnce(); err != nil {
			return p, err
		}
		for _, id := range r.Collectors {
			entry, done, err := o.rotateOne(list, master, id, &r)
			if err != nil {
				return p, errors.Join(err, p.undo())
			}
			out, p.entries = append(out, done), append(p.entries, entry)
		}
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (o Office) rotateOne(list *List, master *seal.Master, id schemas.CollectorID, r *Rotation) (Entry, Issued, error) {
	c, err := o.rotatable(list, id)
	if err != nil {
		return Entry{}, Issued{}, err
	}
	before := c.Generation
	next, err := c.following(master)
	if err != nil {
		return Entry{}, Issued{}, err
	}
	bundle, act, err := r.bundle(master, &c, next)
	if err != nil {
		return Entry{}, Issued{}, err
	}
	note := ""
	if r.Compromised {
		c.retire(next, Destroyed, time.Time{})
	} else {
		until := o.now().Add(r.Grace)
		c.retire(next, DecryptOnly, until)
		note = "the old key opens until " + until.Format(time.RFC3339)
	}
	path := r.Bundle(id, next)
	if err := writeBundle(path, bundle, before, r.Wrap); err != nil {
		return Entry{}, Issued{}, err
	}
	list.Put(c)
	key := seal.CheckValue(bundle.Key.Secret)
	return Entry{Act: act, Collector: id, From: before, To: next, Key: key, Note: note}, Issued{id, next, path, key}, nil
}

// rotatable returns a collector that may have another key.
func (o Office) rotatable(list *List, id schemas.CollectorID) (Collector, error) {
	c, ok := list.Find(id)
	switch {
	case !ok:
		return c, fmt.Errorf("rotate: no collector %q in %s", id, o.List())
	case c.Revoked:
		return c, fmt.Errorf("rotate: collector %s is revoked; citygrid keys issue --renew lets it in again", id)
	}
	return c, nil
}

// CheckNextMaster reports what would keep Rotate from giving the collectors of r, or
// for none all that are not revoked, keys of the master key after the active one. It is
// for asking before NewMaster, which is not taken back; nothing is changed.
func (o Office) CheckNextMaster(r Rotation) error {
	list, err := Load(o.List())
	if err != nil {
		return err
	}
	if len(r.Collectors) == 0 {
		for _, c := range list.Collectors {
			if !c.Revoked {
				r.Collectors = append(r.Collectors, c.ID)
			}
		}
	}
	if err := r.namesOnce(); err != nil {
		return err
	}
	generation := seal.Generation(list.ActiveMaster()+1, 0)
	var problems []error
	for _, id := range r.Collectors {
		if _, err := o.rotatable(list, id); err != nil {
			problems = append(problems, err)
			continue
		}
		if err := mustBeNew(r.Bundle(id, generation)); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// namesOnce reports a collector that is named twice.
func (r *Rotation) namesOnce() error {
	for i, id := range r.Collectors {
		if slices.Contains(r.Collectors[:i], id) {
			return fmt.Errorf("rotate: collector %s is named twice", id)
		}
	}
	return nil
}

// bundle makes the bundle of c under generation next; a compromised box gets a new
// password, whose hash c takes.
func (r *Rotation) bundle(master *seal.Master, c *Collector, next uint16) (seal.Bundle, Act, error) {
	if !r.Compromised {
		b, err := seal.Rotate(master, c.Area, c.ID, uint8(next))
		return b, ActRotate, err
	}
	b, err := seal.Issue(master, c.Area, c.ID, uint8(next), rand.Reader)
	if err != nil {
		return b, "", err
	}
	c.BrokerHash, err = brokerconfig.HashPassword(string(b.BrokerPassword.Reveal()))
	return b, ActCompromised, err
}

// Behind returns the collectors, revoked ones left out, whose active key is not of
// the active master.
func (l *List) Behind() (ids []schemas.CollectorID) {
	active := l.ActiveMaster()
	for _, c := range l.Collectors {
		if !c.Revoked && uint8(c.Generation>>8) != active {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// NewMaster makes the next generation of the master key the active one: draw returns
// it, and has kept it where it will be found. One of the same key as those in use, have,
// is refused: it would rotate nothing. The generation before opens until it is
// destroyed. Collectors keep their keys until they are rotated.
func (o Office) NewMaster(have *seal.Ring, draw func(generation uint8) (*seal.Master, error)) (master *seal.Master, err error) {
	err = o.change(func(list *List) (plan, error) {
		before := list.ActiveMaster()
		if before == 255 {
			return plan{}, errors.New("the 255 generations of the master key are used up: begin a new tenant")
		}
		if master, err = draw(before + 1); err != nil {
			return plan{}, err
		}
		if _, err := have.With(master); err != nil {
			return plan{}, fmt.Errorf("the next master key: %w", err)
		}
		list.Masters = slices.Clone(list.MasterKeys())
		list.Masters[len(list.Masters)-1].State = DecryptOnly
		list.Masters = append(list.Masters, MasterKey{before + 1, Active})
		return plan{entries: []Entry{{
			Act: ActNewMaster, From: uint16(before), To: uint16(before) + 1, Key: seal.CheckValue(master.Secret),
		}}}, nil
	})
	return master, err
}

// DrawSealed draws master keys and seals them by the passphrase into the folder, for
// NewMaster. One that lies there and no list names is of a run that was cut short: it
// is opened again and not drawn.
func (f Folder) DrawSealed(tenant string, passphrase secret.Secret, rounds int) func(uint8) (*seal.Master, error) {
	return func(generation uint8) (*seal.Master, error) {
		path := MasterFile(f.Master(), generation)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return seal.ReadMaster(path, passphrase)
		}
		m, err := seal.NewMaster(tenant, generation, rand.Reader)
		if err != nil {
			return nil, err
		}
		return m, seal.WriteMaster(path, m, passphrase, rounds)
	}
}

// Extend gives the old keys of a collector that are not destroyed a new end, for a
// box that comes back with an old spool. It returns how many they are.
func (o Office) Extend(id schemas.CollectorID, grace time.Duration) (n int, err error) {
	err = o.change(func(list *List) (p plan, err error) {
		c, ok := list.Find(id)
		if !ok {
			return p, fmt.Errorf("extend: no collector %q in %s", id, o.List())
		}
		until := o.now().Add(grace)
		c.Old = slices.Clone(c.Old)
		for i := range c.Old {
			if c.Old[i].State == DecryptOnly {
				c.Old[i].Until = until
				p.entries = append(p.entries, Entry{Act: ActExtend, Collector: id, From: c.Old[i].Generation, Note: "until " + until.Format(time.RFC3339)})
			}
		}
		n = len(p.entries)
		list.Put(c)
		return p, nil
	})
	return n, err
}

// Destroy ends the old keys of a collector now, for a box that has nothing more under
// them. It returns how many they are.
func (o Office) Destroy(id schemas.CollectorID) (n int, err error) {
	err = o.change(func(list *List) (p plan, err error) {
		c, ok := list.Find(id)
		if !ok {
			return p, fmt.Errorf("destroy: no collector %q in %s", id, o.List())
		}
		for _, k := range c.Old {
			if k.State != Destroyed {
				p.entries = append(p.entries, Entry{Act: ActDestroy, Collector: id, From: k.Generation})
			}
		}
		n = c.destroyOld()
		list.Put(c)
		return p, nil
	})
	return n, err
}

// Users returns the collectors that need a generation of the master key now: their
// active key is of it, or an old one that still opens.
func (l *List) Users(generation uint8, now time.Time) (ids []schemas.CollectorID) {
	of := func(g uint16) bool { return uint8(g>>8) == generation }
	for _, c := range l.Collectors {
		needed := of(c.Generation) || slices.ContainsFunc(c.Old, func(k OldKey) bool { return of(k.Generation) && k.opens(now) })
		if needed && !c.Revoked {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// DestroyMaster destroys a generation of the master key that is not the active one:
// the list says so first, then erase removes the key where it is kept. It refuses
// while collectors need it, unless force says that what they have under it is given
// up. One that is destroyed already is erased again.
func (o Office) DestroyMaster(generation uint8, force bool, erase func() error) error {
	return o.change(func(list *List) (plan, error) {
		switch list.MasterState(generation) {
		case "":
			return plan{}, fmt.Errorf("destroy: there is no master key of generation %d", generation)
		case Active:
			return plan{}, fmt.Errorf("destroy: master key %d is the active one; citygrid keys rotate --master makes the next", generation)
		}
		users := list.Users(generation, o.now())
		if len(users) > 0 && !force {
			return plan{}, fmt.Errorf("destroy: %d collectors need master key %d (%s): rotate those that are behind, and wait for the end of their old keys, or end them with citygrid keys destroy --collector; --force gives up what they have under it",
				len(users), generation, some(users))
		}
		note := ""
		if len(users) > 0 {
			note = fmt.Sprintf("forced, %d collectors needed it: %s", len(users), some(users))
		}
		list.Masters = slices.Clone(list.MasterKeys())
		for i := range list.Masters {
			if list.Masters[i].Generation == generation {
				list.Masters[i].State = Destroyed
			}
		}
		return plan{entries: []Entry{{Act: ActDestroyMaster, From: uint16(generation), Note: note}}, then: erase}, nil
	})
}

// some names the first few.
func some(ids []schemas.CollectorID) string {
	const most = 10
	var names []string
	for _, id := range ids[:min(len(ids), most)] {
		names = append(names, string(id))
	}
	if len(ids) > most {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}

// EraseMaster overwrites the sealed file of a master key and removes it, as far as a
// file can be (durable.Erase): the passphrase and the back-ups must go too.
func (f Folder) EraseMaster(generation uint8) error {
	if err := durable.Erase(MasterFile(f.Master(), generation)); err != nil {
		return fmt.Errorf("master key %d: %w; the list says that it is destroyed: run the command again", generation, err)
	}
	return nil
}
