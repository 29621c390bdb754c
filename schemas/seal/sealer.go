package seal

import (
	"crypto/cipher"
	"math"
	"slices"
	"unsafe"

	"citygrid/internal/cbor"
)

// SealerConfig is what a Sealer needs. Every field is required.
type SealerConfig struct {
	Provider    Provider
	Key         CollectorKey
	Tenant      string
	Collector   string // whose key it is, in both directions
	Generation  uint16 // of Key
	Role        Role
	ContentType ContentType
	// Context names the session. It must be fresh: see Context.
	Context Context
}

func (c *SealerConfig) validate() error {
	if err := validTenant(c.Tenant); err != nil {
		return err
	}
	switch {
	case c.Provider == nil:
		return errorf(ConfigBad, "sealer without a provider")
	case c.Key.Len() != SecretSize:
		return errorf(ConfigBad, "sealer without a collector key")
	case !validID(c.Collector):
		return errorf(ConfigBad, "collector %q is no id: want 1 to %d of 0-9 A-Z a-z _ -", c.Collector, maxID)
	case c.ContentType.Stream() == "" || c.ContentType.Role() != c.Role:
		return errorf(ConfigBad, "%s does not travel %q", c.ContentType, c.Role)
	case c.Context.Random == [8]byte{}:
		return errorf(ConfigBad, "session context without random bytes: make it with NewContext")
	}
	return nil
}

// Sealer seals the messages of one session: one collector, one direction, one
// content type, one start of the program. It is not safe for concurrent use.
type Sealer struct {
	id       sessionID
	aead     cipher.AEAD
	iv       [nonceSize]byte
	external []byte
	next     uint64 // 2^32 when the session is used up

	nonce     [nonceSize]byte // scratch, kept to spare allocations
	protected []byte
	aad       []byte
}

// NewSealer derives the session key. Its errors are *Error with ConfigBad.
func NewSealer(cfg SealerConfig) (*Sealer, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Sealer{
		id:       sessionID{cfg.Generation, cfg.ContentType, cfg.Collector, cfg.Context},
		external: externalAAD(cfg.Tenant, cfg.Role),
	}
	var err error
	s.aead, s.iv, err = newSession(cfg.Provider, cfg.Key, cfg.Role, s.id)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Context returns the session's context.
func (s *Sealer) Context() Context { return s.id.context }

// Seal appends the envelope of plaintext to dst and returns the longer slice
// and the sequence number that the envelope carries: 0 for the first of the
// session, then one more each time. A failed call uses no number.
//
// The errors are *Error: SequenceExhausted, PayloadTooLarge, or ConfigBad when
// plaintext lies in the free space of dst, where the envelope would overwrite
// it.
func (s *Sealer) Seal(dst, plaintext []byte) (envelope []byte, seq uint32, err error) {
	switch {
	case s.next > math.MaxUint32:
		return nil, 0, errorf(SequenceExhausted, "session %s has sealed 2^32 messages: start a new one", s.id.context)
	case len(plaintext) > MaxPlaintext:
		return nil, 0, errorf(PayloadTooLarge, "plaintext of %d bytes, the most is %d: send less at once", len(plaintext), MaxPlaintext)
	case overlaps(dst, plaintext):
		return nil, 0, errOverlap()
	}
	seq = uint32(s.next)
	s.next++
	s.nonce = nonceFor(s.iv, seq)
	s.protected = appendProtected(s.protected[:0], &s.id, seq)
	s.aad = appendAAD(s.aad[:0], s.protected, s.external)

	dst = slices.Grow(dst, len(plaintext)+MaxOverhead)
	dst = append(dst, framePrefix...)
	dst = cbor.AppendBytes(dst, s.protected)
	dst = append(dst, noUnprotected...)
	dst = cbor.AppendHead(dst, cbor.Bytes, uint64(len(plaintext)+tagSize))
	return s.aead.Seal(dst, s.nonce[:], plaintext, s.aad), seq, nil
}

// overlaps reports whether appending to dst may write over src.
func overlaps(dst, src []byte) bool {
	free := dst[len(dst):cap(dst)]
	if len(free) == 0 || len(src) == 0 {
		return false
	}
	f, s := uintptr(unsafe.Pointer(unsafe.SliceData(free))), uintptr(unsafe.Pointer(unsafe.SliceData(src)))
	return f < s+uintptr(len(src)) && s < f+uintptr(len(free))
}

func errOverlap() error {
	return errorf(ConfigBad, "the input lies in the free space of dst: pass another buffer")
}
