package seal

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
)

// crossChecks is how many messages SelfTest seals and opens with both
// providers.
const crossChecks = 64

// testable is a provider that also shows its bare block cipher.
type testable interface {
	Provider
	newBlock(key []byte) (cipher.Block, error)
}

// SelfTest holds both providers against published answers and against each
// other, in some milliseconds. A program that gets an error, which is an *Error
// with SelfTestFailed, must not start: the processor or the build is wrong.
func SelfTest() error { return selfTest(emmansun{}, tjfoc{}) }

func selfTest(a, b testable) error {
	for _, p := range []testable{a, b} {
		for _, k := range knownAnswers() {
			if err := k.check(p); err != nil {
				return &Error{Code: SelfTestFailed, Problem: fmt.Sprintf("provider %s, %s", p.Name(), k.name), Err: err}
			}
		}
	}
	// A fixed seed: what fails on one machine can be repeated on another.
	r := rand.New(rand.NewChaCha8([32]byte([]byte("citygrid seal self-test, 64 msgs"))))
	for i := range crossChecks {
		if err := crossCheck(a, b, r); err != nil {
			return &Error{Code: SelfTestFailed, Problem: fmt.Sprintf("providers %s and %s, message %d", a.Name(), b.Name(), i), Err: err}
		}
	}
	return nil
}

// knownAnswer is a published result.
type knownAnswer struct {
	name  string
	check func(testable) error
}

func knownAnswers() []knownAnswer {
	return []knownAnswer{
		{"SM4 block [GB/T 32907 A.1]", checkBlock},
		{"SM4-GCM [RFC 8998 A.1]", checkGCM},
		{"SM3 of abc [GB/T 32905 A.1]", checkSM3},
		{"HMAC-SM3", checkHMAC},
		{"HKDF-SM3", checkHKDF},
	}
}

func checkBlock(p testable) error {
	key := unhex("0123456789abcdeffedcba9876543210")
	block, err := p.newBlock(key)
	if err != nil {
		return err
	}
	out := make([]byte, len(key))
	block.Encrypt(out, key)
	if err := same(out, "681edf34d206965e86b3e94f536e4246"); err != nil {
		return err
	}
	block.Decrypt(out, out)
	return same(out, "0123456789abcdeffedcba9876543210")
}

const (
	rfc8998Key    = "0123456789abcdeffedcba9876543210"
	rfc8998Nonce  = "00001234567800000000abcd"
	rfc8998AAD    = "feedfacedeadbeeffeedfacedeadbeefabaddad2"
	rfc8998Plain  = "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddddeeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa"
	rfc8998Sealed = "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d" +
		"83de3541e4c2b58177e065a9bf7b62ec"
)

func checkGCM(p testable) error {
	aead, err := p.NewAEAD(unhex(rfc8998Key))
	if err != nil {
		return err
	}
	nonce, aad := unhex(rfc8998Nonce), unhex(rfc8998AAD)
	sealed := aead.Seal(nil, nonce, unhex(rfc8998Plain), aad)
	if err := same(sealed, rfc8998Sealed); err != nil {
		return err
	}
	plain, err := aead.Open(nil, nonce, sealed, aad)
	if err != nil {
		return err
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := aead.Open(nil, nonce, sealed, aad); err == nil {
		return fmt.Errorf("a changed tag was accepted")
	}
	return same(plain, rfc8998Plain)
}

func checkSM3(p testable) error {
	h := p.NewHash()
	h.Write([]byte("abc"))
	return same(h.Sum(nil), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0")
}

// checkHMAC and checkHKDF use values computed with OpenSSL 3.0, see
// testdata/primitives.json.
func checkHMAC(p testable) error {
	h := hmac.New(p.NewHash, []byte("key"))
	h.Write([]byte("The quick brown fox jumps over the lazy dog"))
	return same(h.Sum(nil), "bd4a34077888162b210645b8ebf74b9af357303789357a27c7fc457244ebd398")
}

func checkHKDF(p testable) error {
	okm, err := hkdf.Key(p.NewHash, unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"),
		unhex("000102030405060708090a0b0c"), string(unhex("f0f1f2f3f4f5f6f7f8f9")), 42)
	if err != nil {
		return err
	}
	return same(okm, "c69fe91b7aaee2dd5718d72dcaee0cce93f1b8e41f792da51261b6a517e68b36ed2c595572b01dfa359b")
}

// crossCheck seals with one provider and opens with the other, both ways. The
// nonce is rich in 0xFF, where counters carry.
func crossCheck(a, b Provider, r *rand.Rand) error {
	key, nonce := randomBytes(r, keySize), randomBytes(r, nonceSize)
	for i := range nonce {
		if r.IntN(2) == 0 {
			nonce[i] = 0xff
		}
	}
	plain, aad := randomBytes(r, r.IntN(1200)), randomBytes(r, r.IntN(100))
	one, err := a.NewAEAD(key)
	if err != nil {
		return err
	}
	two, err := b.NewAEAD(key)
	if err != nil {
		return err
	}
	sealed := one.Seal(nil, nonce, plain, aad)
	if !bytes.Equal(sealed, two.Seal(nil, nonce, plain, aad)) {
		return fmt.Errorf("they seal %d bytes differently", len(plain))
	}
	for _, aead := range []cipher.AEAD{one, two} {
		if got, err := aead.Open(nil, nonce, sealed, aad); err != nil || !bytes.Equal(got, plain) {
			return fmt.Errorf("one of them does not open %d bytes: %v", len(plain), err)
		}
	}
	ha, hb := a.NewHash(), b.NewHash()
	ha.Write(plain)
	hb.Write(plain)
	if !bytes.Equal(ha.Sum(aad), hb.Sum(aad)) {
		return fmt.Errorf("they hash %d bytes differently", len(plain))
	}
	return nil
}

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func same(got []byte, want string) error {
	if hex.EncodeToString(got) != want {
		return fmt.Errorf("got %x, want %s", got, want)
	}
	return nil
}

// unhex reads a constant of this file; a misprint in it fails every check.
func unhex(s string) []byte {
	b, _ := hex.DecodeString(s)
	return b
}
