package seal

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"

	"citygrid/internal/durable"
	"citygrid/internal/secret"
	"citygrid/internal/strictjson"
	"citygrid/schemas"
)

// Bundle is all that a collector must be given to enrol: who it is, its key and
// its account at the broker. Its secrets print as "[redacted]".
type Bundle struct {
	Tenant         string
	Area           schemas.AreaCode
	Collector      schemas.CollectorID
	Generation     uint16 // of Key
	Key            CollectorKey
	BrokerUser     string
	BrokerPassword secret.Secret
	// Previous are the keys that the box had before, newest first: what lies in its
	// spool was sealed under them. They open the box's own records and nothing else:
	// one of them may be in the wrong hands, and the reason for Key.
	Previous []PreviousKey
}

// PreviousKey is a key that a collector has sealed under and does no more.
type PreviousKey struct {
	Generation uint16
	Key        CollectorKey
}

const (
	bundleFormat  = "citygrid collector bundle"
	bundleVersion = 1
	passwordBytes = 24  // of chance in a broker password
	maxAccount    = 128 // bytes of a broker user or password
	// keptVersion has the field previous, and its password may be empty.
	keptVersion = 2
	// MaxPrevious is how many earlier keys a bundle keeps.
	MaxPrevious = 3
)

// bundleFile is the JSON form, see schemas/envelope.md.
type bundleFile struct {
	Format         string   `json:"format"`
	Version        int      `json:"version"`
	Tenant         string   `json:"tenant"`
	Area           string   `json:"area"`
	Collector      string   `json:"collector"`
	Generation     uint16   `json:"generation"`
	Key            hexBytes `json:"key"`
	BrokerUser     string   `json:"broker_user"`
	BrokerPassword string   `json:"broker_password"`
}

// keptFile is the JSON form of a bundle that keeps something of the one before.
type keptFile struct {
	bundleFile
	Previous []json.RawMessage `json:"previous"`
}

// previousFile is one of keptFile.Previous.
type previousFile struct {
	Generation uint16   `json:"generation"`
	Key        hexBytes `json:"key"`
}

// Issue makes the bundle of a collector: its key of the given version, derived
// from m, the collector id as broker user, and a password drawn from rand, which
// in a program is crypto/rand.Reader. Issuing twice gives the same key and
// another password.
func Issue(m *Master, area schemas.AreaCode, collector schemas.CollectorID, version uint8, rand io.Reader) (Bundle, error) {
	generation := Generation(m.Generation, version)
	key, err := m.CollectorKey(DefaultProvider(), generation, string(collector))
	if err != nil {
		return Bundle{}, fmt.Errorf("issue a bundle: %w", err)
	}
	password := make([]byte, passwordBytes)
	if _, err := io.ReadFull(rand, password); err != nil {
		return Bundle{}, fmt.Errorf("issue a bundle for %s: read random bytes: %w", collector, err)
	}
	b := Bundle{
		Tenant: m.Tenant, Area: area, Collector: collector, Generation: generation, Key: key,
		BrokerUser:     string(collector),
		BrokerPassword: secret.New(base64.RawURLEncoding.EncodeToString(password)),
	}
	if err := b.Validate(); err != nil {
		return Bundle{}, fmt.Errorf("issue a bundle for %s: %w", collector, err)
	}
	return b, nil
}

// Rotate makes the bundle with which a collector goes on under its next key: as
// Issue does, without a broker password, which the box keeps (Succeed).
func Rotate(m *Master, area schemas.AreaCode, collector schemas.CollectorID, version uint8) (Bundle, error) {
	generation := Generation(m.Generation, version)
	key, err := m.CollectorKey(DefaultProvider(), generation, string(collector))
	if err != nil {
		return Bundle{}, fmt.Errorf("rotate the key of %s: %w", collector, err)
	}
	b := Bundle{Tenant: m.Tenant, Area: area, Collector: collector, Generation: generation, Key: key, BrokerUser: string(collector)}
	if err := b.validate(successor); err != nil {
		return Bundle{}, fmt.Errorf("rotate the key of %s: %w", collector, err)
	}
	return b, nil
}

