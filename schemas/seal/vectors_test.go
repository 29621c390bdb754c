package seal

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/pbkdf2"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"citygrid/internal/secret"
)

// hexString is a byte string of a vector file.
type hexString []byte

func (h *hexString) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type primitives struct {
	Block struct {
		Source        string
		Key           hexString `json:"key"`
		Plaintext     hexString `json:"plaintext"`
		OneRound      hexString `json:"one_round"`
		MillionRounds hexString `json:"million_rounds"`
	} `json:"sm4_block"`
	GCM struct {
		Source                                      string
		Key, Nonce, AAD, Plaintext, Ciphertext, Tag hexString
	} `json:"sm4_gcm"`
	SM3 []struct {
		Source          string
		Message, Digest hexString
	} `json:"sm3"`
	HMAC []struct {
		Source            string
		Key, Message, MAC hexString
	} `json:"hmac_sm3"`
	HKDF []struct {
		Source                  string
		Secret, Salt, Info, OKM hexString
	} `json:"hkdf_sm3"`
	PBKDF2 []struct {
		Source              string
		Password, Salt, OKM hexString
		Rounds              int
	} `json:"pbkdf2_sm3"`
	Source string
}

type envelopeVector struct {
	Name         string
	Tenant       string
	MasterKey    hexString `json:"master_key"`
	Generation   uint16
	Collector    string
	Role         Role
	ContentType  ContentType `json:"content_type"`
	Boot         uint32
	Random       hexString
	Seq          uint32
	Plaintext    hexString
	CollectorKey hexString `json:"collector_key"`
	SessionInfo  hexString `json:"session_info"`
	SessionKey   hexString `json:"session_key"`
	IV           hexString
	Nonce        hexString
	Protected    hexString
	ExternalAAD  hexString `json:"external_aad"`
	AAD          hexString
	Ciphertext   hexString
	Tag          hexString
	Envelope     hexString
}

func (v *envelopeVector) context() Context { return Context{v.Boot, [8]byte(v.Random)} }

func (v *envelopeVector) master() *Master {
	return &Master{Tenant: v.Tenant, Generation: uint8(v.Generation >> 8), Secret: secret.New(v.MasterKey)}
}

func loadJSON(t testing.TB, name string, v any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

func loadEnvelopes(t testing.TB) []envelopeVector {
	t.Helper()
	var file struct {
		Source  string
		Vectors []envelopeVector
	}
	loadJSON(t, "envelopes.json", &file)
	if len(file.Vectors) == 0 {
		t.Fatal("envelopes.json holds no vectors")
	}
	return file.Vectors
}

// providers returns both; every vector goes through each.
func providers(t testing.TB) []testable {
	t.Helper()
	var all []testable
	for _, name := range []string{Emmansun, Tjfoc} {
		p, err := ProviderByName(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p.(testable))
	}
	return all
}

func equal(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n got %x\nwant %x", what, got, want)
	}
}

func TestPrimitives(t *testing.T) {
	var v primitives
	loadJSON(t, "primitives.json", &v)
	for _, p := range providers(t) {
		t.Run(p.Name(), func(t *testing.T) {
			testBlock(t, p, &v)
			testGCM(t, p, &v)
			for _, x := range v.SM3 {
				h := p.NewHash()
				h.Write(x.Message)
				equal(t, "SM3 ("+x.Source+")", h.Sum([]byte("prefix"))[6:], x.Digest)
			}
			for _, x := range v.HMAC {
				h := hmac.New(p.NewHash, x.Key)
				h.Write(x.Message)
				equal(t, "HMAC-SM3", h.Sum(nil), x.MAC)
			}
			for _, x := range v.HKDF {
				okm, err := hkdf.Key(p.NewHash, x.Secret, x.Salt, string(x.Info), len(x.OKM))
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "HKDF-SM3", okm, x.OKM)
			}
			for _, x := range v.PBKDF2 {
				okm, err := pbkdf2.Key(p.NewHash, string(x.Password), x.Salt, x.Rounds, len(x.OKM))
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "PBKDF2-HMAC-SM3", okm, x.OKM)
			}
		})
	}
}

func testBlock(t *testing.T, p testable, v *primitives) {
	t.Helper()
	block, err := p.newBlock(v.Block.Key)
	if err != nil {
		t.Fatal(err)
	}
	out := bytes.Clone(v.Block.Plaintext)
	block.Encrypt(out, out)
	equal(t, "SM4, one round", out, v.Block.OneRound)
	block.Decrypt(out, out)
	equal(t, "SM4 back", out, v.Block.Plaintext)
}

func testGCM(t *testing.T, p testable, v *primitives) {
	t.Helper()
	aead, err := p.NewAEAD(v.GCM.Key)
	if err != nil {
		t.Fatal(err)
	}
	if aead.NonceSize() != nonceSize || aead.Overhead() != tagSize {
		t.Fatalf("nonce of %d and tag of %d bytes", aead.NonceSize(), aead.Overhead())
	}
	sealed := aead.Seal(nil, v.GCM.Nonce, v.GCM.Plaintext, v.GCM.AAD)
	equal(t, "SM4-GCM", sealed, append(bytes.Clone(v.GCM.Ciphertext), v.GCM.Tag...))
	plain, err := aead.Open(nil, v.GCM.Nonce, sealed, v.GCM.AAD)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "SM4-GCM back", plain, v.GCM.Plaintext)
}

