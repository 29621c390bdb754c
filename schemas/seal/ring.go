package seal

import (
	"encoding/hex"
	"slices"

	"citygrid/internal/secret"
)

// Ring is the master keys of one tenant that are in use: the active one, and those
// under which messages are still on their way. It is immutable and safe for
// concurrent use.
type Ring struct {
	masters []*Master // by generation
}

// NewRing takes one or more masters of one tenant, one for each generation, all with
// keys of their own. Its errors are *Error with ConfigBad.
func NewRing(masters ...*Master) (*Ring, error) {
	if len(masters) == 0 {
		return nil, errorf(ConfigBad, "no master key")
	}
	r := &Ring{masters: slices.Clone(masters)}
	slices.SortFunc(r.masters, func(a, b *Master) int { return int(a.Generation) - int(b.Generation) })
	for i, m := range r.masters {
		if err := m.validate(); err != nil {
			return nil, err
		}
		if m.Tenant != r.masters[0].Tenant {
			return nil, errorf(ConfigBad, "master keys of the tenants %s and %s in one hub", r.masters[0].Tenant, m.Tenant)
		}
		if i > 0 && m.Generation == r.masters[i-1].Generation {
			return nil, errorf(ConfigBad, "two master keys of generation %d", m.Generation)
		}
		for _, earlier := range r.masters[:i] {
			if m.Equal(earlier.Secret) {
				return nil, errorf(ConfigBad, "master keys %d and %d are the same: what they come from must answer by the generation that it is asked for ({generation})", earlier.Generation, m.Generation)
			}
		}
	}
	return r, nil
}

// With returns the ring that has m too, under the rules of NewRing.
func (r *Ring) With(m *Master) (*Ring, error) {
	return NewRing(append(slices.Clone(r.masters), m)...)
}

// Tenant returns whose keys they are.
func (r *Ring) Tenant() string { return r.masters[0].Tenant }

// Master returns the master key of a generation, or nil.
func (r *Ring) Master(generation uint8) *Master {
	i, ok := slices.BinarySearchFunc(r.masters, generation, func(m *Master, g uint8) int { return int(m.Generation) - int(g) })
	if !ok {
		return nil
	}
	return r.masters[i]
}

// CollectorKey derives a collector's key from the master key of the high byte of
// generation. Without that master key the error is an *Error with
// GenerationUnknown, or GenerationRetired when there are only newer ones.
func (r *Ring) CollectorKey(p Provider, generation uint16, collector string) (CollectorKey, error) {
	if m := r.Master(uint8(generation >> 8)); m != nil {
		return m.CollectorKey(p, generation, collector)
	}
	if uint8(generation>>8) < r.masters[0].Generation {
		return CollectorKey{}, errorf(GenerationRetired, "generation %#04x is of master key %d, which is destroyed", generation, generation>>8)
	}
	return CollectorKey{}, errorf(GenerationUnknown, "generation %#04x is of master key %d, which is not here", generation, generation>>8)
}

// checkValueLabel keeps a check value from being the digest of anything else.
const checkValueLabel = "citygrid key check value 1\x00"

// CheckValue returns the first 4 bytes of SM3 over a label and the key, in hex. It
// lets people compare and record a key of 32 random bytes without showing it; it
// proves nothing about a key that somebody chose.
func CheckValue(key secret.Secret) string {
	b := key.Reveal()
	defer clear(b)
	h := DefaultProvider().NewHash()
	h.Write([]byte(checkValueLabel))
	h.Write(b)
	return hex.EncodeToString(h.Sum(nil)[:4])
}
