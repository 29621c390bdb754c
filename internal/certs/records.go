package certs

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"slices"
	"time"

	"citygrid/internal/durable"
)

// Kind is what a certificate is for.
type Kind string

// The kinds. A server's certificate is good for a listener, a collector's and a
// hub's for a client of the broker.
const (
	Server    Kind = "server"
	Collector Kind = "collector"
	Hub       Kind = "hub"
)

// Record is what the authority knows of a certificate that it issued.
type Record struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"`
	// Serial and Fingerprint (SHA-256 of the certificate) are hexadecimal.
	Serial      string    `json:"serial"`
	Fingerprint string    `json:"sha256"`
	Hosts       []string  `json:"hosts,omitempty"` // of a server: names and addresses
	Cluster     bool      `json:"cluster,omitempty"`
	Begins      time.Time `json:"begins"`
	Ends        time.Time `json:"ends"`
	// Revoked is when it was revoked; zero when it was not.
	Revoked time.Time `json:"revoked,omitzero"`
}

// Live reports whether the certificate is good for anything at the time now.
func (r Record) Live(now time.Time) bool { return r.Revoked.IsZero() && now.Before(r.Ends) }

// List returns what the authority issued, the first to end first. It needs no
// passphrase.
func (f Folder) List() ([]Record, error) {
	if _, err := f.authorityCertificate(); err != nil {
		return nil, err
	}
	records, err := f.records()
	slices.SortStableFunc(records, func(a, b Record) int { return a.Ends.Compare(b.Ends) })
	return records, err
}

// Authority returns the authority's own certificate as a record, with an empty kind.
func (f Folder) Authority() (Record, error) {
	cert, err := f.authorityCertificate()
	if err != nil {
		return Record{}, err
	}
	return recordOf(cert), nil
}

func recordOf(cert *x509.Certificate) Record {
	return Record{Name: cert.Subject.CommonName, Serial: cert.SerialNumber.Text(16), Fingerprint: Fingerprint(cert), Begins: cert.NotBefore, Ends: cert.NotAfter}
}

// Fingerprint is the SHA-256 of a certificate, hexadecimal.
func Fingerprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

func (f Folder) records() ([]Record, error) {
	data, err := os.ReadFile(f.path(recordFile))
	if err != nil {
		return nil, fmt.Errorf("account of the issued certificates: %w", err)
	}
	var records []Record
	if err := json.Unmarshal(data, &records); err != nil {
		return nil, fmt.Errorf("account of the issued certificates %s: %w; bring the file back from the back-up", f.path(recordFile), err)
	}
	for i, r := range records {
		if n, ok := new(big.Int).SetString(r.Serial, 16); !ok || n.Sign() <= 0 {
			return nil, fmt.Errorf("account of the issued certificates %s: [%d]: serial %q is no number", f.path(recordFile), i, r.Serial)
		}
	}
	return records, nil
}

func (f Folder) writeRecords(records []Record) error {
	if records == nil {
		records = []Record{}
	}
	data, err := json.MarshalIndent(records, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(f.path(recordFile), append(data, '\n'), 0o600)
}

// readCertificate reads the first certificate of a PEM file.
func readCertificate(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", path, err)
	}
	return cert, nil
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// absent reports an error when something is at path.
func absent(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there already; nothing was changed", path)
	}
	return nil
}