func TestBlockMillionRounds(t *testing.T) {
	if testing.Short() {
		t.Skip("a million rounds of SM4 through both providers: not with -short")
	}
	var v primitives
	loadJSON(t, "primitives.json", &v)
	for _, p := range providers(t) {
		block, err := p.newBlock(v.Block.Key)
		if err != nil {
			t.Fatal(err)
		}
		out := bytes.Clone(v.Block.Plaintext)
		for range 1_000_000 {
			block.Encrypt(out, out)
		}
		equal(t, p.Name(), out, v.Block.MillionRounds)
	}
}

func TestEnvelopeVectors(t *testing.T) {
	for _, v := range loadEnvelopes(t) {
		for _, p := range providers(t) {
			t.Run(v.Name+"/"+p.Name(), func(t *testing.T) {
				testDerivation(t, p, &v)
				testSealVector(t, p, &v)
				testOpenVector(t, p, &v)
			})
		}
	}
}

func testDerivation(t *testing.T, p Provider, v *envelopeVector) {
	t.Helper()
	key, err := v.master().CollectorKey(p, v.Generation, v.Collector)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "collector key", key.Reveal(), v.CollectorKey)
	id := sessionID{v.Generation, v.ContentType, v.Collector, v.context()}
	equal(t, "session info", sessionInfo(v.Role, id), v.SessionInfo)
	okm, err := sessionKey(p, key, v.Role, id)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "session key", okm[:keySize], v.SessionKey)
	equal(t, "IV", okm[keySize:], v.IV)
	nonce := nonceFor([nonceSize]byte(v.IV), v.Seq)
	equal(t, "nonce", nonce[:], v.Nonce)
	protected := appendProtected(nil, &id, v.Seq)
	equal(t, "protected header", protected, v.Protected)
	equal(t, "external AAD", externalAAD(v.Tenant, v.Role), v.ExternalAAD)
	equal(t, "AAD", appendAAD(nil, protected, v.ExternalAAD), v.AAD)
}

func vectorSealer(t testing.TB, p Provider, v *envelopeVector) *Sealer {
	t.Helper()
	key, err := NewCollectorKey(v.CollectorKey)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSealer(SealerConfig{
		Provider: p, Key: key, Tenant: v.Tenant, Collector: v.Collector, Generation: v.Generation,
		Role: v.Role, ContentType: v.ContentType, Context: v.context(),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.next = uint64(v.Seq)
	return s
}

func testSealVector(t *testing.T, p Provider, v *envelopeVector) {
	t.Helper()
	envelope, seq, err := vectorSealer(t, p, v).Seal([]byte("before"), v.Plaintext)
	if err != nil || seq != v.Seq {
		t.Fatalf("Seal: number %d, error %v; want number %d", seq, err, v.Seq)
	}
	equal(t, "kept prefix", envelope[:6], []byte("before"))
	equal(t, "envelope", envelope[6:], v.Envelope)
}

func testOpenVector(t *testing.T, p Provider, v *envelopeVector) {
	t.Helper()
	want := Header{v.Generation, v.Collector, v.ContentType, v.context(), v.Seq, [16]byte(v.Tag)}
	if h, err := ParseHeader(v.Envelope); err != nil || h != want {
		t.Errorf("ParseHeader = %+v, %v\nwant %+v", h, err, want)
	}
	o, err := NewOpener(OpenerConfig{Provider: p, Tenant: v.Tenant, Role: v.Role, CrossCheckEvery: 1,
		Keys: func(generation uint16, collector string) (CollectorKey, error) {
			return v.master().CollectorKey(p, generation, collector)
		}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time from the cache
		h, plain, err := o.Open([]byte("before"), v.Envelope)
		if err != nil || h != want {
			t.Fatalf("Open = %+v, %v\nwant %+v", h, err, want)
		}
		equal(t, "plaintext", plain, append([]byte("before"), v.Plaintext...))
	}
}

// encrypt0 is COSE_Encrypt0 as a CBOR library sees it [RFC 9052 5.2].
type encrypt0 struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected map[int]any
	Ciphertext  []byte
}

type coseHeader struct {
	Alg       int    `cbor:"1,keyasint"`
	Content   uint16 `cbor:"3,keyasint"`
	Kid       []byte `cbor:"4,keyasint"`
	PartialIV []byte `cbor:"6,keyasint"`
	Context   []byte `cbor:"10,keyasint"`
}

// TestEnvelopeIsCOSE builds each vector's envelope with a general CBOR library
// and the other provider's cipher, and compares the bytes.
func TestEnvelopeIsCOSE(t *testing.T) {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	marshal := func(v any) []byte {
		b, err := mode.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, v := range loadEnvelopes(t) {
		ctx := v.context().bytes()
		kid := append([]byte{byte(v.Generation >> 8), byte(v.Generation)}, v.Collector...)
		iv := bytes.TrimLeft([]byte{byte(v.Seq >> 24), byte(v.Seq >> 16), byte(v.Seq >> 8)}, "\x00")
		iv = append(iv, byte(v.Seq))
		protected := marshal(coseHeader{Alg, uint16(v.ContentType), kid, iv, ctx[:]})
		aad := marshal([]any{"Encrypt0", protected, marshal([]any{v.Tenant, string(v.Role)})})
		aead := mustAEAD(t, tjfoc{}, v.SessionKey)
		sealed := aead.Seal(nil, v.Nonce, v.Plaintext, aad)
		got := marshal(cbor.Tag{Number: 16, Content: encrypt0{Protected: protected, Unprotected: map[int]any{}, Ciphertext: sealed}})
		equal(t, v.Name, got, v.Envelope)
	}
}

func mustAEAD(t testing.TB, p Provider, key []byte) cipher.AEAD {
	t.Helper()
	aead, err := p.NewAEAD(key)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}
