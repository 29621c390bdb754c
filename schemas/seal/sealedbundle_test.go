package seal

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"
	"testing"

	tsm2 "github.com/tjfoc/gmsm/sm2"

	"github.com/emmansun/gmsm/sm2"

	"citygrid/internal/secret"
)

// way is one way of a bundle to its box: seal it, and open what came.
type way struct {
	seal func(Bundle) ([]byte, error)
	open func(*SealedBundle) (Bundle, error)
}

func mustBoxKey(t testing.TB, b Bundle) (*BoxKey, *EnrolmentRequest) {
	t.Helper()
	key, err := NewBoxKey(b.Collector, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	request, err := key.Request()
	if err != nil {
		t.Fatal(err)
	}
	return key, request
}

// ways are all of them, for the bundle after b.
func ways(t testing.TB, b Bundle) map[Method]way {
	key, request := mustBoxKey(t, b)
	code, err := NewCode(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spoken := secret.New(strings.ToUpper(strings.ReplaceAll(string(code.Reveal()), "-", " ")))
	return map[Method]way{
		BySM2: {
			func(n Bundle) ([]byte, error) { return SealFor(request, n, rand.Reader) },
			func(s *SealedBundle) (Bundle, error) { return s.OpenWithKey(key) },
		},
		ByCode: {
			func(n Bundle) ([]byte, error) { return sealWithCode(code, n, rand.Reader, testRounds) },
			func(s *SealedBundle) (Bundle, error) { return s.OpenWithCode(spoken) },
		},
		ByKey: {
			func(n Bundle) ([]byte, error) { return SealWithKey(b.Key, b.Generation, n, rand.Reader) },
			func(s *SealedBundle) (Bundle, error) { return s.OpenAfter(&b) },
		},
	}
}

func mustRotate(t testing.TB, b Bundle) Bundle {
	t.Helper()
	next, err := Rotate(testMaster(), b.Area, b.Collector, uint8(b.Generation)+1)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func sameBundle(a, b Bundle) bool {
	x, _ := a.MarshalFile()
	y, _ := b.MarshalFile()
	return bytes.Equal(x, y)
}

// Every way carries the bundle, shows none of its secrets, and refuses whatever was
// changed: no byte of the file can be another and the bundle open as something else.
func TestSealedBundle(t *testing.T) {
	b := mustIssue(t)
	next := mustRotate(t, b)
	for method, w := range ways(t, b) {
		t.Run(string(method), func(t *testing.T) {
			data, err := w.seal(next)
			if err != nil {
				t.Fatal(err)
			}
			noSecret(t, "the file", string(data), string(next.Key.Reveal()))
			noSecret(t, "the file", string(data), fmt.Sprintf("%x", next.Key.Reveal()))
			s, err := parseSealed(data, testRounds)
			if err != nil || s.Method != method || s.Collector != b.Collector || s.Generation != next.Generation {
				t.Fatalf("%+v, %v", s, err)
			}
			got, err := w.open(s)
			if err != nil || !sameBundle(got, next) {
				t.Fatalf("opened %+v, %v", got, err)
			}
			if s.Method == ByCode {
				return // each try costs; the two others hold the same code to it
			}
			for i := range data {
				for _, flip := range []byte{1, 0x10, 0x20} {
					changed := bytes.Clone(data)
					changed[i] ^= flip
					s, err := parseSealed(changed, testRounds)
					if err != nil {
						continue
					}
					if got, err := w.open(s); err == nil && !sameBundle(got, next) {
						t.Fatalf("byte %d, bit %#x: opened as %+v", i, flip, got)
					} else if err == nil && !strings.EqualFold(string(changed), string(data)) {
						t.Fatalf("byte %d, bit %#x: another file opens", i, flip)
					}
				}
			}
			for n := range data {
				if _, err := parseSealed(data[:n], testRounds); err == nil && n < len(data)-1 {
					t.Fatalf("%d of %d bytes were taken", n, len(data))
				}
			}
		})
	}
}

// Nobody opens what is not for him, and no way stands in for another.
func TestSealedBundleRefuses(t *testing.T) {
	b := mustIssue(t)
	next := mustRotate(t, b)
	mine, others := ways(t, b), ways(t, b)
	other := next
	other.Collector = "another"
	if _, err := mine[BySM2].seal(other); err == nil {
		t.Error("a bundle was sealed to the request of another collector")
	}
	if _, err := SealWithKey(next.Key, next.Generation, b, rand.Reader); err == nil {
		t.Error("an older bundle was sealed under a newer key")
	}
	for method, w := range mine {
		data, err := w.seal(next)
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseSealed(data, testRounds)
		if err != nil {
			t.Fatal(err)
		}
		for opened, o := range others {
			if opened == ByKey && method == ByKey {
				continue // the same key
			}
			if _, err := o.open(s); err == nil {
				t.Errorf("sealed by %s, opened by the %s of another", method, opened)
			}
		}
		if method == ByKey {
			// Also one that has it as an earlier key, which may be stolen.
			for _, previous := range [][]PreviousKey{nil, {{b.Generation, b.Key}}} {
				stranger := b
				stranger.Generation, stranger.Previous = next.Generation+1, previous
				if _, err := s.OpenAfter(&stranger); err == nil || !strings.Contains(err.Error(), "is not the key of this box") {
					t.Errorf("opened without the key, earlier keys %v: %v", previous, err)
				}
			}
		}
	}
	data, err := SealWithCode(secret.New("one two three"), next, rand.Reader)
	wantCode(t, err, ConfigBad)
	if data != nil {
		t.Error("sealed under a code that somebody chose")
	}
	data, err = mine[ByCode].seal(next)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ParseSealed(data) // too few rounds
	wantCode(t, err, FileBad)
}

// What is sealed in a file must be what its outside says, even to one who can seal.
func TestSealedBundleInsideAndOutside(t *testing.T) {
	b := mustIssue(t)
	key, request := mustBoxKey(t, b)
	public, err := request.key()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(f *sealedFile, inside *Bundle){
		"generation": func(f *sealedFile, _ *Bundle) { f.Generation++ },
		"tenant":     func(f *sealedFile, _ *Bundle) { f.Tenant = "other" },
		"collector":  func(_ *sealedFile, inside *Bundle) { inside.Collector = "another" },
	} {
		f, inside := newSealedFile(BySM2, &b), b
		change(f, &inside)
		f.Recipient = request.recipient()
		once := make([]byte, keySize+nonceSize)
		if f.Key, err = sm2.Encrypt(rand.Reader, public, once, nil); err != nil {
			t.Fatal(err)
		}
		data, err := f.seal(&inside, once)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseSealed(data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = s.OpenWithKey(key); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// All of the outside is authenticated, in the form of schemas/envelope.md.
func TestSealedBundleAAD(t *testing.T) {
	f := &sealedFile{Method: ByKey, Tenant: "t", Collector: "c1", Generation: 0x0102,
		Recipient: []byte{1, 1}, Rounds: 600000, Salt: []byte{7}, Key: []byte{8, 9}}
	want := "89" + "63736231" + "636b6579" + "6174" + "626331" + "190102" + "420101" + "1a000927c0" + "4107" + "420809"
	if got := fmt.Sprintf("%x", f.aad()); got != want {
		t.Errorf("AAD %s, want %s", got, want)
	}
}

// The other library opens what SM2 sealed, and seals what we open [GB/T 32918.4, C1C3C2].
func TestSealedBundleAcrossLibraries(t *testing.T) {
	b := mustIssue(t)
	key, request := mustBoxKey(t, b)
	data, err := SealFor(request, b, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSealed(data)
	if err != nil {
		t.Fatal(err)
	}
	private := &tsm2.PrivateKey{D: new(big.Int).SetBytes(key.Reveal())}
	private.Curve = tsm2.P256Sm2()
	//lint:ignore SA1019 the other library has no other way to a key from its number
	private.X, private.Y = private.Curve.ScalarBaseMult(key.Reveal())
	once, err := private.Decrypt(nil, s.file.Key, nil)
	if err != nil || len(once) != keySize+nonceSize {
		t.Fatalf("the other library reads %d bytes, %v", len(once), err)
	}
	if got, err := s.open(once); err != nil || !sameBundle(got, b) {
		t.Fatalf("opened %+v, %v", got, err)
	}
	once = bytes.Repeat([]byte{9}, keySize+nonceSize)
	f := newSealedFile(BySM2, &b)
	f.Recipient = request.recipient()
	if f.Key, err = tsm2.Encrypt(&private.PublicKey, once, rand.Reader, tsm2.C1C3C2); err != nil {
		t.Fatal(err)
	}
	if data, err = f.seal(&b, once); err != nil {
		t.Fatal(err)
	}
	if s, err = ParseSealed(data); err != nil {
		t.Fatal(err)
	}
	if got, err := s.OpenWithKey(key); err != nil || !sameBundle(got, b) {
		t.Fatalf("sealed by the other library: opened %+v, %v", got, err)
	}
}

func TestWords(t *testing.T) {
	// The first and the last word, and an example of the publication: 127.0.0.1.
	for want, b := range map[string][]byte{"babab": {0, 0}, "zuzuz": {255, 255}, "lusab-babad": {127, 0, 0, 1}} {
		if got := wordsOf(b); got != want {
			t.Errorf("%x is %q, want %q", b, got, want)
		}
	}
	code, err := NewCode(rand.Reader)
	if err != nil || len(code.Reveal()) != 35 {
		t.Fatalf("a code of %d letters, %v", code.Len(), err)
	}
	typed := string(code.Reveal())
	for _, as := range []string{typed, strings.ToUpper(typed), strings.ReplaceAll(typed, "-", ""), " " + strings.ReplaceAll(typed, "-", " ")} {
		if got, err := ParseCode(secret.New(as)); err != nil || !got.Equal(code) {
			t.Errorf("%q is not read as the code: %v", as, err)
		}
	}
	for _, as := range []string{"", typed[1:], typed + "-babab", strings.Replace(typed, typed[:1], "a", 1), typed[:34] + "1", typed[:34] + "é"} {
		_, err := ParseCode(secret.New(as))
		wantCode(t, err, ConfigBad)
		if err != nil && len(as) > 8 && strings.Contains(err.Error(), as[6:11]) {
			t.Errorf("%q repeats what was typed", err)
		}
	}
}

func TestRequest(t *testing.T) {
	b := mustIssue(t)
	key, request := mustBoxKey(t, b)
	path := filepath.Join(t.TempDir(), "box.key")
	if err := WriteBoxKey(path, key); err != nil {
		t.Fatal(err)
	}
	if err := WriteBoxKey(path, key); err == nil {
		t.Error("a key was replaced")
	}
	again, err := ReadBoxKey(path)
	if err != nil || again.Collector != key.Collector || !again.Equal(key.Secret) {
		t.Fatalf("read back %v, %v", again, err)
	}
	if text := fmt.Sprintf("%v %+v %#v", key, *key, key); strings.Contains(text, fmt.Sprintf("%x", key.Reveal()[:4])) {
		t.Errorf("the key prints as %s", text)
	}
	data, err := request.MarshalFile()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParseRequest(data)
	if err != nil || parsed.Words() != request.Words() || strings.Count(request.Words(), "-") != 4 {
		t.Fatalf("parsed %+v, %v", parsed, err)
	}
	_, other := mustBoxKey(t, b)
	if other.Words() == request.Words() {
		t.Error("two requests have the same words")
	}
	for name, change := range map[string][2]string{
		"not on the curve": {fmt.Sprintf("%x", request.public[60:]), fmt.Sprintf("%x", other.public[60:])},
		"compressed":       {`"04`, `"02`},
		"cut":              {fmt.Sprintf("%x", request.public[60:]), ""},
		"version":          {`"version": 1`, `"version": 2`},
		"unknown field":    {`"version": 1`, `"version": 1, "more": 1`},
		"collector":        {`"` + string(b.Collector) + `"`, `"a/b"`},
	} {
		text := strings.Replace(string(data), change[0], change[1], 1)
		if text == string(data) {
			t.Fatalf("%s: the row changes nothing", name)
		}
		_, err := ParseRequest([]byte(text))
		wantCode(t, err, FileBad)
	}
}

// FuzzParseSealed: no bytes make the reader panic, and what it takes has the sizes of
// its method.
func FuzzParseSealed(f *testing.F) {
	b := mustIssue(f)
	for _, w := range ways(f, b) {
		data, err := w.seal(mustRotate(f, b))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	key, _ := mustBoxKey(f, b)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseSealed(data, testRounds)
		if (s == nil) == (err == nil) {
			t.Fatalf("%v with error %v", s, err)
		}
		if _, err := ParseRequest(data); err == nil && s != nil {
			t.Error("a request and a sealed bundle at once")
		}
		if s == nil || s.Method == ByCode {
			return
		}
		_, _ = s.OpenAfter(&b)
		if _, err := s.OpenWithKey(key); err == nil {
			t.Error("sealed to a key that was drawn just now")
		}
	})
}
