package seal

import (
	"crypto/hkdf"
	"fmt"
	"io"

	"citygrid/internal/secret"
)

// SecretSize is the length of a master key and of a collector key, in bytes.
const SecretSize = 32

// Master is a city's master key of one generation. It stays at the hub; every
// collector key is derived from it. It prints as "[redacted]".
type Master struct {
	// Tenant names the city or utility, 1 to 64 of 0-9 A-Z a-z _ . -; keys of
	// two tenants are unrelated.
	Tenant string
	// Generation counts the master keys of the tenant, from 1.
	Generation uint8
	secret.Secret
}

// NewMaster draws a master key from rand, which in a program is
// crypto/rand.Reader.
func NewMaster(tenant string, generation uint8, rand io.Reader) (*Master, error) {
	b := make([]byte, SecretSize)
	if _, err := io.ReadFull(rand, b); err != nil {
		return nil, fmt.Errorf("make a master key: read random bytes: %w", err)
	}
	defer clear(b)
	m := &Master{Tenant: tenant, Generation: generation, Secret: secret.New(b)}
	if err := m.validate(); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Master) validate() error {
	if err := validTenant(m.Tenant); err != nil {
		return err
	}
	if m.Generation == 0 {
		return errorf(ConfigBad, "master key generation 0: generations count from 1")
	}
	if n := m.Len(); n != SecretSize {
		return errorf(ConfigBad, "master key of %d bytes, want %d", n, SecretSize)
	}
	return nil
}

// CollectorKey derives the key of a collector:
//
//	HKDF-SM3(master key, salt = tenant, info = "dev" ‖ generation ‖ id, 32)
//
// generation is the master's generation (high byte) and the collector's own
// version (low byte). A generation of another master is GenerationUnknown.
func (m *Master) CollectorKey(p Provider, generation uint16, collector string) (CollectorKey, error) {
	if err := m.validate(); err != nil {
		return CollectorKey{}, err
	}
	if !validID(collector) {
		return CollectorKey{}, errorf(ConfigBad, "collector %q is no id: want 1 to %d of 0-9 A-Z a-z _ -", collector, maxID)
	}
	if uint8(generation>>8) != m.Generation {
		return CollectorKey{}, errorf(GenerationUnknown, "generation %#04x is not of master key %d", generation, m.Generation)
	}
	info := append([]byte("dev"), byte(generation>>8), byte(generation))
	info = append(info, collector...)
	key := m.Reveal()
	defer clear(key)
	b, err := hkdf.Key(p.NewHash, key, []byte(m.Tenant), string(info), SecretSize)
	if err != nil {
		return CollectorKey{}, fmt.Errorf("derive the key of collector %s: %w", collector, err)
	}
	defer clear(b)
	return NewCollectorKey(b)
}

// CollectorKey is what one collector holds, and the hub derives. Session keys
// come from it. It prints as "[redacted]".
type CollectorKey struct{ secret.Secret }

// NewCollectorKey copies the 32 bytes of b.
func NewCollectorKey(b []byte) (CollectorKey, error) {
	if len(b) != SecretSize {
		return CollectorKey{}, errorf(ConfigBad, "collector key of %d bytes, want %d", len(b), SecretSize)
	}
	return CollectorKey{secret.New(b)}, nil
}

// Generation joins a master's generation and a collector's own key version.
func Generation(master, version uint8) uint16 { return uint16(master)<<8 | uint16(version) }

const (
	maxID     = 32 // bytes of a collector id, as in package schemas
	maxTenant = 64 // bytes of a tenant
)

func validTenant(t string) error {
	if len(t) < 1 || len(t) > maxTenant || !inAlphabet(t, true) {
		return errorf(ConfigBad, "tenant %q: want 1 to %d of 0-9 A-Z a-z _ . -", t, maxTenant)
	}
	return nil
}

// validID is schemas.CollectorID.Validate without its cost: it runs on every
// message. A test holds the two equal.
func validID[T string | []byte](id T) bool {
	return len(id) >= 1 && len(id) <= maxID && inAlphabet(id, false)
}

func inAlphabet[T string | []byte](s T, dot bool) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '_', c == '-':
		case c == '.' && dot:
		default:
			return false
		}
	}
	return true
}