// Succeed returns b as the box keeps it after old: with the broker password of old
// where b has none, and with the keys of old beside its own. A bundle of another
// tenant or collector, or one that is not newer, is an *Error with ConfigBad.
func (b Bundle) Succeed(old *Bundle) (Bundle, error) {
	switch {
	case b.Tenant != old.Tenant || b.Collector != old.Collector:
		return Bundle{}, errorf(ConfigBad, "the bundle is of %s/%s, the one in this box of %s/%s", b.Tenant, b.Collector, old.Tenant, old.Collector)
	case b.Generation <= old.Generation:
		return Bundle{}, errorf(ConfigBad, "the bundle has key generation %#04x, the one in this box %#04x: an older bundle, or the same again, is not taken", b.Generation, old.Generation)
	}
	if b.BrokerPassword.IsZero() {
		b.BrokerUser, b.BrokerPassword = old.BrokerUser, old.BrokerPassword
	}
	keys := append([]PreviousKey{{old.Generation, old.Key}}, old.Previous...)
	b.Previous = keys[:min(len(keys), MaxPrevious)]
	if err := b.Validate(); err != nil {
		return Bundle{}, err
	}
	return b, nil
}

// KeyOf returns the key of a generation that the collector has or had, for what the
// collector itself has sealed. What comes to the box counts under Key only.
func (b *Bundle) KeyOf(generation uint16) (CollectorKey, bool) {
	if generation == b.Generation {
		return b.Key, true
	}
	for _, p := range b.Previous {
		if p.Generation == generation {
			return p.Key, true
		}
	}
	return CollectorKey{}, false
}

// bundleKind is whether a bundle must be whole.
type bundleKind bool

const (
	whole     bundleKind = false // what a collector runs with
	successor bundleKind = true  // may leave the broker password to the bundle before it
)

// Validate reports the first field that is out of bounds.
func (b *Bundle) Validate() error { return b.validate(whole) }

func (b *Bundle) validate(kind bundleKind) error {
	if err := validTenant(b.Tenant); err != nil {
		return err
	}
	if err := b.Area.Validate(); err != nil {
		return err
	}
	if err := b.Collector.Validate(); err != nil {
		return err
	}
	switch {
	case b.Generation>>8 == 0:
		return errorf(ConfigBad, "generation %#04x: its high byte counts from 1", b.Generation)
	case b.Key.Len() != SecretSize:
		return errorf(ConfigBad, "key of %d bytes, want %d", b.Key.Len(), SecretSize)
	case !printable([]byte(b.BrokerUser)):
		return errorf(ConfigBad, "broker_user: want 1 to %d printable ASCII characters", maxAccount)
	case kind == whole && b.BrokerPassword.IsZero():
		return errorf(ConfigBad, "broker_password: empty: this bundle goes on with the password of the one before; put it in place with collector enrol accept")
	case !b.BrokerPassword.IsZero() && !printable(b.BrokerPassword.Reveal()):
		return errorf(ConfigBad, "broker_password: want 1 to %d printable ASCII characters", maxAccount)
	}
	return b.validatePrevious()
}

func (b *Bundle) validatePrevious() error {
	if len(b.Previous) > MaxPrevious {
		return errorf(ConfigBad, "%d previous keys, the most is %d", len(b.Previous), MaxPrevious)
	}
	newer := b.Generation
	for i, p := range b.Previous {
		if p.Generation>>8 == 0 || p.Generation >= newer || p.Key.Len() != SecretSize {
			return errorf(ConfigBad, "previous[%d]: want a key of %d bytes of a generation below %#04x", i, SecretSize, newer)
		}
		newer = p.Generation
	}
	return nil
}

