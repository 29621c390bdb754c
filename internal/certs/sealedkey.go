package certs

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"

	"citygrid/internal/secret"
)

// sealRounds is how often PBKDF2-HMAC-SHA256 goes round.
const sealRounds = 600_000

// maxRounds bounds what a file can make this machine do. It is why the seal is read here:
// gmsm/pkcs8 reads the same form, and any number of rounds, weaker ciphers and scrypt of
// any size with it, so that most of this file would have to stand before it.
const maxRounds = 10_000_000

// The names of PBES2's parts [RFC 8018 A, RFC 9879].
func oid(last ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 2, 840, 113549}, last...)
}

// aes256CBC is AES-256 in CBC [NIST, CSOR].
func aes256CBC() asn1.ObjectIdentifier {
	return asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
}

// sealedKey is EncryptedPrivateKeyInfo [RFC 5958 3].
type sealedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2 struct{ Derive, Cipher pkix.AlgorithmIdentifier }

type pbkdf2Parameters struct {
	Salt   []byte
	Rounds int
	Length int `asn1:"optional"`
	PRF    pkix.AlgorithmIdentifier
}

// errPassphrase is all that can be told: a wrong passphrase and a damaged file look the
// same.
var errPassphrase = errors.New("the passphrase is wrong, or the file is damaged")

// sealKey writes key so that only the passphrase opens it.
func sealKey(key *ecdsa.PrivateKey, passphrase secret.Secret) ([]byte, error) {
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("seal the authority's key: %w", err)
	}
	defer clear(plain)
	salt, iv := make([]byte, 16), make([]byte, aes.BlockSize)
	_, _ = rand.Read(salt) // never fails [crypto/rand]
	_, _ = rand.Read(iv)
	block, err := derive(passphrase, salt, sealRounds)
	if err != nil {
		return nil, fmt.Errorf("seal the authority's key: %w", err)
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	for range pad {
		plain = append(plain, byte(pad))
	}
	data := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, plain)
	der, err := encodeSealed(salt, iv, data, sealRounds)
	if err != nil {
		return nil, fmt.Errorf("seal the authority's key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}), nil
}

func derive(passphrase secret.Secret, salt []byte, rounds int) (cipher.Block, error) {
	p := passphrase.Reveal()
	defer clear(p)
	key, err := pbkdf2.Key(sha256.New, string(p), salt, rounds, 32)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return aes.NewCipher(key)
}

func encodeSealed(salt, iv, data []byte, rounds int) ([]byte, error) {
	var errs [4]error
	raw := func(n int, v any) asn1.RawValue {
		der, err := asn1.Marshal(v)
		errs[n] = err
		return asn1.RawValue{FullBytes: der}
	}
	prf := pkix.AlgorithmIdentifier{Algorithm: oid(2, 9), Parameters: asn1.NullRawValue}
	scheme := pbes2{
		Derive: pkix.AlgorithmIdentifier{Algorithm: oid(1, 5, 12), Parameters: raw(0, pbkdf2Parameters{Salt: salt, Rounds: rounds, PRF: prf})},
		Cipher: pkix.AlgorithmIdentifier{Algorithm: aes256CBC(), Parameters: raw(1, iv)},
	}
	der, err := asn1.Marshal(sealedKey{pkix.AlgorithmIdentifier{Algorithm: oid(1, 5, 13), Parameters: raw(2, scheme)}, data})
	return der, errors.Join(errors.Join(errs[:]...), err)
}

// openKey reads what sealKey or openssl wrote. CBC does not authenticate: what comes out
// must be a key, and open compares it with the certificate.
func openKey(text []byte, passphrase secret.Secret) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "ENCRYPTED PRIVATE KEY" {
		return nil, errors.New("want a key sealed by a passphrase, as citygrid certs init writes it")
	}
	salt, iv, data, rounds, err := decodeSealed(block.Bytes)
	if err != nil {
		return nil, err
	}
	cipherBlock, err := derive(passphrase, salt, rounds)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(data))
	defer clear(plain)
	cipher.NewCBCDecrypter(cipherBlock, iv).CryptBlocks(plain, data)
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > aes.BlockSize || pad > len(plain) {
		return nil, errPassphrase
	}
	parsed, err := x509.ParsePKCS8PrivateKey(plain[:len(plain)-pad])
	if err != nil {
		return nil, errPassphrase
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("want an ECDSA key")
	}
	return key, nil
}

var errSealed = errors.New("the seal is not PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC, or the file is damaged")

func decodeSealed(der []byte) (salt, iv, data []byte, rounds int, err error) {
	var k sealedKey
	var s pbes2
	var p pbkdf2Parameters
	for _, part := range []struct {
		der func() []byte
		to  any
	}{
		{func() []byte { return der }, &k},
		{func() []byte { return k.Algorithm.Parameters.FullBytes }, &s},
		{func() []byte { return s.Derive.Parameters.FullBytes }, &p},
		{func() []byte { return s.Cipher.Parameters.FullBytes }, &iv},
	} {
		if rest, err := asn1.Unmarshal(part.der(), part.to); err != nil || len(rest) > 0 {
			return nil, nil, nil, 0, errSealed
		}
	}
	if !k.Algorithm.Algorithm.Equal(oid(1, 5, 13)) || !s.Derive.Algorithm.Equal(oid(1, 5, 12)) || !p.PRF.Algorithm.Equal(oid(2, 9)) ||
		!s.Cipher.Algorithm.Equal(aes256CBC()) || len(iv) != aes.BlockSize || len(k.Data) == 0 || len(k.Data)%aes.BlockSize != 0 ||
		p.Rounds < 1 || p.Rounds > maxRounds {
		return nil, nil, nil, 0, errSealed
	}
	return p.Salt, iv, k.Data, p.Rounds, nil
}
