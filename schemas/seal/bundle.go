package seal

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"

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
}

const (
	bundleFormat  = "citygrid collector bundle"
	bundleVersion = 1
	passwordBytes = 24  // of chance in a broker password
	maxAccount    = 128 // bytes of a broker user or password
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

// Validate reports the first field that is out of bounds.
func (b *Bundle) Validate() error {
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
	case !printable(b.BrokerPassword.Reveal()):
		return errorf(ConfigBad, "broker_password: want 1 to %d printable ASCII characters", maxAccount)
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
	if err := b.Validate(); err != nil {
		return fmt.Errorf("write bundle %s: %w", path, err)
	}
	if err := writePrivate(path, b.file()); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	return nil
}

// ReadBundle reads a file of WriteBundle. The errors are *Error with FileMode
// when other users may read the file, and with FileBad when a field is missing,
// unknown, repeated or out of bounds.
func ReadBundle(path string) (Bundle, error) {
	data, err := readPrivate(path, anyoneElse)
	if err != nil {
		return Bundle{}, fmt.Errorf("read bundle: %w", err)
	}
	defer clear(data)
	b, err := ParseBundle(data)
	if err != nil {
		return Bundle{}, fmt.Errorf("read bundle %s: %w", path, err)
	}
	return b, nil
}

// ParseBundle reads the bytes of a bundle file.
func ParseBundle(data []byte) (Bundle, error) {
	var f bundleFile
	if err := strictjson.Decode(data, &f); err != nil {
		return Bundle{}, &Error{Code: FileBad, Problem: "not a bundle file", Err: err}
	}
	defer clear(f.Key)
	if f.Format != bundleFormat || f.Version != bundleVersion {
		return Bundle{}, errorf(FileBad, "want %q version %d", bundleFormat, bundleVersion)
	}
	b := Bundle{
		Tenant: f.Tenant, Area: schemas.AreaCode(f.Area), Collector: schemas.CollectorID(f.Collector),
		Generation: f.Generation, Key: CollectorKey{secret.New(f.Key)},
		BrokerUser: f.BrokerUser, BrokerPassword: secret.New(f.BrokerPassword),
	}
	if err := b.Validate(); err != nil {
		return Bundle{}, &Error{Code: FileBad, Problem: "bundle", Err: err}
	}
	return b, nil
}

// MarshalFile returns the bytes that WriteBundle writes, secrets included.
func (b *Bundle) MarshalFile() ([]byte, error) {
	data, err := json.MarshalIndent(b.file(), "", "  ")
	return append(data, '\n'), err
}

func (b *Bundle) file() bundleFile {
	return bundleFile{
		Format: bundleFormat, Version: bundleVersion,
		Tenant: b.Tenant, Area: string(b.Area), Collector: string(b.Collector), Generation: b.Generation,
		Key: b.Key.Reveal(), BrokerUser: b.BrokerUser, BrokerPassword: string(b.BrokerPassword.Reveal()),
	}
}
