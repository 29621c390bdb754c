package seal

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"io"

	"github.com/emmansun/gmsm/sm2"

	"citygrid/internal/secret"
	"citygrid/internal/strictjson"
	"citygrid/schemas"
)

const (
	boxKeyFormat  = "citygrid enrolment key"
	requestFormat = "citygrid enrolment request"
	enrolVersion  = 1
	scalarSize    = 32             // bytes of an SM2 private key
	pointSize     = 1 + 2*32       // 04, x, y
	envelopedSize = pointSize + 32 // C1 and C3 of an SM2 ciphertext, before C2
)

// BoxKey is the SM2 key pair that a box makes to be enrolled with once. It prints
// as "[redacted]".
type BoxKey struct {
	Collector schemas.CollectorID
	secret.Secret
}

// EnrolmentRequest asks the key office for a bundle that only the maker of the
// request can open. It is not secret.
type EnrolmentRequest struct {
	Collector schemas.CollectorID
	public    []byte // 04, x, y; a point of the curve
}

type boxKeyFile struct {
	Format    string   `json:"format"`
	Version   int      `json:"version"`
	Collector string   `json:"collector"`
	Private   hexBytes `json:"private"`
}

type requestFile struct {
	Format    string   `json:"format"`
	Version   int      `json:"version"`
	Collector string   `json:"collector"`
	Public    hexBytes `json:"public"`
}

// NewBoxKey draws a key pair from rand, which in a program is crypto/rand.Reader.
func NewBoxKey(collector schemas.CollectorID, rand io.Reader) (*BoxKey, error) {
	if err := collector.Validate(); err != nil {
		return nil, err
	}
	k, err := sm2.GenerateKey(rand)
	if err != nil {
		return nil, fmt.Errorf("draw an SM2 key: %w", err)
	}
	d := k.D.FillBytes(make([]byte, scalarSize))
	defer clear(d)
	return &BoxKey{Collector: collector, Secret: secret.New(d)}, nil
}

// private returns the key for one use.
func (k *BoxKey) private() (*sm2.PrivateKey, error) {
	d := k.Reveal()
	defer clear(d)
	p, err := sm2.NewPrivateKey(d)
	if err != nil {
		return nil, errorf(FileBad, "enrolment key of %s: no private key of SM2", k.Collector)
	}
	return p, nil
}

// Request returns the public half.
func (k *BoxKey) Request() (*EnrolmentRequest, error) {
	p, err := k.private()
	if err != nil {
		return nil, err
	}
	public := append([]byte{4}, p.X.FillBytes(make([]byte, 32))...)
	return &EnrolmentRequest{Collector: k.Collector, public: append(public, p.Y.FillBytes(make([]byte, 32))...)}, nil
}

// WriteBoxKey writes k to a new file of mode 0600, durably. It refuses to replace a
// file.
func WriteBoxKey(path string, k *BoxKey) error {
	private := k.Reveal()
	defer clear(private)
	f := boxKeyFile{Format: boxKeyFormat, Version: enrolVersion, Collector: string(k.Collector), Private: private}
	if err := writePrivate(path, f); err != nil {
		return fmt.Errorf("write enrolment key: %w", err)
	}
	return nil
}

// ReadBoxKey reads a file of WriteBoxKey. The errors are *Error with FileMode or
// FileBad.
func ReadBoxKey(path string) (*BoxKey, error) {
	data, err := readPrivate(path, anyoneElse)
	if err != nil {
		return nil, fmt.Errorf("read enrolment key: %w", err)
	}
	defer clear(data)
	var f boxKeyFile
	if err := strictjson.Decode(data, &f); err != nil {
		return nil, fmt.Errorf("read enrolment key %s: %w", path, &Error{Code: FileBad, Problem: "not an enrolment key", Err: err})
	}
	defer clear(f.Private)
	k := &BoxKey{Collector: schemas.CollectorID(f.Collector), Secret: secret.New(f.Private)}
	if f.Format != boxKeyFormat || f.Version != enrolVersion || k.Collector.Validate() != nil || len(f.Private) != scalarSize {
		return nil, fmt.Errorf("read enrolment key %s: %w", path, errorf(FileBad, "want %q version %d", boxKeyFormat, enrolVersion))
	}
	if _, err := k.private(); err != nil {
		return nil, fmt.Errorf("read enrolment key %s: %w", path, err)
	}
	return k, nil
}

// MarshalFile returns the request as the file that travels.
func (r *EnrolmentRequest) MarshalFile() ([]byte, error) {
	data, err := json.MarshalIndent(requestFile{Format: requestFormat, Version: enrolVersion, Collector: string(r.Collector), Public: r.public}, "", "  ")
	return append(data, '\n'), err
}

// ParseRequest reads a file of MarshalFile. The errors are *Error with FileBad.
func ParseRequest(data []byte) (*EnrolmentRequest, error) {
	var f requestFile
	if err := strictjson.Decode(data, &f); err != nil {
		return nil, &Error{Code: FileBad, Problem: "not an enrolment request", Err: err}
	}
	if f.Format != requestFormat || f.Version != enrolVersion {
		return nil, errorf(FileBad, "want %q version %d", requestFormat, enrolVersion)
	}
	r := &EnrolmentRequest{Collector: schemas.CollectorID(f.Collector), public: f.Public}
	if err := r.Collector.Validate(); err != nil {
		return nil, &Error{Code: FileBad, Problem: "enrolment request", Err: err}
	}
	if _, err := r.key(); err != nil {
		return nil, err
	}
	return r, nil
}

// key returns the public key; the library checks that it lies on the curve.
func (r *EnrolmentRequest) key() (*ecdsa.PublicKey, error) {
	if len(r.public) != pointSize || r.public[0] != 4 {
		return nil, errorf(FileBad, "enrolment request: a public key of %d bytes, want %d that begin with 04", len(r.public), pointSize)
	}
	k, err := sm2.NewPublicKey(r.public)
	if err != nil {
		return nil, errorf(FileBad, "enrolment request: the public key is no point of the curve")
	}
	return k, nil
}

// Words are 80 bits of SM3 over the request as five words, to be read over the
// telephone: a request that was exchanged on its way has others.
func (r *EnrolmentRequest) Words() string {
	h := DefaultProvider().NewHash()
	fmt.Fprintf(h, "%s %d\x00%s\x00", requestFormat, enrolVersion, r.Collector)
	h.Write(r.public)
	return wordsOf(h.Sum(nil)[:fingerprintSize])
}

// recipient names the public key in a sealed bundle.
func (r *EnrolmentRequest) recipient() []byte {
	h := DefaultProvider().NewHash()
	h.Write(r.public)
	return h.Sum(nil)
}
