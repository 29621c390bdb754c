package seal

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"citygrid/internal/cbor"
	"citygrid/internal/secret"
	"citygrid/internal/strictjson"
)

// MinRounds is the least cost of a master key file: rounds of PBKDF2 with
// HMAC-SM3 [GM/T 0091]. It takes about a second.
const MinRounds = 600_000

// maxRounds keeps a damaged or hostile file from stopping a program for hours.
const maxRounds = 50_000_000

const (
	masterFormat  = "citygrid master key"
	masterVersion = 1
	saltSize      = 16
	sumSize       = 32
)

// MasterInfo is what a master key file says without its passphrase. It is not
// authenticated.
type MasterInfo struct {
	Tenant     string
	Generation uint8
	Rounds     int
}

// masterFile is the JSON form, see schemas/envelope.md.
type masterFile struct {
	Format     string   `json:"format"`
	Version    int      `json:"version"`
	Tenant     string   `json:"tenant"`
	Generation uint8    `json:"generation"`
	KDF        string   `json:"kdf"`
	Rounds     int      `json:"rounds"`
	Salt       hexBytes `json:"salt"`
	Sealed     hexBytes `json:"sealed"`
	// SM3 is the digest of all that precedes. It tells a damaged file from a
	// wrong passphrase; it proves nothing.
	SM3 hexBytes `json:"sm3"`
}

const masterKDF = "PBKDF2-HMAC-SM3"

// WriteMaster seals m under a passphrase into a new file of mode 0600, durably.
// It refuses fewer than MinRounds rounds, an empty passphrase, and to replace a
// file.
func WriteMaster(path string, m *Master, passphrase secret.Secret, rounds int) error {
	return writeMaster(path, m, passphrase, rounds, MinRounds)
}

// ReadMaster opens a file of WriteMaster. The errors are *Error with FileMode
// when other users may read the file, FileBad when it is damaged, and
// PassphraseWrong.
func ReadMaster(path string, passphrase secret.Secret) (*Master, error) {
	return readMaster(path, passphrase, MinRounds)
}

// InspectMaster reads what a master key file says without its passphrase.
func InspectMaster(path string) (MasterInfo, error) {
	f, err := loadMaster(path, MinRounds)
	if err != nil {
		return MasterInfo{}, err
	}
	return MasterInfo{Tenant: f.Tenant, Generation: f.Generation, Rounds: f.Rounds}, nil
}

// writeMaster and readMaster take the least number of rounds, which tests
// lower.
func writeMaster(path string, m *Master, passphrase secret.Secret, rounds, least int) error {
	if err := m.validate(); err != nil {
		return fmt.Errorf("write master key %s: %w", path, err)
	}
	f := masterFile{
		Format: masterFormat, Version: masterVersion, Tenant: m.Tenant, Generation: m.Generation,
		KDF: masterKDF, Rounds: rounds, Salt: make([]byte, saltSize),
	}
	if _, err := rand.Read(f.Salt); err != nil {
		return fmt.Errorf("write master key %s: %w", path, err)
	}
	if err := f.seal(m, passphrase, least); err != nil {
		return fmt.Errorf("write master key %s: %w", path, err)
	}
	if err := writePrivate(path, f); err != nil {
		return fmt.Errorf("write master key: %w", err)
	}
	return nil
}

func readMaster(path string, passphrase secret.Secret, least int) (*Master, error) {
	f, err := loadMaster(path, least)
	if err != nil {
		return nil, err
	}
	m, err := f.open(passphrase)
	if err != nil {
		return nil, fmt.Errorf("read master key %s: %w", path, err)
	}
	return m, nil
}

func loadMaster(path string, least int) (*masterFile, error) {
	data, err := readPrivate(path, anyoneElse)
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	f, err := parseMaster(data, least)
	if err != nil {
		return nil, fmt.Errorf("read master key %s: %w", path, err)
	}
	return f, nil
}

