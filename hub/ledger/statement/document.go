package statement

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"citygrid/hub/ledger"
	"citygrid/internal/gm"
)

const (
	documentFormat  = "citygrid statement"
	documentVersion = 1
	maxDocument     = 256 << 20 // bytes; a million open differences
)

// Role is what a person answers for with a signature on a statement.
type Role string

// The roles, in the order of signing. Three different persons hold them.
const (
	PreparedBy Role = "prepared" // 对账
	ReviewedBy Role = "reviewed" // 复核
	ApprovedBy Role = "approved" // 批准
)

// Roles returns the roles in their order.
func Roles() []Role { return []Role{PreparedBy, ReviewedBy, ApprovedBy} }

// Signature is one person's SM2 signature over the digest of a statement.
type Signature struct {
	Role   Role   `json:"role"`
	Person string `json:"person"`
	At     string `json:"at"` // RFC 3339, UTC
	// Key is the public key that verifies, Signature the ASN.1 form; both base64.
	Key       string `json:"key"`
	Signature string `json:"signature"`
}

// Document is a statement with its digest and signatures, as it stands in a file.
type Document struct {
	Statement  *Statement
	Digest     string // SM3 of the canonical form, 64 hexadecimal digits
	Signatures []Signature
}

// documentFile is the JSON form. Its fields are in this order.
type documentFile struct {
	Format     string      `json:"format"`
	Version    int         `json:"version"`
	Statement  *Statement  `json:"statement"`
	SM3        string      `json:"sm3"`
	Signatures []Signature `json:"signatures"`
}

// Seal checks s and returns it with its digest, unsigned.
func Seal(s *Statement) (*Document, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	digest, err := digestOf(s)
	if err != nil {
		return nil, err
	}
	return &Document{Statement: s, Digest: digest}, nil
}

func digestOf(s *Statement) (string, error) {
	text, err := s.Canonical()
	if err != nil {
		return "", err
	}
	return ledger.DigestOf(text).String(), nil
}

// check is what every writer asks first: the statement foots and the digest is
// that of the statement.
func (d *Document) check() error {
	if err := d.Statement.Check(); err != nil {
		return err
	}
	digest, err := digestOf(d.Statement)
	if err != nil {
		return err
	}
	if digest != d.Digest {
		return &ChangedError{Printed: d.Digest, Computed: digest}
	}
	return nil
}

// ChangedError says that the content of a statement is not what its digest was
// made of.
type ChangedError struct{ Printed, Computed string }

// Error names both digests.
func (e *ChangedError) Error() string {
	return fmt.Sprintf("the statement was changed after it was made: its digest says %s, its content has %s; get it again from the books", e.Printed, e.Computed)
}

// Marshal returns the bytes of the file. Equal documents have equal bytes.
func (d *Document) Marshal() ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return d.marshal()
}

