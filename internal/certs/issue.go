package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"citygrid/internal/durable"
	"citygrid/internal/secret"
)

// Request asks for a certificate.
type Request struct {
	Kind Kind
	// Name is the common name. Of a client it is its user and client id at the
	// broker; of a server its first host name or address.
	Name string
	// Hosts are more names and addresses by which clients reach a server.
	Hosts []string
	// Cluster lets a server's certificate be a client's too: the servers of a NATS
	// cluster are each other's clients.
	Cluster bool
	// Days is how long it lasts, 1 to MaxDays.
	Days int
	// Signing is a certificate request [RFC 2986], PEM, of a device that keeps its key
	// to itself; empty: the authority draws the key and writes it beside the
	// certificate.
	Signing []byte
}

// Issued says where a certificate is.
type Issued struct {
	Record
	Cert string
	Key  string // empty when the device keeps its key
}

var (
	// clientName is what a user is called at every broker.
	clientName = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
	hostName   = regexp.MustCompile(`^(\*\.)?[0-9A-Za-z_]([0-9A-Za-z_.-]{0,251}[0-9A-Za-z_])?$`)
)

// Issue makes a certificate, and its key where the request brings none. A name has one
// live certificate: Renew replaces it, Revoke ends it. No file is ever overwritten.
func (f Folder) Issue(passphrase secret.Secret, r Request, now time.Time) (Issued, error) {
	if err := r.check(); err != nil {
		return Issued{}, err
	}
	return f.with(passphrase, now, func(a *authority) (Issued, error) {
		if i := a.live(r.Kind, r.Name); i >= 0 {
			return Issued{}, fmt.Errorf("%s %s has a certificate until %s: renew or revoke it", a.records[i].Kind, r.Name, a.records[i].Ends.Format(time.DateOnly))
		}
		out := f.place(r)
		if err := errors.Join(absent(out.Cert), absent(f.keyPath(r.Kind, r.Name))); err != nil {
			return Issued{}, fmt.Errorf("issue a certificate: %w", err)
		}
		made, err := a.sign(r)
		if err != nil {
			return Issued{}, err
		}
		return a.keep(r, made, out)
	})
}

// Renew makes a certificate with a new key in place of the live one of a name, with the
// same hosts, and moves the old one aside, or leaves everything as it is. The old one stays good until it ends or is
// revoked by its serial number, so that nothing stops while the new one is brought to its
// place.
func (f Folder) Renew(passphrase secret.Secret, r Request, now time.Time) (Issued, error) {
	if err := r.check(); err != nil {
		return Issued{}, err
	}
	return f.with(passphrase, now, func(a *authority) (Issued, error) {
		i := a.live(r.Kind, r.Name)
		if i < 0 {
			return Issued{}, fmt.Errorf("%s %s has no certificate that could be renewed: issue one", r.Kind, r.Name)
		}
		old := a.records[i]
		if len(r.Hosts) == 0 {
			r.Hosts = old.Hosts
		}
		r.Kind, r.Cluster = old.Kind, r.Cluster || old.Cluster
		made, err := a.sign(r)
		if err != nil {
			return Issued{}, err
		}
		restore, err := f.setAside(old)
		if err != nil {
			return Issued{}, err
		}
		out, err := a.keep(r, made, f.place(r))
		if err != nil {
			return Issued{}, errors.Join(err, restore())
		}
		return out, nil
	})
}

// Revoke puts certificates of a name on the list of revoked ones: all that are live, or
// the one with the serial number. It returns those. Brokers and hubs have to read the
// list again (SIGHUP).
func (f Folder) Revoke(passphrase secret.Secret, kind Kind, name, serial string, now time.Time) (revoked []Record, err error) {
	_, err = f.with(passphrase, now, func(a *authority) (Issued, error) {
		for i, r := range a.records {
			if !sameName(r, kind, name) || !r.Live(now) || serial != "" && r.Serial != serial {
				continue
			}
			a.records[i].Revoked = now.UTC().Truncate(time.Second)
			revoked = append(revoked, a.records[i])
		}
		if len(revoked) == 0 {
			return Issued{}, fmt.Errorf("no live certificate of %s %s %s: citygrid certs ls lists them", kind, name, serial)
		}
		if err := a.save(); err != nil {
			return Issued{}, err
		}
		if a.live(kind, name) < 0 {
			_, err := f.setAside(revoked[len(revoked)-1])
			return Issued{}, err
		}
		return Issued{}, nil
	})
	return revoked, err
}

// with opens the authority under its lock.
func (f Folder) with(passphrase secret.Secret, now time.Time, do func(*authority) (Issued, error)) (Issued, error) {
	unlock, err := f.lock()
	if err != nil {
		return Issued{}, err
	}
	defer unlock()
	a, err := f.open(passphrase, now)
	if err != nil {
		return Issued{}, err
	}
	return do(a)
}

// check finds what no certificate could hold.
func (r Request) check() error {
	switch r.Kind {
	case Collector, Hub:
		if !clientName.MatchString(r.Name) {
			return fmt.Errorf("%s %q: want 1 to 64 of 0-9 A-Z a-z _ -, the user at the broker", r.Kind, r.Name)
		}
		if len(r.Hosts) > 0 || r.Cluster {
			return fmt.Errorf("%s %s: host names and addresses belong to a server", r.Kind, r.Name)
		}
	case Server:
		for _, h := range append([]string{r.Name}, r.Hosts...) {
			if net.ParseIP(h) == nil && !hostName.MatchString(h) {
				return fmt.Errorf("server %q: want a host name or an address", h)
			}
		}
	default:
		return fmt.Errorf("kind %q: want server, collector or hub", r.Kind)
	}
	if r.Days < 1 || r.Days > MaxDays {
		return fmt.Errorf("%d days: want 1 to %d", r.Days, MaxDays)
	}
	return nil
}

