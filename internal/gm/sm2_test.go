package gm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm2"
)

// The example of [GB/T 32918.5 A.2]: message "message digest", user id
// 1234567812345678.
const (
	exampleX = "09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020"
	exampleY = "CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13"
	exampleR = "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3"
	exampleS = "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA"
)

func fromHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVerifiesTheStandardsExample(t *testing.T) {
	key, err := sm2.NewPublicKey(fromHex(t, "04"+exampleX+exampleY))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(fromHex(t, exampleR)), new(big.Int).SetBytes(fromHex(t, exampleS))})
	if err != nil {
		t.Fatal(err)
	}
	if !(SM2Public{key}).Verify([]byte("message digest"), signature) {
		t.Error("the example of the standard does not verify")
	}
	if (SM2Public{key}).Verify([]byte("message digesu"), signature) {
		t.Error("another message verifies")
	}
}

func TestKeyThroughItsFiles(t *testing.T) {
	k, err := NewSM2Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const rounds = 1000 // quick
	file, err := k.Encrypted([]byte("many words"), rounds)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseSM2Key(file, []byte("many words"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := k.Public().PEM()
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParseSM2Public(public)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := again.Sign(rand.Reader, []byte("fen"))
	if err != nil {
		t.Fatal(err)
	}
	if !p.Verify([]byte("fen"), signature) {
		t.Error("a key that was written and read signs something else")
	}
	for i := range signature {
		changed := bytes.Clone(signature)
		changed[i] ^= 1
		if p.Verify([]byte("fen"), changed) {
			t.Errorf("verifies with byte %d of the signature changed", i)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); strings.Count(text, "[redacted]") < 3 {
		t.Errorf("a key prints as %s", text)
	}
}

func TestRefusesKeyFiles(t *testing.T) {
	k, err := NewSM2Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	file, err := k.Encrypted([]byte("right"), 1000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseSM2Key(file, []byte("wrong")); !errors.Is(err, ErrKey) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := ParseSM2Key(file, nil); !errors.Is(err, ErrKey) {
		t.Errorf("no passphrase: %v", err)
	}
	if _, err := k.Encrypted(nil, 1000); err == nil {
		t.Error("a key without passphrase was written")
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&other.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"no PEM": "hello", "empty": "", "another block": string(file),
		"two blocks": string(pem.EncodeToMemory(&pem.Block{Type: publicKeyBlock, Bytes: der})) + string(file),
		"NIST P-256": string(pem.EncodeToMemory(&pem.Block{Type: publicKeyBlock, Bytes: der})),
		"no key":     string(pem.EncodeToMemory(&pem.Block{Type: publicKeyBlock, Bytes: []byte{1, 2}})),
	} {
		if _, err := ParseSM2Public([]byte(text)); err == nil {
			t.Errorf("%s: read as a public key", name)
		}
	}
	if (SM2Public{}).Verify(nil, nil) {
		t.Error("the zero key verifies")
	}
}