func (d *Document) marshal() ([]byte, error) {
	f := documentFile{Format: documentFormat, Version: documentVersion, Statement: d.Statement, SM3: d.Digest, Signatures: d.Signatures}
	if f.Signatures == nil {
		f.Signatures = []Signature{}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(f); err != nil {
		return nil, fmt.Errorf("write the statement: %w", err)
	}
	return out.Bytes(), nil
}

// Parse reads a file of Marshal and checks all that can be checked without
// knowing whose the keys are: form, digest, sums, and each signature against the
// key it names. The error says everything that is wrong with the content; any
// single byte that was changed is one.
func Parse(data []byte) (*Document, error) {
	if len(data) > maxDocument {
		return nil, fmt.Errorf("read the statement: longer than %d bytes", maxDocument)
	}
	var f documentFile
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("read the statement: not a statement file: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("read the statement: something follows it")
	}
	if f.Format != documentFormat || f.Version != documentVersion || f.Statement == nil {
		return nil, fmt.Errorf("read the statement: want %q version %d", documentFormat, documentVersion)
	}
	d := &Document{Statement: f.Statement, Digest: f.SM3, Signatures: f.Signatures}
	errs := []error{d.checkDigest(), d.Statement.Check(), d.checkSignatures()}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	again, err := d.marshal()
	if err != nil {
		return nil, err
	}
	if at := firstOther(data, again); at >= 0 {
		return nil, fmt.Errorf("read the statement: line %d is not written as statements are; get the file again from the books", bytes.Count(data[:at], []byte("\n"))+1)
	}
	return d, nil
}

func (d *Document) checkDigest() error {
	digest, err := digestOf(d.Statement)
	if err == nil && digest != d.Digest {
		err = &ChangedError{Printed: d.Digest, Computed: digest}
	}
	return err
}

// firstOther returns where a and b begin to differ, or -1.
func firstOther(a, b []byte) int {
	for n := range min(len(a), len(b)) {
		if a[n] != b[n] {
			return n
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}

// signed is what a signature is made over: the digest and who answers for what.
func signed(digest string, s *Signature) []byte {
	return []byte("citygrid statement signature 1\n" + digest + "\n" + string(s.Role) + "\n" + s.Person + "\n" + s.At + "\n")
}

// Sign adds a signature. It refuses a role that is signed already, a person who
// has signed or prepared the statement in another role, and a statement that does
// not foot.
func (d *Document) Sign(key gm.SM2Key, rand io.Reader, role Role, person string, at time.Time) error {
	if err := d.check(); err != nil {
		return err
	}
	der, err := key.Public().DER()
	if err != nil {
		return err
	}
	s := Signature{Role: role, Person: person, At: at.UTC().Format(time.RFC3339), Key: base64.StdEncoding.EncodeToString(der)}
	all := append(slices.Clone(d.Signatures), s)
	slices.SortStableFunc(all, func(a, b Signature) int { return slices.Index(Roles(), a.Role) - slices.Index(Roles(), b.Role) })
	if err := d.checkPersons(all); err != nil {
		return fmt.Errorf("sign the statement: %w", err)
	}
	bytes, err := key.Sign(rand, signed(d.Digest, &s))
	if err != nil {
		return fmt.Errorf("sign the statement: %w", err)
	}
	for n := range all {
		if all[n] == s {
			all[n].Signature = base64.StdEncoding.EncodeToString(bytes)
		}
	}
	d.Signatures = all
	return nil
}

// checkPersons holds signatures to one a role, in order, each by another person,
// with the key of nobody else.
func (d *Document) checkPersons(all []Signature) error {
	roles, keys := map[Role]bool{}, map[string]string{}
	persons := []Signature{{Role: PreparedBy, Person: d.Statement.Prepared.By}}
	before := -1
	for n := range all {
		s := &all[n]
		at := slices.Index(Roles(), s.Role)
		other := slices.IndexFunc(persons, func(p Signature) bool { return ledger.SamePerson(p.Person, s.Person) })
		if err := ledger.CheckPerson(s.Person); err != nil {
			return err
		}
		switch {
		case at < 0:
			return fmt.Errorf("role %q: want prepared, reviewed or approved", s.Role)
		case roles[s.Role]:
			return fmt.Errorf("it is signed as %s already", s.Role)
		case at < before:
			return errors.New("the signatures are out of order")
		case s.Role == PreparedBy && s.Person != d.Statement.Prepared.By:
			return fmt.Errorf("%s has prepared it, not %s", d.Statement.Prepared.By, s.Person)
		case other >= 0 && persons[other].Role != s.Role:
			return fmt.Errorf("%s has %s it; another person must have it %s", s.Person, persons[other].Role, s.Role)
		case keys[s.Key] != "":
			return fmt.Errorf("%s and %s sign with one key; each person needs a key of their own", keys[s.Key], s.Person)
		}
		roles[s.Role], persons, keys[s.Key], before = true, append(persons, *s), s.Person, at
	}
	return nil
}

func (d *Document) checkSignatures() error {
	errs := []error{d.checkPersons(d.Signatures)}
	for n := range d.Signatures {
		s := &d.Signatures[n]
		if err := d.verify(s); err != nil {
			errs = append(errs, fmt.Errorf("signature of %s as %s: %w", s.Person, s.Role, err))
		}
	}
	return errors.Join(errs...)
}

func (d *Document) verify(s *Signature) error {
	if _, err := time.Parse(time.RFC3339, s.At); err != nil {
		return fmt.Errorf("time %q: want one such as 2026-11-22T08:00:00Z", s.At)
	}
	key, err := s.PublicKey()
	if err != nil {
		return err
	}
	bytes, err := decode(s.Signature)
	if err != nil {
		return fmt.Errorf("the signature: %w", err)
	}
	if !key.Verify(signed(d.Digest, s), bytes) {
		return errors.New("it does not verify: the statement, the person, the role, the time or the signature was changed")
	}
	return nil
}

// PublicKey returns the key that s names. Whether it is the person's, only
// somebody who knows the person's key can say: Trusted.
func (s *Signature) PublicKey() (gm.SM2Public, error) {
	der, err := decode(s.Key)
	if err != nil {
		return gm.SM2Public{}, fmt.Errorf("the key: %w", err)
	}
	key, err := gm.ParseSM2PublicDER(der)
	if err != nil {
		return gm.SM2Public{}, err
	}
	if again, err := key.DER(); err != nil || !bytes.Equal(again, der) {
		return gm.SM2Public{}, errors.New("the key is not written in its usual form; get the statement again from who signed it")
	}
	return key, nil
}

// decode reads base64 in its one form: the library passes over line breaks, and one
// key must not look like two.
func decode(text string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || base64.StdEncoding.EncodeToString(b) != text {
		return nil, errors.New("not base64 on one line")
	}
	return b, nil
}

// Trusted reports whether one of keys verifies s.
func (d *Document) Trusted(s *Signature, keys []gm.SM2Public) bool {
	bytes, err := decode(s.Signature)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(keys, func(k gm.SM2Public) bool { return k.Verify(signed(d.Digest, s), bytes) })
}
