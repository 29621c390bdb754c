package seal

import (
	"bytes"
	"crypto/cipher"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"citygrid/schemas"
)

// testKey is the key of every collector in these tests, by generation.
func testKey(generation uint16, _ string) (CollectorKey, error) {
	return NewCollectorKey(bytes.Repeat([]byte{byte(generation)}, SecretSize))
}

func testSealerConfig(t testing.TB) SealerConfig {
	t.Helper()
	key, err := testKey(0x0101, "c-001")
	if err != nil {
		t.Fatal(err)
	}
	return SealerConfig{
		Provider: DefaultProvider(), Key: key, Tenant: "city", Collector: "c-001", Generation: 0x0101,
		Role: Up, ContentType: Readings, Context: Context{Boot: 1, Random: [8]byte{1}},
	}
}

func mustSealer(t testing.TB, edit func(*SealerConfig)) *Sealer {
	t.Helper()
	cfg := testSealerConfig(t)
	if edit != nil {
		edit(&cfg)
	}
	s, err := NewSealer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustOpener(t testing.TB, edit func(*OpenerConfig)) *Opener {
	t.Helper()
	cfg := OpenerConfig{Provider: DefaultProvider(), Tenant: "city", Role: Up, Keys: testKey}
	if edit != nil {
		edit(&cfg)
	}
	o, err := NewOpener(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func mustSeal(t testing.TB, s *Sealer, plain string) []byte {
	t.Helper()
	envelope, _, err := s.Seal(nil, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

func TestSealOpen(t *testing.T) {
	s, o := mustSealer(t, nil), mustOpener(t, nil)
	for i, n := range []int{0, 1, 15, 16, 17, 239, 240, 255, 65519, 65520, MaxPlaintext} {
		plain := bytes.Repeat([]byte{byte(i)}, n)
		envelope, seq, err := s.Seal(nil, plain)
		if err != nil || seq != uint32(i) {
			t.Fatalf("Seal of %d bytes: number %d, error %v; want number %d", n, seq, err, i)
		}
		if over := len(envelope) - n; over > MaxOverhead {
			t.Errorf("%d bytes of overhead, the most is %d", over, MaxOverhead)
		}
		h, got, err := o.Open(nil, envelope)
		if err != nil || h.Seq != seq || !bytes.Equal(got, plain) {
			t.Errorf("Open of %d bytes: %+v, error %v, same plaintext %t", n, h, err, bytes.Equal(got, plain))
		}
	}
}

func TestOverheadBoundIsReached(t *testing.T) {
	s := mustSealer(t, func(c *SealerConfig) { c.Collector = strings.Repeat("x", maxID) })
	s.next = math.MaxUint32
	if over := len(mustSeal(t, s, strings.Repeat("p", MaxPlaintext))) - MaxPlaintext; over != MaxOverhead {
		t.Errorf("the longest header makes %d bytes of overhead, MaxOverhead is %d", over, MaxOverhead)
	}
}

// TestEveryByteCounts changes each bit of an envelope, and each length.
func TestEveryByteCounts(t *testing.T) {
	envelope, o := mustSeal(t, mustSealer(t, nil), "a reading"), mustOpener(t, nil)
	for bit := range len(envelope) * 8 {
		changed := bytes.Clone(envelope)
		changed[bit/8] ^= 1 << (bit % 8)
		h, plain, err := o.Open([]byte("x"), changed)
		if err == nil || plain != nil {
			t.Fatalf("bit %d changed: opened as %+v %q", bit, h, plain)
		}
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("bit %d changed: %v is no *Error", bit, err)
		}
	}
	for n := range envelope {
		_, _, err := o.Open(nil, envelope[:n])
		wantCode(t, err, FrameBad)
	}
	_, _, err := o.Open(nil, append(bytes.Clone(envelope), 0))
	wantCode(t, err, FrameBad)
}

// TestOtherKeys opens with everything right but one input of the key or the
// additional data.
func TestOtherKeys(t *testing.T) {
	good := mustSealer(t, nil)
	envelope := mustSeal(t, good, "a reading")
	opener := mustOpener(t, func(c *OpenerConfig) { c.Tenant = "town" })
	_, _, err := opener.Open(nil, envelope)
	wantCode(t, err, TagWrong)
	opener = mustOpener(t, func(c *OpenerConfig) {
		c.Keys = func(uint16, string) (CollectorKey, error) { return testKey(7, "") }
	})
	_, _, err = opener.Open(nil, envelope)
	wantCode(t, err, TagWrong)
	opener = mustOpener(t, func(c *OpenerConfig) { c.Role = Down })
	_, _, err = opener.Open(nil, envelope)
	wantCode(t, err, FrameBad)
}

func TestSessionsHaveKeysOfTheirOwn(t *testing.T) {
	base := sessionID{0x0101, Readings, "c-001", Context{1, [8]byte{1}}}
	key, err := testKey(1, "")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	add := func(name string, role Role, id sessionID) {
		okm, err := sessionKey(DefaultProvider(), key, role, id)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[string(okm)]; ok {
			t.Errorf("%s and %s share a key", name, other)
		}
		seen[string(okm)] = name
	}
	add("base", Up, base)
	add("role", Down, base)
	for name, edit := range map[string]func(*sessionID){
		"generation": func(s *sessionID) { s.generation++ },
		"content":    func(s *sessionID) { s.content = Cards },
		"collector":  func(s *sessionID) { s.collector = "c-002" },
		"boot":       func(s *sessionID) { s.context.Boot++ },
		"random":     func(s *sessionID) { s.context.Random[7]++ },
	} {
		id := base
		edit(&id)
		add(name, Up, id)
	}
}

// TestRefusals takes good envelopes apart by hand: each row is one way to write
// what is not the one canonical form.
func TestRefusals(t *testing.T) {
	v := loadEnvelopes(t)[0]
	whole := string(v.Envelope)
	wrap := func(protected string) string {
		return "\xd0\x83\x58" + string(rune(len(protected))) + protected + "\xa0\x50" + strings.Repeat("t", 16)
	}
	protected := string(v.Protected)
	edit := func(old, new string) string {
		if strings.Count(protected, old) != 1 {
			t.Fatalf("%x is not in the header once", old)
		}
		return wrap(strings.Replace(protected, old, new, 1))
	}
	if _, err := ParseHeader([]byte(wrap(protected))); err != nil {
		t.Fatalf("the unchanged header: %v", err)
	}
	alg, kid := "\x01\x3a\x00\x01\x0d\x85", "\x04\x47\x01\x00c-001"
	tests := []struct {
		name, envelope string
		want           Code
	}{
		{"empty", "", FrameBad},
		{"tag in two bytes", "\xd8\x10" + whole[1:], FrameBad},
		{"no tag", whole[1:], FrameBad},
		{"another tag", "\xd1" + whole[1:], FrameBad},
		{"array of four", "\xd0\x84" + whole[2:] + "\x00", FrameBad},
		{"indefinite array", "\xd0\x9f" + whole[2:] + "\xff", FrameBad},
		{"long length of the header", "\xd0\x83\x59\x00" + whole[3:], FrameBad},
		{"indefinite header", "\xd0\x83\x5f" + whole[2:], FrameBad},
		{"unprotected not empty", strings.Replace(wrap(protected), "\xa0\x50", "\xa1\x00\x00\x50", 1), FrameBad},
		{"text instead of ciphertext", strings.Replace(wrap(protected), "\xa0\x50", "\xa0\x70", 1), FrameBad},
		{"tag of 15 bytes", strings.Replace(wrap(protected), "\xa0\x50t", "\xa0\x4f", 1), FrameBad},
		{"long length of the ciphertext", strings.Replace(wrap(protected), "\xa0\x50", "\xa0\x58\x10", 1), FrameBad},
		{"eight-byte length", strings.Replace(wrap(protected), "\xa0\x50", "\xa0\x5b\xff\xff\xff\xff\xff\xff\xff\xff", 1), FrameBad},
		{"map of four", edit("\xa5\x01", "\xa4\x01"), FrameBad},
		{"another suite", edit(alg, "\x01\x3a\x00\x01\x0d\x86"), SuiteUnknown},
		{"a registered suite (A128GCM)", edit(alg, "\x01\x01"), SuiteUnknown},
		{"the positive number", edit(alg, "\x01\x1a\x00\x01\x0d\x85"), SuiteUnknown},
		{"suite in eight bytes", edit(alg, "\x01\x3b\x00\x00\x00\x00\x00\x01\x0d\x85"), FrameBad},
		{"unknown content type", edit("\x03\x19\xfd\xe9", "\x03\x19\xfd\xef"), FrameBad},
		{"content type of 32 bits", edit("\x03\x19\xfd\xe9", "\x03\x1a\x00\x01\xfd\xe9"), FrameBad},
		{"content type as text", edit("\x03\x19\xfd\xe9", "\x03\x61a"), FrameBad},
		{"labels out of order", edit("\x03\x19\xfd\xe9"+kid, kid+"\x03\x19\xfd\xe9"), FrameBad},
		{"no collector id", edit(kid, "\x04\x42\x01\x00"), FrameBad},
		{"collector id of 33 bytes", edit(kid, "\x04\x58\x23\x01\x00"+strings.Repeat("x", 33)), FrameBad},
		{"collector id with a slash", edit(kid, "\x04\x47\x01\x00c/001"), FrameBad},
		{"no sequence number", edit("\x06\x41\x00", "\x06\x40"), FrameBad},
		{"leading zero", edit("\x06\x41\x00", "\x06\x42\x00\x01"), FrameBad},
		{"sequence number of five bytes", edit("\x06\x41\x00", "\x06\x45\x01\x00\x00\x00\x00"), FrameBad},
		{"context of 11 bytes", edit("\x0a\x4c\x00", "\x0a\x4b"), FrameBad},
		{"a sixth label", wrap(protected + "\x0b\x00"), FrameBad},
		{"too large", "\xd0\x83\x58" + string(rune(len(protected))) + protected + "\xa0\x5a\x00\x08\x00\x11" + strings.Repeat("t", MaxPlaintext+17), FrameBad},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseHeader([]byte(tt.envelope))
			wantCode(t, err, tt.want)
			_, _, err = mustOpener(t, nil).Open(nil, []byte(tt.envelope))
			wantCode(t, err, tt.want)
		})
	}
}

func TestSealRefuses(t *testing.T) {
	s := mustSealer(t, nil)
	_, _, err := s.Seal(nil, make([]byte, MaxPlaintext+1))
	wantCode(t, err, PayloadTooLarge)
	buffer := make([]byte, 100)
	_, _, err = s.Seal(buffer[:0], buffer[10:20])
	wantCode(t, err, ConfigBad)
	if _, seq, err := s.Seal(buffer[:20], buffer[10:20]); err != nil || seq != 0 {
		t.Errorf("after two refusals and with the input before the output: number %d, %v; want 0", seq, err)
	}
	s.next = math.MaxUint32
	if _, seq, err := s.Seal(nil, nil); err != nil || seq != math.MaxUint32 {
		t.Errorf("the last number: %d, %v", seq, err)
	}
	for range 2 {
		_, _, err = s.Seal(nil, nil)
		wantCode(t, err, SequenceExhausted)
	}
	envelope := mustSeal(t, mustSealer(t, nil), "x")
	_, _, err = mustOpener(t, nil).Open(envelope[:0], envelope)
	wantCode(t, err, ConfigBad)
}

func TestNewSealerRefuses(t *testing.T) {
	for name, edit := range map[string]func(*SealerConfig){
		"provider":  func(c *SealerConfig) { c.Provider = nil },
		"key":       func(c *SealerConfig) { c.Key = CollectorKey{} },
		"tenant":    func(c *SealerConfig) { c.Tenant = "a city" },
		"collector": func(c *SealerConfig) { c.Collector = "c/1" },
		"role":      func(c *SealerConfig) { c.Role = Down },
		"content":   func(c *SealerConfig) { c.ContentType = 0 },
		"random":    func(c *SealerConfig) { c.Context.Random = [8]byte{} },
	} {
		cfg := testSealerConfig(t)
		edit(&cfg)
		if _, err := NewSealer(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		} else {
			wantCode(t, err, ConfigBad)
		}
	}
}

func TestNewOpenerRefuses(t *testing.T) {
	for name, edit := range map[string]func(*OpenerConfig){
		"provider": func(c *OpenerConfig) { c.Provider = nil },
		"keys":     func(c *OpenerConfig) { c.Keys = nil },
		"tenant":   func(c *OpenerConfig) { c.Tenant = "" },
		"role":     func(c *OpenerConfig) { c.Role = "sideways" },
		"sessions": func(c *OpenerConfig) { c.Sessions = -1 },
	} {
		cfg := OpenerConfig{Provider: DefaultProvider(), Tenant: "city", Role: Up, Keys: testKey}
		edit(&cfg)
		if _, err := NewOpener(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestKeyErrors(t *testing.T) {
	envelope := mustSeal(t, mustSealer(t, nil), "x")
	tests := []struct {
		err  error
		want Code
	}{
		{&Error{Code: DeviceUnknown, Problem: "no such collector"}, DeviceUnknown},
		{fmt.Errorf("registry: %w", &Error{Code: GenerationUnknown}), GenerationUnknown},
		{&Error{Code: GenerationRetired}, GenerationRetired},
		{errors.New("connection refused"), KeyUnavailable},
		{&Error{Code: TagWrong}, KeyUnavailable},
		{nil, KeyUnavailable}, // no error, no key
	}
	for _, tt := range tests {
		o := mustOpener(t, func(c *OpenerConfig) {
			c.Keys = func(uint16, string) (CollectorKey, error) { return CollectorKey{}, tt.err }
		})
		h, plain, err := o.Open(nil, envelope)
		wantCode(t, err, tt.want)
		if h.Collector != "c-001" || plain != nil {
			t.Errorf("%v: header %+v, plaintext %q", tt.err, h, plain)
		}
	}
}

// TestSessionCache counts how often keys are asked for.
func TestSessionCache(t *testing.T) {
	var asked atomic.Int32
	o := mustOpener(t, func(c *OpenerConfig) {
		c.Sessions = 2
		c.Keys = func(g uint16, id string) (CollectorKey, error) { asked.Add(1); return testKey(g, id) }
	})
	open := func(e []byte, want int32) {
		t.Helper()
		if _, _, err := o.Open(nil, e); err != nil {
			t.Fatal(err)
		}
		if got := asked.Swap(0); got != want {
			t.Errorf("asked for %d keys, want %d", got, want)
		}
	}
	var sessions [3][]byte
	for i := range sessions {
		sessions[i] = mustSeal(t, mustSealer(t, func(c *SealerConfig) { c.Context.Boot = uint32(i) }), "x")
	}
	open(sessions[0], 1)
	open(sessions[1], 1)
	open(sessions[0], 0)
	open(sessions[2], 1) // pushes out session 1, the one used longest ago
	open(sessions[0], 0)
	open(sessions[1], 1)
	if n := len(o.cache.byKey); n != 2 {
		t.Errorf("%d sessions cached, want 2", n)
	}
	forged := bytes.Clone(sessions[2])
	forged[len(forged)-1] ^= 1
	_, _, err := o.Open(nil, forged)
	wantCode(t, err, TagWrong)
	asked.Store(0)
	open(sessions[0], 0) // a forged message pushes nothing out
	open(sessions[1], 0)
	c := newSessionCache(2) // two messages of a new session at the same moment
	c.add(cacheKey{}, &session{})
	c.add(cacheKey{}, &session{})
	if c.recent.Len() != 1 || len(c.byKey) != 1 {
		t.Errorf("one session stands %d times in the cache", c.recent.Len())
	}
}

func TestCrossCheck(t *testing.T) {
	s := mustSealer(t, nil)
	good := mustSeal(t, s, "a reading")
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	tests := map[string]struct {
		primary, second Provider
		envelope        []byte
		want            Code
	}{
		"agree":             {emmansun{}, tjfoc{}, good, ""},
		"agree on forgery":  {emmansun{}, tjfoc{}, forged, TagWrong},
		"second differs":    {emmansun{}, flipping(), good, ProviderMismatch},
		"primary differs":   {flipping(), emmansun{}, good, ProviderMismatch},
		"primary takes all": {accepting(), tjfoc{}, forged, ProviderMismatch},
		"second takes all":  {tjfoc{}, accepting(), forged, ProviderMismatch},
	}
	for name, tt := range tests {
		o := mustOpener(t, func(c *OpenerConfig) { c.Provider, c.CrossCheck, c.CrossCheckEvery = tt.primary, tt.second, 1 })
		space := make([]byte, 100)
		_, plain, err := o.Open(space[:0], tt.envelope)
		if tt.want != "" && !bytes.Equal(space, make([]byte, 100)) {
			t.Errorf("%s: plaintext left in the buffer: %q", name, space)
		}
		if tt.want == "" && (err != nil || string(plain) != "a reading") {
			t.Errorf("%s: %q, %v", name, plain, err)
		} else if tt.want != "" {
			t.Run(name, func(t *testing.T) { wantCode(t, err, tt.want) })
		}
	}
	o := mustOpener(t, func(c *OpenerConfig) { c.CrossCheck, c.CrossCheckEvery = flipping(), 3 })
	var differed []bool
	for range 7 {
		_, _, err := o.Open(nil, good)
		differed = append(differed, err != nil)
	}
	if got, want := fmt.Sprint(differed), "[true false false true false false true]"; got != want {
		t.Errorf("one of three sampled: %s, want %s", got, want)
	}
}

func flipping() Provider {
	return faulty{aead: func(a cipher.AEAD) cipher.AEAD { return flipsPlain{a} }}
}

func accepting() Provider {
	return faulty{aead: func(a cipher.AEAD) cipher.AEAD { return acceptsAll{a} }}
}

func TestOpenIsConcurrent(t *testing.T) {
	for _, p := range providers(t) {
		o := mustOpener(t, func(c *OpenerConfig) { c.Provider, c.CrossCheckEvery, c.Sessions = p, 2, 2 })
		var wait sync.WaitGroup
		for g := range 4 {
			wait.Go(func() {
				s := mustSealer(t, func(c *SealerConfig) { c.Context.Boot = uint32(g) })
				for i := range 100 {
					plain := fmt.Sprintf("goroutine %d message %d", g, i)
					h, got, err := o.Open(nil, mustSeal(t, s, plain))
					if err != nil || string(got) != plain || h.Context.Boot != uint32(g) {
						t.Errorf("%s: opened %q as %q, %v", p.Name(), plain, got, err)
						return
					}
				}
			})
		}
		wait.Wait()
	}
}

func TestContentTypes(t *testing.T) {
	streams := append(schemas.UpStreams(), schemas.DownStreams()...)
	for _, stream := range streams {
		c, ok := ContentTypeOf(stream)
		if ok != (stream != schemas.Online) || ok && c.Stream() != stream {
			t.Errorf("%s: content type %d, %t", stream, c, ok)
		}
	}
	for _, stream := range schemas.DownStreams() {
		if c, _ := ContentTypeOf(stream); c.Role() != Down {
			t.Errorf("%s travels %s", stream, c.Role())
		}
	}
	if _, ok := ContentTypeOf(""); ok {
		t.Error("the empty stream has a content type")
	}
}

// TestIDAlphabet holds validID equal to the contract of package schemas.
func TestIDAlphabet(t *testing.T) {
	ids := []string{"", strings.Repeat("a", 32), strings.Repeat("a", 33), "é"}
	for b := range 256 {
		ids = append(ids, string([]byte{byte(b)}), "a"+string([]byte{byte(b)})+"b")
	}
	for _, id := range ids {
		if want := schemas.CollectorID(id).Validate() == nil; validID(id) != want || validID([]byte(id)) != want {
			t.Errorf("validID(%q) = %t, schemas says %t", id, validID(id), want)
		}
	}
}

func TestCollectorKeyRefuses(t *testing.T) {
	m := loadEnvelopes(t)[0].master()
	_, err := m.CollectorKey(emmansun{}, 0x0200, "c")
	wantCode(t, err, GenerationUnknown)
	_, err = m.CollectorKey(emmansun{}, 0x0100, "c/1")
	wantCode(t, err, ConfigBad)
	_, err = (&Master{Tenant: "t", Generation: 1}).CollectorKey(emmansun{}, 0x0100, "c")
	wantCode(t, err, ConfigBad)
}
