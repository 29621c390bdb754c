package seal

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"encoding/json"
	"fmt"
	"io"

	"github.com/emmansun/gmsm/sm2"

	"citygrid/internal/cbor"
	"citygrid/internal/secret"
	"citygrid/internal/strictjson"
	"citygrid/schemas"
)

// Method is how the key of a sealed bundle travels.
type Method string

// The methods. There is no fallback from one to the other.
const (
	// BySM2: to the public key of an EnrolmentRequest [GB/T 32918.4].
	BySM2 Method = "sm2"
	// ByCode: under a one-time code that people tell each other.
	ByCode Method = "code"
	// ByKey: under the key that the collector has now, which is rotated.
	ByKey Method = "key"
)

const (
	sealedFormat  = "citygrid sealed bundle"
	sealedVersion = 1
)

// sealedFile is the JSON form, see schemas/envelope.md. A field that the method
// does not use is empty or 0.
type sealedFile struct {
	Format     string   `json:"format"`
	Version    int      `json:"version"`
	Method     Method   `json:"method"`
	Tenant     string   `json:"tenant"`
	Collector  string   `json:"collector"`
	Generation uint16   `json:"generation"`
	Recipient  hexBytes `json:"recipient"`
	Rounds     int      `json:"rounds"`
	Salt       hexBytes `json:"salt"`
	Key        hexBytes `json:"key"`
	Sealed     hexBytes `json:"sealed"`
}

// SealedBundle is a bundle that travels by mail: only its box can open it. What it
// says of itself is proven only when it opens.
type SealedBundle struct {
	Method     Method
	Collector  schemas.CollectorID
	Generation uint16
	file       sealedFile
	digest     []byte
}

// SealFor seals b to the box that made the request. rand is crypto/rand.Reader in a
// program. It returns the bytes of the file.
//
// Whoever has the request can seal something to it: the box's person and the key
// office compare SealedBundle.Words.
func SealFor(r *EnrolmentRequest, b Bundle, rand io.Reader) ([]byte, error) {
	if r.Collector != b.Collector {
		return nil, errorf(ConfigBad, "the request is of collector %s, the bundle of %s", r.Collector, b.Collector)
	}
	public, err := r.key()
	if err != nil {
		return nil, err
	}
	once := make([]byte, keySize+nonceSize)
	defer clear(once)
	if _, err := io.ReadFull(rand, once); err != nil {
		return nil, fmt.Errorf("seal a bundle for %s: read random bytes: %w", b.Collector, err)
	}
	f := newSealedFile(BySM2, &b)
	f.Recipient = r.recipient()
	if f.Key, err = sm2.Encrypt(rand, public, once, sm2.NewPlainEncrypterOpts(sm2.MarshalUncompressed, sm2.C1C3C2)); err != nil {
		return nil, fmt.Errorf("seal a bundle for %s: %w", b.Collector, err)
	}
	return f.seal(&b, once)
}

// SealWithCode seals b under a code of NewCode. rand is crypto/rand.Reader in a
// program. It returns the bytes of the file.
func SealWithCode(code secret.Secret, b Bundle, rand io.Reader) ([]byte, error) {
	return sealWithCode(code, b, rand, MinRounds)
}

// sealWithCode takes the number of rounds, which tests lower.
func sealWithCode(code secret.Secret, b Bundle, rand io.Reader, rounds int) ([]byte, error) {
	if _, err := ParseCode(code); err != nil {
		return nil, err
	}
	f := newSealedFile(ByCode, &b)
	f.Rounds, f.Salt = rounds, make([]byte, saltSize)
	if _, err := io.ReadFull(rand, f.Salt); err != nil {
		return nil, fmt.Errorf("seal a bundle for %s: read random bytes: %w", b.Collector, err)
	}
	once, err := f.derive(code)
	if err != nil {
		return nil, err
	}
	defer clear(once)
	return f.seal(&b, once)
}

// SealWithKey seals b under key, the collector's own of an earlier generation: the box
// opens it with what it has. rand is crypto/rand.Reader in a program. It returns the
// bytes of the file.
func SealWithKey(key CollectorKey, generation uint16, b Bundle, rand io.Reader) ([]byte, error) {
	if generation >= b.Generation || key.Len() != SecretSize {
		return nil, errorf(ConfigBad, "the bundle of generation %#04x can be sealed under an earlier key, not under %#04x", b.Generation, generation)
	}
	f := newSealedFile(ByKey, &b)
	f.Recipient, f.Salt = []byte{byte(generation >> 8), byte(generation)}, make([]byte, saltSize)
	if _, err := io.ReadFull(rand, f.Salt); err != nil {
		return nil, fmt.Errorf("seal a bundle for %s: read random bytes: %w", b.Collector, err)
	}
	once, err := f.expand(key)
	if err != nil {
		return nil, err
	}
	defer clear(once)
	return f.seal(&b, once)
}

