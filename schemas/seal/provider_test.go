package seal

import (
	"bytes"
	"crypto/cipher"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"hash"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

func TestSelfTest(t *testing.T) {
	if err := SelfTest(); err != nil {
		t.Fatal(err)
	}
}

// faulty is a provider with one fault.
type faulty struct {
	emmansun
	aead func(cipher.AEAD) cipher.AEAD
	hash func(hash.Hash) hash.Hash
}

func (f faulty) NewAEAD(key []byte) (cipher.AEAD, error) {
	a, err := f.emmansun.NewAEAD(key)
	if f.aead != nil {
		a = f.aead(a)
	}
	return a, err
}

func (f faulty) NewHash() hash.Hash {
	h := f.emmansun.NewHash()
	if f.hash != nil {
		h = f.hash(h)
	}
	return h
}

// flipsPlain gives a wrong first byte on Open.
type flipsPlain struct{ cipher.AEAD }

func (a flipsPlain) Open(dst, nonce, sealed, aad []byte) ([]byte, error) {
	out, err := a.AEAD.Open(dst, nonce, sealed, aad)
	if len(out) > len(dst) {
		out[len(dst)] ^= 1
	}
	return out, err
}

// acceptsAll does not compare the tag.
type acceptsAll struct{ cipher.AEAD }

func (a acceptsAll) Open(dst, nonce, sealed, aad []byte) ([]byte, error) {
	out, err := a.AEAD.Open(dst, nonce, sealed, aad)
	if err != nil {
		return append(dst, make([]byte, len(sealed)-tagSize)...), nil
	}
	return out, nil
}

// carriesWrong seals wrongly where the last byte of a nonce is 0xFF.
type carriesWrong struct{ cipher.AEAD }

func (a carriesWrong) Seal(dst, nonce, plain, aad []byte) []byte {
	out := a.AEAD.Seal(dst, nonce, plain, aad)
	if nonce[len(nonce)-1] == 0xff && len(plain) > 0 {
		out[len(dst)] ^= 1
	}
	return out
}

// badSum hashes the argument of Sum, as tjfoc's SM3 does.
type badSum struct{ hash.Hash }

func (h badSum) Sum(in []byte) []byte {
	h.Write(in)
	return h.Hash.Sum(nil)
}

func TestSelfTestFindsFaults(t *testing.T) {
	tests := map[string]faulty{
		"wrong plaintext":       {aead: func(a cipher.AEAD) cipher.AEAD { return flipsPlain{a} }},
		"tag not compared":      {aead: func(a cipher.AEAD) cipher.AEAD { return acceptsAll{a} }},
		"counter carries wrong": {aead: func(a cipher.AEAD) cipher.AEAD { return carriesWrong{a} }},
		"Sum hashes":            {hash: func(h hash.Hash) hash.Hash { return badSum{h} }},
	}
	for name, f := range tests {
		for _, err := range []error{selfTest(f, tjfoc{}), selfTest(tjfoc{}, f)} {
			var e *Error
			if !errors.As(err, &e) || e.Code != SelfTestFailed {
				t.Errorf("%s: got %v, want %s", name, err, SelfTestFailed)
			}
		}
	}
}

func TestProviderByName(t *testing.T) {
	for _, name := range []string{Emmansun, Tjfoc} {
		p, err := ProviderByName(name)
		if err != nil || p.Name() != name {
			t.Errorf("ProviderByName(%q) = %v, %v", name, p, err)
		}
		if _, err := p.NewAEAD(make([]byte, 15)); err == nil {
			t.Errorf("%s: a key of 15 bytes was accepted", name)
		}
		if other := otherProvider(p); other.Name() == name {
			t.Errorf("%s is checked against itself", name)
		}
	}
	wantCode(t, errOf(ProviderByName("aes")), ConfigBad)
}

func errOf[T any](_ T, err error) error { return err }

func wantCode(t *testing.T, err error, want Code) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Errorf("got error %v, want an *Error with %s", err, want)
	} else if e.Code != want {
		t.Errorf("got code %s (%v), want %s", e.Code, err, want)
	}
}

// TestAEADsAreShared proves that one AEAD may serve many goroutines. tjfoc's
// bare block fails this within milliseconds.
func TestAEADsAreShared(t *testing.T) {
	plain, nonce := bytes.Repeat([]byte("citygrid"), 40), make([]byte, nonceSize)
	for _, p := range providers(t) {
		aead := mustAEAD(t, p, make([]byte, keySize))
		want := aead.Seal(nil, nonce, plain, nil)
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for range 500 {
					if !bytes.Equal(aead.Seal(nil, nonce, plain, nil), want) {
						t.Errorf("%s: wrong ciphertext when shared", p.Name())
						return
					}
					if _, err := aead.Open(nil, nonce, want, nil); err != nil {
						t.Errorf("%s: false rejection when shared: %v", p.Name(), err)
						return
					}
				}
			})
		}
		wait.Wait()
	}
}

// TestNoBannedCalls keeps the faulty parts of tjfoc/gmsm out of the sources:
// its GCM computes wrong tags and repeats keystream, its modes share a global
// IV, gmtls and sm2.Decrypt panic on bytes from outside, and Sum with an
// argument breaks hash.Hash.
func TestNoBannedCalls(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	calls := regexp.MustCompile(`\b(Sm4GCM|GCMEncrypt|GCMDecrypt|Sm4Cbc|Sm4Ecb|Sm4CFB|Sm4OFB|SetIV|GetY0|GHASH)\b|\btsm4\.IV\b|\bsm2\.Decrypt`)
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if hit := calls.Find(src); hit != nil {
			t.Errorf("%s uses %s", name, hit)
		}
		if err := checkImports(name, src); err != nil {
			t.Error(err)
		}
	}
}

func checkImports(name string, src []byte) error {
	file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
	if err != nil {
		return err
	}
	for _, i := range file.Imports {
		path := strings.Trim(i.Path.Value, `"`)
		if !strings.HasPrefix(path, "github.com/tjfoc/gmsm/") {
			continue
		}
		if name != "provider.go" || path != "github.com/tjfoc/gmsm/sm3" && path != "github.com/tjfoc/gmsm/sm4" {
			return fmt.Errorf("%s imports %s: only provider.go may, and only sm3 and sm4", name, path)
		}
	}
	return nil
}

// TestTjfocIsWrapped holds the three names by which provider.go may touch the
// second library.
func TestTjfocIsWrapped(t *testing.T) {
	src, err := os.ReadFile("provider.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, use := range regexp.MustCompile(`\bt(sm3|sm4)\.\w+`).FindAllString(string(src), -1) {
		switch use {
		case "tsm3.New", "tsm4.NewCipher", "tsm4.BlockSize":
		default:
			t.Errorf("provider.go uses %s", use)
		}
	}
}
