package seal

import (
	"crypto/cipher"
	"crypto/hkdf"
	"encoding/binary"
	"fmt"
	"io"

	"citygrid/internal/cbor"
)

// Role is the direction of a session. It is part of the key, so a message
// cannot be turned round.
type Role string

// The roles.
const (
	Up   Role = "up"   // collector to hub
	Down Role = "down" // hub to collector
)

// Context names one session: the boot counter of the sender and eight random
// bytes drawn at that start, for one stream. The random bytes keep nonces apart
// whatever happens to the counter (power loss, restored image, cloned disk);
// the counter orders sessions. A Context must never be given to two Sealers
// of the same collector, role and content type.
type Context struct {
	Boot   uint32
	Random [8]byte
}

const contextSize = 12

// NewContext draws the random part from rand, which in a program is
// crypto/rand.Reader.
func NewContext(boot uint32, rand io.Reader) (Context, error) {
	c := Context{Boot: boot}
	if _, err := io.ReadFull(rand, c.Random[:]); err != nil {
		return Context{}, fmt.Errorf("make a session context: read random bytes: %w", err)
	}
	return c, nil
}

// String returns "boot:random", the random part in hex.
func (c Context) String() string { return fmt.Sprintf("%d:%x", c.Boot, c.Random) }

func (c Context) bytes() (b [contextSize]byte) {
	binary.BigEndian.PutUint32(b[:], c.Boot)
	copy(b[4:], c.Random[:])
	return b
}

func contextOf(b []byte) Context {
	return Context{Boot: binary.BigEndian.Uint32(b), Random: [8]byte(b[4:contextSize])}
}

// sessionID is everything that a session key depends on besides the collector
// key and the role.
type sessionID struct {
	generation uint16
	content    ContentType
	collector  string
	context    Context
}

// sessionInfo is the HKDF info of a session: deterministic CBOR of
//
//	["env1", alg, role, content type, collector, generation, context]
//
// The content type is in it so that two streams which were given the same
// Context by mistake still use different keys.
func sessionInfo(role Role, id sessionID) []byte {
	ctx := id.context.bytes()
	b := cbor.AppendHead(make([]byte, 0, 96), cbor.Array, 7)
	b = cbor.AppendText(b, "env1")
	b = cbor.AppendHead(b, cbor.Nint, algArgument)
	b = cbor.AppendText(b, string(role))
	b = cbor.AppendHead(b, cbor.Uint, uint64(id.content))
	b = cbor.AppendText(b, id.collector)
	b = cbor.AppendHead(b, cbor.Uint, uint64(id.generation))
	return cbor.AppendBytes(b, ctx[:])
}

// sessionKey is HKDF-Expand-SM3(collector key, sessionInfo, 28): 16 bytes of
// SM4 key and 12 bytes of IV.
func sessionKey(p Provider, key CollectorKey, role Role, id sessionID) ([]byte, error) {
	plain := key.Reveal()
	defer clear(plain)
	okm, err := hkdf.Expand(p.NewHash, plain, string(sessionInfo(role, id)), keySize+nonceSize)
	if err != nil {
		return nil, fmt.Errorf("derive the session key of collector %s: %w", id.collector, err)
	}
	return okm, nil
}

// newSession returns the AEAD and the IV of a session.
func newSession(p Provider, key CollectorKey, role Role, id sessionID) (aead cipher.AEAD, iv [nonceSize]byte, err error) {
	okm, err := sessionKey(p, key, role, id)
	if err != nil {
		return nil, iv, err
	}
	defer clear(okm)
	copy(iv[:], okm[keySize:])
	aead, err = p.NewAEAD(okm[:keySize])
	return aead, iv, err
}

// nonceFor is IV XOR (0^8 ‖ seq), as COSE forms a nonce from a Partial IV
// [RFC 9052 3.1].
func nonceFor(iv [nonceSize]byte, seq uint32) [nonceSize]byte {
	tail := iv[nonceSize-4:]
	binary.BigEndian.PutUint32(tail, binary.BigEndian.Uint32(tail)^seq)
	return iv
}
