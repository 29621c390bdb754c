package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	"citygrid/internal/durable"
	"citygrid/internal/secret"
)

// The files of an authority's folder, beside servers/ and clients/ with what it
// issued.
const (
	// CAFile is the authority's own certificate: what everybody trusts.
	CAFile = "ca.crt"
	// CAKeyFile is its key, sealed by the passphrase.
	CAKeyFile = "ca.key"
	// CRLFile is the list of revoked certificates [RFC 5280 5], PEM.
	CRLFile = "crl.pem"
	// recordFile is the authority's account of what it issued.
	recordFile = "issued.json"
)

const (
	day = 24 * time.Hour
	// caYears is how long the authority lasts.
	caYears = 10
	// MaxDays bounds the life of a certificate that the authority issues: two years.
	MaxDays = 731
	// clockSlack lets a device in whose clock is behind the authority's.
	clockSlack = time.Hour
	// MinPassphrase is the shortest passphrase, in bytes, that seals an authority.
	MinPassphrase = 12
)

// Folder is the folder of an authority. Its methods take a lock, so that two
// programs do not issue at once, and write every file so that a power cut leaves
// the old one or the new one.
type Folder string

// CA is the path of the authority's certificate.
func (f Folder) CA() string { return f.path(CAFile) }

// CRL is the path of the list of revoked certificates.
func (f Folder) CRL() string { return f.path(CRLFile) }

func (f Folder) path(names ...string) string {
	return filepath.Join(append([]string{string(f)}, names...)...)
}

// Init makes an authority with the given name, which lasts ten years, and an empty
// list of revoked certificates. An authority that is there is never replaced: all
// that it issued would be worthless.
func (f Folder) Init(name string, passphrase secret.Secret, now time.Time) error {
	if err := checkTitle(name); err != nil {
		return err
	}
	if n := passphrase.Len(); n < MinPassphrase {
		return fmt.Errorf("make an authority: the passphrase has %d bytes, want at least %d: whoever has the key can let anybody in", n, MinPassphrase)
	}
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	for _, name := range []string{CAFile, CAKeyFile, CRLFile, recordFile} {
		if _, err := os.Lstat(f.path(name)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("make an authority: %s is there already; nothing was changed", f.path(name))
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("draw the authority's key: %w", err)
	}
	cert, err := selfSigned(name, key, now)
	if err != nil {
		return err
	}
	sealed, err := sealKey(key, passphrase)
	if err != nil {
		return err
	}
	// The key first: without it the certificate is good for nothing.
	if err := durable.WriteFile(f.path(CAKeyFile), sealed, 0o600); err != nil {
		return err
	}
	if err := durable.WriteFile(f.path(CAFile), encodeCertificate(cert.Raw), 0o644); err != nil {
		return err
	}
	a := &authority{folder: f, cert: cert, key: key, now: now}
	return a.save()
}

// selfSigned makes the authority's own certificate.
func selfSigned(name string, key *ecdsa.PrivateKey, now time.Time) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-clockSlack).UTC(), NotAfter: now.AddDate(caYears, 0, 0).UTC(),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority's certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// checkTitle keeps a name to what a certificate and a terminal can carry.
func checkTitle(name string) error {
	if strings.TrimSpace(name) == "" || len(name) > 64 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("name %q: want 1 to 64 bytes on one line", name)
	}
	return nil
}

// newSerial draws 127 bits, the most that stays a positive number in 16 bytes.
func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil
}

func (f Folder) lock() (unlock func(), err error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return nil, fmt.Errorf("folder of the authority: %w", err)
	}
	free, err := durable.Lock(f.path("lock"))
	if err != nil {
		return nil, fmt.Errorf("folder of the authority: %w", err)
	}
	return func() { _ = free() }, nil
}

// authority is an opened folder.
type authority struct {
	folder  Folder
	cert    *x509.Certificate
	key     *ecdsa.PrivateKey
	now     time.Time
	records []Record
}

// open reads the authority and opens its key. The lock must be held.
func (f Folder) open(passphrase secret.Secret, now time.Time) (*authority, error) {
	cert, err := f.authorityCertificate()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(f.path(CAKeyFile))
	if err != nil {
		return nil, fmt.Errorf("key of the authority: %w", err)
	}
	key, err := openKey(text, passphrase)
	if err != nil {
		return nil, fmt.Errorf("key of the authority %s: %w", f.path(CAKeyFile), err)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s and %s are not of one authority", f.path(CAKeyFile), f.CA())
	}
	if !now.Before(cert.NotAfter) {
		return nil, fmt.Errorf("the authority %s has ended on %s: make a new one in another folder and issue all certificates anew", f.CA(), cert.NotAfter.Format(time.DateOnly))
	}
	records, err := f.records()
	if err != nil {
		return nil, err
	}
	return &authority{folder: f, cert: cert, key: key, now: now, records: records}, nil
}

func (f Folder) authorityCertificate() (*x509.Certificate, error) {
	cert, err := readCertificate(f.CA())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; citygrid certs init makes the authority", err)
	}
	if err == nil && !cert.IsCA {
		err = fmt.Errorf("%s is not the certificate of an authority", f.CA())
	}
	return cert, err
}

// save writes the account and the list of revoked certificates that it says.
func (a *authority) save() error {
	if err := a.folder.writeRecords(a.records); err != nil {
		return err
	}
	return a.writeCRL()
}

// writeCRL signs the list. It holds until the authority ends: a list that had to be
// made anew each month would shut every collector out when nobody did.
func (a *authority) writeCRL() error {
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: a.now.Add(-clockSlack).UTC(), NextUpdate: a.cert.NotAfter}
	for _, r := range a.records {
		if !r.Revoked.IsZero() {
			list.Number.Add(list.Number, big.NewInt(1)) // nothing is ever taken off
			serial, _ := new(big.Int).SetString(r.Serial, 16)
			list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
				x509.RevocationListEntry{SerialNumber: serial, RevocationTime: r.Revoked.UTC()})
		}
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		return fmt.Errorf("sign the list of revoked certificates: %w", err)
	}
	return durable.WriteFile(a.folder.CRL(), pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), 0o644)
}
