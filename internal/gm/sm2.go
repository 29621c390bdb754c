package gm

import (
	"crypto/ecdsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io"

	"github.com/emmansun/gmsm/pkcs"
	"github.com/emmansun/gmsm/pkcs8"
	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// The kinds of PEM blocks [RFC 7468].
const (
	encryptedKeyBlock = "ENCRYPTED PRIVATE KEY"
	publicKeyBlock    = "PUBLIC KEY"
)

// ErrKey says that a key file cannot be opened: the passphrase is wrong or the
// file is damaged, which cannot be told apart.
var ErrKey = errors.New("wrong passphrase, or the key file is damaged")

// SM2Key is a private signing key [GB/T 32918.2]. It prints as "[redacted]".
type SM2Key struct{ key func() *sm2.PrivateKey }

// NewSM2Key draws a key from rand, which in a program is crypto/rand.Reader.
func NewSM2Key(rand io.Reader) (SM2Key, error) {
	k, err := sm2.GenerateKey(rand)
	if err != nil {
		return SM2Key{}, fmt.Errorf("draw an SM2 key: %w", err)
	}
	return keyOf(k), nil
}

// keyOf hides k behind a function, which printing by reflection cannot look into.
func keyOf(k *sm2.PrivateKey) SM2Key { return SM2Key{key: func() *sm2.PrivateKey { return k }} }

// String returns "[redacted]".
func (SM2Key) String() string { return "[redacted]" }

// Public returns the half that verifies.
func (k SM2Key) Public() SM2Public { return SM2Public{&k.key().PublicKey} }

// Sign signs message, not its digest, with the user id 1234567812345678 that
// [GM/T 0009] gives where none is agreed. The signature is ASN.1 DER.
func (k SM2Key) Sign(rand io.Reader, message []byte) ([]byte, error) {
	s, err := k.key().SignWithSM2(rand, nil, message)
	if err != nil {
		return nil, fmt.Errorf("sign with SM2: %w", err)
	}
	return s, nil
}

// Encrypted returns the key as PEM of an encrypted PKCS #8 [RFC 5958]: SM4-GCM
// under PBKDF2 with HMAC-SM3. 600,000 rounds take about a second.
func (k SM2Key) Encrypted(passphrase []byte, rounds int) ([]byte, error) {
	if len(passphrase) == 0 {
		return nil, errors.New("write an SM2 key: empty passphrase")
	}
	der, err := pkcs8.MarshalPrivateKey(k.key(), passphrase, pkcs.NewPBESEncrypter(pkcs.SM4GCM, pkcs.NewPBKDF2Opts(pkcs.SM3, 16, rounds)))
	if err != nil {
		return nil, fmt.Errorf("write an SM2 key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: encryptedKeyBlock, Bytes: der}), nil
}

// ParseSM2Key reads what Encrypted wrote. The error wraps ErrKey when the
// passphrase does not open the file.
func ParseSM2Key(text, passphrase []byte) (SM2Key, error) {
	der, err := oneBlock(text, encryptedKeyBlock)
	if err != nil {
		return SM2Key{}, err
	}
	if len(passphrase) == 0 {
		return SM2Key{}, ErrKey
	}
	k, err := pkcs8.ParsePKCS8PrivateKeySM2(der, passphrase)
	if err != nil {
		return SM2Key{}, fmt.Errorf("%w (%w)", ErrKey, err)
	}
	return keyOf(k), nil
}

// SM2Public is the half of a key that verifies. The zero SM2Public verifies
// nothing.
type SM2Public struct{ key *ecdsa.PublicKey }

// Verify reports whether signature is that of message by the key.
func (p SM2Public) Verify(message, signature []byte) bool {
	return p.key != nil && sm2.VerifyASN1WithSM2(p.key, nil, message, signature)
}

// PEM returns the key as a PEM block of its SubjectPublicKeyInfo [RFC 5480].
func (p SM2Public) PEM() ([]byte, error) {
	der, err := p.DER()
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: publicKeyBlock, Bytes: der}), nil
}

// DER returns what stands in the PEM block: the name of the key in documents.
func (p SM2Public) DER() ([]byte, error) {
	der, err := smx509.MarshalPKIXPublicKey(p.key)
	if err != nil {
		return nil, fmt.Errorf("write an SM2 public key: %w", err)
	}
	return der, nil
}

// ParseSM2Public reads PEM.
func ParseSM2Public(text []byte) (SM2Public, error) {
	der, err := oneBlock(text, publicKeyBlock)
	if err != nil {
		return SM2Public{}, err
	}
	return ParseSM2PublicDER(der)
}

// ParseSM2PublicDER reads a SubjectPublicKeyInfo. Keys of other curves are
// refused.
func ParseSM2PublicDER(der []byte) (SM2Public, error) {
	parsed, err := smx509.ParsePKIXPublicKey(der)
	if err != nil {
		return SM2Public{}, fmt.Errorf("read an SM2 public key: %w", err)
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || !sm2.IsSM2PublicKey(key) {
		return SM2Public{}, errors.New("read an SM2 public key: the key is of another kind")
	}
	return SM2Public{key}, nil
}

// oneBlock returns the bytes of the only PEM block of text.
func oneBlock(text []byte, kind string) ([]byte, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("want a PEM file with a block %s", kind)
	}
	if block.Type != kind {
		return nil, fmt.Errorf("want a PEM file with a block %s, not %s", kind, block.Type)
	}
	if next, _ := pem.Decode(rest); next != nil {
		return nil, errors.New("want a PEM file with one block")
	}
	return block.Bytes, nil
}