// live returns the place of the newest live certificate of a name; -1 for none.
// Collectors and hubs share their names: both are users of one broker.
func (a *authority) live(kind Kind, name string) int {
	for i, r := range slices.Backward(a.records) {
		if sameName(r, kind, name) && r.Live(a.now) {
			return i
		}
	}
	return -1
}

func sameName(r Record, kind Kind, name string) bool {
	return r.Name == name && (r.Kind == Server) == (kind == Server)
}

func folderOf(kind Kind) string {
	if kind == Server {
		return "servers"
	}
	return "clients"
}

func (f Folder) certPath(kind Kind, name string) string { return f.path(folderOf(kind), name+".crt") }
func (f Folder) keyPath(kind Kind, name string) string  { return f.path(folderOf(kind), name+".key") }

func (f Folder) place(r Request) Issued {
	out := Issued{Cert: f.certPath(r.Kind, r.Name)}
	if len(r.Signing) == 0 {
		out.Key = f.keyPath(r.Kind, r.Name)
	}
	return out
}

// setAside gives the files of a certificate the name of its serial number; restore takes
// that back. With an error nothing has moved.
func (f Folder) setAside(r Record) (restore func() error, err error) {
	moved := make(map[string]string) // from where to where
	restore = func() (err error) {
		for from, to := range moved {
			err = errors.Join(err, os.Rename(to, from))
		}
		return err
	}
	for _, path := range []string{f.certPath(r.Kind, r.Name), f.keyPath(r.Kind, r.Name)} {
		if absent(path) == nil {
			continue // the device kept its key, or somebody took the file to its place
		}
		ext := filepath.Ext(path)
		to := path[:len(path)-len(ext)] + "." + r.Serial + ext
		err := absent(to)
		if err == nil {
			err = os.Rename(path, to)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("set %s aside: %w", path, err), restore())
		}
		moved[path] = to
	}
	return restore, nil
}

// signed is a certificate that nobody has yet.
type signed struct {
	der, private []byte // private is PEM; nil when the device keeps its key
	cert         *x509.Certificate
}

// sign makes a certificate and writes nothing.
func (a *authority) sign(r Request) (signed, error) {
	public, private, err := r.key()
	if err != nil {
		return signed{}, err
	}
	template, err := a.template(r)
	if err != nil {
		return signed{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
	if err != nil {
		return signed{}, fmt.Errorf("sign the certificate of %s: %w", r.Name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return signed{}, fmt.Errorf("sign the certificate of %s: %w", r.Name, err)
	}
	return signed{der, private, cert}, nil
}

// keep writes what sign made. The record comes first: a certificate that nobody knows of
// could not be revoked.
func (a *authority) keep(r Request, made signed, out Issued) (Issued, error) {
	out.Record = recordOf(made.cert)
	out.Kind, out.Hosts, out.Cluster = r.Kind, r.Hosts, r.Cluster
	a.records = append(a.records, out.Record)
	if err := a.folder.writeRecords(a.records); err != nil {
		return Issued{}, err
	}
	if err := os.MkdirAll(filepath.Dir(out.Cert), 0o700); err != nil {
		return Issued{}, err
	}
	if made.private != nil {
		if err := durable.WriteFile(out.Key, made.private, 0o600); err != nil {
			return Issued{}, err
		}
	}
	return out, durable.WriteFile(out.Cert, encodeCertificate(made.der), 0o644)
}

// template is what the certificate says. Its end is not after the authority's, or
// nobody could check it then.
func (a *authority) template(r Request) (*x509.Certificate, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	ends := a.now.Add(time.Duration(r.Days) * day).UTC()
	if ends.After(a.cert.NotAfter) {
		ends = a.cert.NotAfter
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: r.Name},
		NotBefore: a.now.Add(-clockSlack).UTC(), NotAfter: ends,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if r.Kind != Server {
		return t, nil
	}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if r.Cluster {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	for _, h := range append([]string{r.Name}, r.Hosts...) {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else if !slices.Contains(t.DNSNames, h) {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	return t, nil
}

// key returns the key to sign: that of the request, or a new one and its PEM text.
func (r Request) key() (public crypto.PublicKey, private []byte, err error) {
	if len(r.Signing) > 0 {
		public, err = r.requested()
		return public, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("draw a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("write a key: %w", err)
	}
	return &key.PublicKey, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// requested checks a device's request. Of all it says only the key and the name count.
func (r Request) requested() (crypto.PublicKey, error) {
	block, _ := pem.Decode(r.Signing)
	if block == nil || block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST" {
		return nil, errors.New("certificate request: want PEM, as openssl req writes it")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("certificate request: it is not signed by its own key: %w", err)
	}
	if request.Subject.CommonName != r.Name {
		return nil, fmt.Errorf("certificate request: it is of %q, not of %q: one of the two is of another box", request.Subject.CommonName, r.Name)
	}
	switch key := request.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() {
			return key, nil
		}
	case ed25519.PublicKey:
		return key, nil
	case *rsa.PublicKey:
		if key.N.BitLen() >= 2048 {
			return key, nil
		}
	}
	return nil, errors.New("certificate request: want a key of ECDSA P-256 or P-384, Ed25519, or RSA from 2048 bits")
}

// serialOf is how records and lists write a serial number.
func serialOf(n *big.Int) string { return n.Text(16) }
