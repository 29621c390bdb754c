package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"citygrid/internal/secret"
)

func requestDER(f *testing.F, name string) []byte {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, key)
	if err != nil {
		f.Fatal(err)
	}
	return der
}

// FuzzRequest: no certificate request of a device makes the authority panic, and none
// of another name or with another's signature is taken.
func FuzzRequest(f *testing.F) {
	der := requestDER(f, "c-1")
	f.Add(der, true)
	f.Add(requestDER(f, "c-2"), true)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), false)
	f.Fuzz(func(t *testing.T, data []byte, wrap bool) {
		if wrap {
			data = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: data})
		}
		key, err := Request{Name: "c-1", Signing: data}.requested()
		if (key == nil) == (err == nil) {
			t.Fatalf("%v with error %v", key, err)
		}
	})
}

// FuzzSealedKey: no file makes the reader of the authority's key panic.
func FuzzSealedKey(f *testing.F) {
	salt, iv := make([]byte, 16), make([]byte, 16)
	der, err := encodeSealed(salt, iv, make([]byte, 144), sealRounds)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Fuzz(func(t *testing.T, der []byte) {
		_, iv, data, rounds, err := decodeSealed(der)
		if err != nil || rounds > 1000 {
			return // a derivation of many rounds takes seconds, and finds nothing
		}
		if len(iv) != 16 || len(data) == 0 || len(data)%16 != 0 {
			t.Fatalf("an IV of %d bytes before %d", len(iv), len(data))
		}
		if key, err := openKey(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}), secret.New(testPassphrase)); (key == nil) == (err == nil) {
			t.Fatalf("%v with error %v", key, err)
		}
	})
}

// FuzzRevoked: a list that no authority has signed is refused, whatever it holds.
func FuzzRevoked(f *testing.F) {
	f.Add([]byte("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n"))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: requestDER(f, "c-1")}))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "crl")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readRevoked(path, nil); err == nil {
			t.Fatalf("accepted %v", got)
		}
	})
}