func printable(s []byte) bool {
	for _, c := range s {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= maxAccount
}

// WriteBundle writes b to a new file of mode 0600, durably. It refuses to
// replace a file.
func WriteBundle(path string, b Bundle) error {
	if err := b.validate(successor); err != nil {
		return fmt.Errorf("write bundle %s: %w", path, err)
	}
	if err := writePrivate(path, b.file()); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// PlaceBundle writes b, which must be whole, to path, durably and in the place of
// the bundle that is there.
func PlaceBundle(path string, b Bundle) error {
	if err := b.Validate(); err != nil {
		return fmt.Errorf("write bundle %s: %w", path, err)
	}
	data, err := b.MarshalFile()
	if err != nil {
		return fmt.Errorf("write bundle %s: %w", path, err)
	}
	defer clear(data)
	if err := durable.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// ReadBundle reads a file of WriteBundle or PlaceBundle. The errors are *Error
// with FileMode when other users may read the file, and with FileBad when a field
// is missing, unknown, repeated or out of bounds.
func ReadBundle(path string) (Bundle, error) { return readBundle(path, whole) }

// ReadIssued reads a bundle as the key office issued it: it may leave the broker
// password to the one before it.
func ReadIssued(path string) (Bundle, error) { return readBundle(path, successor) }

func readBundle(path string, kind bundleKind) (Bundle, error) {
	data, err := readPrivate(path, anyoneElse)
	if err != nil {
		return Bundle{}, fmt.Errorf("read bundle: %w", err)
	}
	defer clear(data)
	b, err := parseBundle(data, kind)
	if err != nil {
		return Bundle{}, fmt.Errorf("read bundle %s: %w", path, err)
	}
	return b, nil
}

// ParseBundle reads the bytes of a bundle file that is whole.
func ParseBundle(data []byte) (Bundle, error) { return parseBundle(data, whole) }

// ParseIssued reads the bytes of a bundle file, which may leave the broker
// password to the one before it.
func ParseIssued(data []byte) (Bundle, error) { return parseBundle(data, successor) }

func parseBundle(data []byte, kind bundleKind) (Bundle, error) {
	f, err := decodeBundle(data)
	if err != nil {
		return Bundle{}, err
	}
	defer clear(f.Key)
	b := Bundle{
		Tenant: f.Tenant, Area: schemas.AreaCode(f.Area), Collector: schemas.CollectorID(f.Collector),
		Generation: f.Generation, Key: CollectorKey{secret.New(f.Key)},
		BrokerUser: f.BrokerUser, BrokerPassword: secret.New(f.BrokerPassword),
	}
	for i, raw := range f.Previous {
		var p previousFile
		if err := strictjson.Decode(raw, &p); err != nil {
			return Bundle{}, &Error{Code: FileBad, Problem: fmt.Sprintf("previous[%d]", i), Err: err}
		}
		b.Previous = append(b.Previous, PreviousKey{p.Generation, CollectorKey{secret.New(p.Key)}})
		clear(p.Key)
	}
	if err := b.validate(kind); err != nil {
		return Bundle{}, &Error{Code: FileBad, Problem: "bundle", Err: err}
	}
	return b, nil
}

// decodeBundle reads either version.
func decodeBundle(data []byte) (f keptFile, err error) {
	members, err := strictjson.Members(data)
	if err == nil && string(members["version"]) == fmt.Sprint(keptVersion) {
		err = strictjson.Decode(data, &f)
	} else if err == nil {
		err = strictjson.Decode(data, &f.bundleFile)
	}
	switch {
	case err != nil:
		return f, &Error{Code: FileBad, Problem: "not a bundle file", Err: err}
	case f.Format != bundleFormat || f.Version != bundleVersion && f.Version != keptVersion:
		return f, errorf(FileBad, "want %q version %d or %d", bundleFormat, bundleVersion, keptVersion)
	}
	return f, nil
}

// MarshalFile returns the bytes that WriteBundle writes, secrets included.
func (b *Bundle) MarshalFile() ([]byte, error) {
	data, err := json.MarshalIndent(b.file(), "", "  ")
	return append(data, '\n'), err
}

// file is of version 1 where that says all.
func (b *Bundle) file() any {
	f := bundleFile{
		Format: bundleFormat, Version: bundleVersion,
		Tenant: b.Tenant, Area: string(b.Area), Collector: string(b.Collector), Generation: b.Generation,
		Key: b.Key.Reveal(), BrokerUser: b.BrokerUser, BrokerPassword: string(b.BrokerPassword.Reveal()),
	}
	if len(b.Previous) == 0 && !b.BrokerPassword.IsZero() {
		return f
	}
	f.Version = keptVersion
	kept := keptFile{bundleFile: f, Previous: []json.RawMessage{}}
	for _, p := range b.Previous {
		raw := fmt.Appendf(nil, `{"generation": %d, "key": "%x"}`, p.Generation, p.Key.Reveal())
		kept.Previous = append(kept.Previous, raw)
	}
	return kept
}