// expand is HKDF-SM3(key, salt, info = "sb1" and the collector's id), 28 bytes.
func (f *sealedFile) expand(key CollectorKey) ([]byte, error) {
	b := key.Reveal()
	defer clear(b)
	once, err := hkdf.Key(DefaultProvider().NewHash, b, f.Salt, "sb1"+f.Collector, keySize+nonceSize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a sealed bundle: %w", err)
	}
	return once, nil
}

func newSealedFile(method Method, b *Bundle) *sealedFile {
	return &sealedFile{
		Format: sealedFormat, Version: sealedVersion, Method: method,
		Tenant: b.Tenant, Collector: string(b.Collector), Generation: b.Generation,
	}
}

// seal fills Sealed and returns the file. once is a key and a nonce, used once.
func (f *sealedFile) seal(b *Bundle, once []byte) ([]byte, error) {
	if err := b.validate(successor); err != nil {
		return nil, fmt.Errorf("seal a bundle for %s: %w", b.Collector, err)
	}
	plain, err := b.MarshalFile()
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	aead, err := DefaultProvider().NewAEAD(once[:keySize])
	if err != nil {
		return nil, err
	}
	f.Sealed = aead.Seal(nil, once[keySize:], plain, f.aad())
	data, err := json.MarshalIndent(f, "", "  ")
	return append(data, '\n'), err
}

// derive returns 16 bytes of key and 12 of nonce. The salt is new for each file.
func (f *sealedFile) derive(code secret.Secret) ([]byte, error) {
	okm, err := pbkdf2.Key(DefaultProvider().NewHash, string(code.Reveal()), f.Salt, f.Rounds, keySize+nonceSize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a one-time code: %w", err)
	}
	return okm, nil
}

// aad is deterministic CBOR of ["sb1", method, tenant, collector, generation,
// recipient, rounds, salt, key].
func (f *sealedFile) aad() []byte {
	b := cbor.AppendHead(nil, cbor.Array, 9)
	for _, text := range []string{"sb1", string(f.Method), f.Tenant, f.Collector} {
		b = cbor.AppendText(b, text)
	}
	b = cbor.AppendHead(b, cbor.Uint, uint64(f.Generation))
	b = cbor.AppendBytes(b, f.Recipient)
	b = cbor.AppendHead(b, cbor.Uint, uint64(f.Rounds))
	b = cbor.AppendBytes(b, f.Salt)
	return cbor.AppendBytes(b, f.Key)
}

// ParseSealed reads a file of SealFor or SealWithCode. The errors are *Error with
// FileBad.
func ParseSealed(data []byte) (*SealedBundle, error) { return parseSealed(data, MinRounds) }

func parseSealed(data []byte, least int) (*SealedBundle, error) {
	s := &SealedBundle{}
	f := &s.file
	if err := strictjson.Decode(data, f); err != nil {
		return nil, &Error{Code: FileBad, Problem: "not a sealed bundle", Err: err}
	}
	if f.Format != sealedFormat || f.Version != sealedVersion {
		return nil, errorf(FileBad, "want %q version %d", sealedFormat, sealedVersion)
	}
	if err := f.check(least); err != nil {
		return nil, err
	}
	s.Method, s.Collector, s.Generation = f.Method, schemas.CollectorID(f.Collector), f.Generation
	h := DefaultProvider().NewHash()
	h.Write(f.aad())
	h.Write(f.Sealed)
	s.digest = h.Sum(nil)
	return s, nil
}

// check holds a file to the sizes of its method.
func (f *sealedFile) check(least int) error {
	sizes := func(recipient, salt, key int) bool {
		return len(f.Recipient) == recipient && len(f.Salt) == salt && len(f.Key) == key
	}
	switch {
	case validTenant(f.Tenant) != nil || !validID(f.Collector) || f.Generation>>8 == 0:
		return errorf(FileBad, "sealed bundle: tenant, collector or generation out of bounds")
	case len(f.Sealed) <= tagSize:
		return errorf(FileBad, "sealed bundle: nothing is sealed in it")
	case f.Method == BySM2 && sizes(sumSize, 0, envelopedSize+keySize+nonceSize) && f.Rounds == 0:
		return nil
	case f.Method == ByKey && sizes(2, saltSize, 0) && f.Rounds == 0:
		return nil
	case f.Method == ByCode && sizes(0, saltSize, 0) && f.Rounds >= least && f.Rounds <= maxRounds:
		return nil
	}
	return errorf(FileBad, "sealed bundle: method %q with fields of other sizes than it has", f.Method)
}

