package seal

import (
	"bytes"
	"crypto/cipher"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// KeyFunc finds the key of a collector. It must be safe for concurrent use. To
// refuse, it returns an *Error with DeviceUnknown, GenerationUnknown or
// GenerationRetired; every other error counts as KeyUnavailable. An Opener asks
// once for each session that it remembers: who retires keys while it runs checks
// the generation of the Header after Open.
type KeyFunc func(generation uint16, collector string) (CollectorKey, error)

// OpenerConfig is what an Opener needs.
type OpenerConfig struct {
	Provider Provider // required
	Tenant   string   // required
	Role     Role     // required: the direction of the messages to open
	Keys     KeyFunc  // required

	// CrossCheckEvery N opens the first and then every Nth message with a
	// second provider as well, and refuses it when the two differ. 0 turns
	// the check off.
	CrossCheckEvery int
	// CrossCheck is the second provider; nil is the built-in one that
	// Provider is not.
	CrossCheck Provider
	// Sessions bounds the cache of session keys; 0 is DefaultSessions.
	Sessions int
}

// DefaultSessions is the bound of an Opener's cache: some 2 KiB each.
const DefaultSessions = 4096

func (c *OpenerConfig) validate() error {
	if err := validTenant(c.Tenant); err != nil {
		return err
	}
	switch {
	case c.Provider == nil:
		return errorf(ConfigBad, "opener without a provider")
	case c.Keys == nil:
		return errorf(ConfigBad, "opener without a source of keys")
	case c.Role != Up && c.Role != Down:
		return errorf(ConfigBad, "opener: role %q, want %q or %q", c.Role, Up, Down)
	case c.CrossCheckEvery < 0 || c.Sessions < 0:
		return errorf(ConfigBad, "opener: negative CrossCheckEvery or Sessions")
	}
	return nil
}

// Opener opens envelopes of one direction. It is safe for concurrent use.
type Opener struct {
	cfg      OpenerConfig
	external []byte
	cache    *sessionCache
	scratch  sync.Pool // of *openScratch
	opened   atomic.Uint64
}

type openScratch struct {
	nonce [nonceSize]byte
	aad   []byte
}

// NewOpener checks cfg. Its errors are *Error with ConfigBad.
func NewOpener(cfg OpenerConfig) (*Opener, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.CrossCheck == nil {
		cfg.CrossCheck = otherProvider(cfg.Provider)
	}
	if cfg.Sessions == 0 {
		cfg.Sessions = DefaultSessions
	}
	o := &Opener{cfg: cfg, external: externalAAD(cfg.Tenant, cfg.Role), cache: newSessionCache(cfg.Sessions)}
	o.scratch.New = func() any { return &openScratch{aad: make([]byte, 0, 256)} }
	return o, nil
}

// Open verifies an envelope and appends its plaintext to dst.
//
// On an error it returns no plaintext, and the Header as far as it could be
// read, which is then an unproven claim. The errors are *Error with the codes
// of a receiver, or ConfigBad when the envelope lies in the free space of dst.
// Open says nothing about repetition: see Tracker.
func (o *Opener) Open(dst, envelope []byte) (Header, []byte, error) {
	if overlaps(dst, envelope) {
		return Header{}, nil, errOverlap()
	}
	f, err := parseFrame(envelope)
	if err != nil {
		return Header{}, nil, err
	}
	if f.content.Role() != o.cfg.Role {
		return f.header(string(f.collector)), nil, errorf(FrameBad, "envelope: %s does not travel %q", f.content, o.cfg.Role)
	}
	s, cached, err := o.session(&f)
	if err != nil {
		return f.header(string(f.collector)), nil, err
	}
	h := f.header(s.collector)
	plaintext, err := o.openIn(s, dst, &f)
	if err != nil {
		return h, nil, err
	}
	if !cached { // only proven sessions enter: a forger cannot push others out
		o.cache.add(keyOf(&f), s)
	}
	return h, plaintext, nil
}

func (o *Opener) session(f *frame) (s *session, cached bool, err error) {
	if s := o.cache.get(keyOf(f)); s != nil {
		return s, true, nil
	}
	id := sessionID{f.generation, f.content, string(f.collector), f.context}
	key, err := o.cfg.Keys(id.generation, id.collector)
	if err != nil {
		return nil, false, keyError(id.collector, err)
	}
	if key.Len() != SecretSize {
		return nil, false, errorf(KeyUnavailable, "the source of keys gave no key for collector %s", id.collector)
	}
	s = &session{collector: id.collector}
	s.aead, s.iv, err = newSession(o.cfg.Provider, key, o.cfg.Role, id)
	if err == nil && o.cfg.CrossCheckEvery > 0 {
		s.cross, s.crossIV, err = newSession(o.cfg.CrossCheck, key, o.cfg.Role, id)
	}
	if err != nil {
		return nil, false, &Error{Code: KeyUnavailable, Problem: "make the session key", Err: err}
	}
	return s, false, nil
}

// keyError keeps the codes by which a KeyFunc refuses.
func keyError(collector string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		switch e.Code {
		case DeviceUnknown, GenerationUnknown, GenerationRetired:
			return err
		}
	}
	return &Error{Code: KeyUnavailable, Problem: "find the key of collector " + collector, Err: err}
}

func (o *Opener) openIn(s *session, dst []byte, f *frame) ([]byte, error) {
	w := o.scratch.Get().(*openScratch)
	defer o.scratch.Put(w)
	w.aad = appendAAD(w.aad[:0], f.protected, o.external)
	w.nonce = nonceFor(s.iv, f.seq)
	dst = slices.Grow(dst, len(f.sealed)-tagSize)
	out, err := s.aead.Open(dst, w.nonce[:], f.sealed, w.aad)
	if s.cross != nil && o.sampled() {
		w.nonce = nonceFor(s.crossIV, f.seq)
		second, errSecond := s.cross.Open(nil, w.nonce[:], f.sealed, w.aad)
		if (err == nil) != (errSecond == nil) || err == nil && !bytes.Equal(out[len(dst):], second) {
			clear(out[min(len(dst), len(out)):])
			return nil, errorf(ProviderMismatch, "providers %s and %s differ on message %d of session %s: stop and test this machine",
				o.cfg.Provider.Name(), o.cfg.CrossCheck.Name(), f.seq, f.context)
		}
	}
	if err != nil {
		return nil, errorf(TagWrong, "envelope of collector %s, session %s, message %d: not sealed with its key, or changed on the way",
			s.collector, f.context, f.seq)
	}
	return out, nil
}

func (o *Opener) sampled() bool {
	return (o.opened.Add(1)-1)%uint64(o.cfg.CrossCheckEvery) == 0
}

// session is a derived key, ready to open. It is immutable.
type session struct {
	collector   string
	aead, cross cipher.AEAD // cross is nil without cross-checks
	iv, crossIV [nonceSize]byte
}