func parseMaster(data []byte, least int) (*masterFile, error) {
	var f masterFile
	if err := strictjson.Decode(data, &f); err != nil {
		return nil, &Error{Code: FileBad, Problem: "not a master key file", Err: err}
	}
	switch {
	case f.Format != masterFormat || f.Version != masterVersion || f.KDF != masterKDF:
		return nil, errorf(FileBad, "want %q version %d with %s", masterFormat, masterVersion, masterKDF)
	case f.Rounds < least || f.Rounds > maxRounds:
		return nil, errorf(FileBad, "%d rounds, want %d to %d", f.Rounds, least, maxRounds)
	case len(f.Salt) != saltSize || len(f.Sealed) != SecretSize+tagSize || len(f.SM3) != sumSize:
		return nil, errorf(FileBad, "a field has a wrong length")
	case validTenant(f.Tenant) != nil || f.Generation == 0:
		return nil, errorf(FileBad, "tenant or generation out of bounds")
	case string(f.sum()) != string(f.SM3):
		return nil, errorf(FileBad, "checksum wrong, the file is damaged: restore it from a copy")
	}
	return &f, nil
}

// seal fills Sealed and SM3.
func (f *masterFile) seal(m *Master, passphrase secret.Secret, least int) error {
	if passphrase.IsZero() {
		return errorf(ConfigBad, "empty passphrase")
	}
	if f.Rounds < least || f.Rounds > maxRounds {
		return errorf(ConfigBad, "%d rounds, want %d to %d", f.Rounds, least, maxRounds)
	}
	okm, err := f.derive(passphrase)
	if err != nil {
		return err
	}
	defer clear(okm)
	aead, err := DefaultProvider().NewAEAD(okm[:keySize])
	if err != nil {
		return err
	}
	key := m.Reveal()
	defer clear(key)
	f.Sealed = aead.Seal(nil, okm[keySize:], key, f.aad())
	f.SM3 = f.sum()
	return nil
}

func (f *masterFile) open(passphrase secret.Secret) (*Master, error) {
	okm, err := f.derive(passphrase)
	if err != nil {
		return nil, err
	}
	defer clear(okm)
	aead, err := DefaultProvider().NewAEAD(okm[:keySize])
	if err != nil {
		return nil, err
	}
	key, err := aead.Open(nil, okm[keySize:], f.Sealed, f.aad())
	if err != nil {
		return nil, errorf(PassphraseWrong, "wrong passphrase for master key %d of tenant %s", f.Generation, f.Tenant)
	}
	defer clear(key)
	return &Master{Tenant: f.Tenant, Generation: f.Generation, Secret: secret.New(key)}, nil
}

// derive returns 16 bytes of key and 12 of nonce. The salt is new for each
// file, so a pair of key and nonce seals once.
func (f *masterFile) derive(passphrase secret.Secret) ([]byte, error) {
	okm, err := pbkdf2.Key(DefaultProvider().NewHash, string(passphrase.Reveal()), f.Salt, f.Rounds, keySize+nonceSize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of a passphrase: %w", err)
	}
	return okm, nil
}

// aad is deterministic CBOR of ["mk1", tenant, generation, rounds, salt].
func (f *masterFile) aad() []byte {
	b := cbor.AppendHead(nil, cbor.Array, 5)
	b = cbor.AppendText(b, "mk1")
	b = cbor.AppendText(b, f.Tenant)
	b = cbor.AppendHead(b, cbor.Uint, uint64(f.Generation))
	b = cbor.AppendHead(b, cbor.Uint, uint64(f.Rounds))
	return cbor.AppendBytes(b, f.Salt)
}

func (f *masterFile) sum() []byte {
	h := DefaultProvider().NewHash()
	h.Write(f.aad())
	h.Write(f.Sealed)
	return h.Sum(nil)
}

func hexDecode(text []byte) ([]byte, error) {
	b := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(b, text); err != nil {
		return nil, errors.New("not hex")
	}
	return b, nil
}