// Words are 80 bits of SM3 over the file's content as five words. The key office and
// the person at the box compare them, so that nobody exchanges the answer to a
// request.
func (s *SealedBundle) Words() string { return wordsOf(s.digest[:fingerprintSize]) }

// Digest names the file for the record of what a box has taken: 32 bytes of SM3.
func (s *SealedBundle) Digest() []byte { return bytes.Clone(s.digest) }

// OpenWithKey opens a bundle that was sealed for the request of k. A bundle that
// keeps the box's broker password comes without one: see Bundle.Succeed. The errors
// are *Error: ConfigBad for a wrong key or method, TagWrong when it was changed.
func (s *SealedBundle) OpenWithKey(k *BoxKey) (Bundle, error) {
	r, err := k.Request()
	switch {
	case err != nil:
		return Bundle{}, err
	case s.Method != BySM2:
		return Bundle{}, errorf(ConfigBad, "the bundle is sealed by %s, not to a request", s.Method)
	case k.Collector != s.Collector || !bytes.Equal(r.recipient(), s.file.Recipient):
		return Bundle{}, errorf(ConfigBad, "the bundle of collector %s is sealed to another request than that of this key: send the key office the request that is here", s.Collector)
	}
	p, err := k.private()
	if err != nil {
		return Bundle{}, err
	}
	once, err := p.Decrypt(nil, s.file.Key, sm2.NewPlainDecrypterOpts(sm2.C1C3C2))
	if err != nil || len(once) != keySize+nonceSize {
		return Bundle{}, errorf(TagWrong, "the sealed bundle of collector %s was changed on its way", s.Collector)
	}
	return s.open(once)
}

// OpenWithCode opens a bundle that was sealed under a one-time code. The errors are
// *Error: ConfigBad for another method or a mistyped code, PassphraseWrong when the
// code is another or the file was changed.
func (s *SealedBundle) OpenWithCode(typed secret.Secret) (Bundle, error) {
	if s.Method != ByCode {
		return Bundle{}, errorf(ConfigBad, "the bundle is sealed by %s, not under a code", s.Method)
	}
	code, err := ParseCode(typed)
	if err != nil {
		return Bundle{}, err
	}
	once, err := s.file.derive(code)
	if err != nil {
		return Bundle{}, err
	}
	return s.open(once)
}

// OpenAfter opens a bundle that was sealed under the key that the box has; its earlier
// keys do not count, since one of them may be in the wrong hands. The errors are *Error:
// ConfigBad for another method, collector or key, TagWrong when it was changed.
func (s *SealedBundle) OpenAfter(old *Bundle) (Bundle, error) {
	if s.Method != ByKey {
		return Bundle{}, errorf(ConfigBad, "the bundle is sealed by %s, not under an earlier key", s.Method)
	}
	generation := uint16(s.file.Recipient[0])<<8 | uint16(s.file.Recipient[1])
	if generation != old.Generation || old.Collector != s.Collector {
		return Bundle{}, errorf(ConfigBad, "the bundle of collector %s is sealed under its key %#04x, which is not the key of this box (it has %s, %#04x): accept the bundle before this one first, or ask the key office for one under a code",
			s.Collector, generation, old.Collector, old.Generation)
	}
	once, err := s.file.expand(old.Key)
	if err != nil {
		return Bundle{}, err
	}
	return s.open(once)
}

// open clears once.
func (s *SealedBundle) open(once []byte) (Bundle, error) {
	defer clear(once)
	aead, err := DefaultProvider().NewAEAD(once[:keySize])
	if err != nil {
		return Bundle{}, err
	}
	plain, err := s.unseal(aead, once[keySize:])
	if err != nil {
		return Bundle{}, err
	}
	defer clear(plain)
	b, err := ParseIssued(plain)
	if err != nil {
		return Bundle{}, err
	}
	if b.Tenant != s.file.Tenant || b.Collector != s.Collector || b.Generation != s.Generation {
		return Bundle{}, errorf(FileBad, "the sealed bundle says collector %s, what is in it %s", s.Collector, b.Collector)
	}
	return b, nil
}

func (s *SealedBundle) unseal(aead cipher.AEAD, nonce []byte) ([]byte, error) {
	plain, err := aead.Open(nil, nonce, s.file.Sealed, s.file.aad())
	switch {
	case err == nil:
		return plain, nil
	case s.Method == ByCode:
		return nil, errorf(PassphraseWrong, "the code is not that of this bundle of collector %s, or the file was changed on its way", s.Collector)
	}
	return nil, errorf(TagWrong, "the sealed bundle of collector %s was changed on its way", s.Collector)
}
