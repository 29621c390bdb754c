package seal

import (
	"encoding/binary"
	"fmt"

	"citygrid/internal/cbor"
	"citygrid/schemas"
)

// ContentType says what an envelope holds, as a number of the private range of
// CoAP content formats (65000 to 65535) [RFC 7252 12.3].
type ContentType uint16

// The content types of version 1. Each belongs to one stream and one role.
const (
	Readings ContentType = 65001 // up
	Cards    ContentType = 65002 // up
	Events   ContentType = 65003 // up
	Status   ContentType = 65004 // up
	Receipt  ContentType = 65005 // down
	Command  ContentType = 65006 // down
)

// Stream returns the topic level that carries the content type, or "" for a
// number that is none.
func (c ContentType) Stream() schemas.Stream {
	switch c {
	case Readings:
		return schemas.Readings
	case Cards:
		return schemas.Cards
	case Events:
		return schemas.Events
	case Status:
		return schemas.Statuses
	case Receipt:
		return schemas.Receipts
	case Command:
		return schemas.Commands
	}
	return ""
}

// ContentTypeOf returns the content type of a sealed stream; ok is false for a
// stream that is not sealed.
func ContentTypeOf(s schemas.Stream) (c ContentType, ok bool) {
	for c = Readings; c <= Command; c++ {
		if c.Stream() == s {
			return c, true
		}
	}
	return 0, false
}

// Role returns the direction in which the content type travels.
func (c ContentType) Role() Role {
	if c == Receipt || c == Command {
		return Down
	}
	return Up
}

// String returns the name of the stream.
func (c ContentType) String() string {
	if s := c.Stream(); s != "" {
		return string(s)
	}
	return fmt.Sprintf("content type %d", uint16(c))
}

// Header is what an envelope says in clear. From ParseHeader it is a claim;
// from a successful Open it is authenticated.
type Header struct {
	Generation  uint16 // of the key: master generation, collector version
	Collector   string
	ContentType ContentType
	Context     Context
	Seq         uint32   // counts the envelopes of the session from 0
	Tag         [16]byte // the authentication tag: equal tags mean equal messages
}

// The suite of version 1: SM4-GCM with a 16-byte tag and HKDF-SM3. COSE has no
// number for it, so it is one of private use, below -65536 [RFC 9053 8].
const (
	// Alg is the COSE algorithm number.
	Alg = -68998
	// algArgument is Alg as CBOR writes a negative number: -1 - n.
	algArgument = -1 - Alg
)

// MaxPlaintext bounds what one envelope holds, in bytes. It keeps an envelope
// well below 1 MiB, the smallest limit of the brokers that we know.
const MaxPlaintext = 512 << 10

// MaxOverhead is the most that an envelope is longer than its plaintext.
const MaxOverhead = 2 + 2 + maxProtected + 1 + 5 + tagSize

const (
	framePrefix     = "\xd0\x83" // tag 16 (COSE_Encrypt0), array of 3 [RFC 9052 5.2]
	protectedPrefix = "\xa5\x01" // map of 5, label 1 (alg)
	noUnprotected   = "\xa0"

	// The labels of the header parameters [RFC 9052 3.1, 3.2].
	labelContent   = "\x03"
	labelKid       = "\x04"
	labelPartialIV = "\x06"
	labelContext   = "\x0a"

	maxKid       = 2 + maxID
	maxProtected = 2 + 5 + (1 + 3) + (1 + 2 + maxKid) + (1 + 1 + 4) + (1 + 1 + contextSize)
)

// appendProtected writes the content of the protected header.
func appendProtected(b []byte, id *sessionID, seq uint32) []byte {
	b = append(b, protectedPrefix...)
	b = cbor.AppendHead(b, cbor.Nint, algArgument)
	b = append(b, labelContent...)
	b = cbor.AppendHead(b, cbor.Uint, uint64(id.content))
	b = append(b, labelKid...)
	b = cbor.AppendHead(b, cbor.Bytes, uint64(2+len(id.collector)))
	b = binary.BigEndian.AppendUint16(b, id.generation)
	b = append(b, id.collector...)
	b = append(b, labelPartialIV...)
	b = appendPartialIV(b, seq)
	b = append(b, labelContext...)
	ctx := id.context.bytes()
	return cbor.AppendBytes(b, ctx[:])
}

// appendPartialIV writes seq as a byte string without leading zeros; 0 has one
// byte.
func appendPartialIV(b []byte, seq uint32) []byte {
	n := 1
	for n < 4 && seq>>(8*n) != 0 {
		n++
	}
	b = cbor.AppendHead(b, cbor.Bytes, uint64(n))
	for n--; n >= 0; n-- {
		b = append(b, byte(seq>>(8*n)))
	}
	return b
}

// externalAAD is CBOR [tenant, role]: authenticated, never sent.
func externalAAD(tenant string, role Role) []byte {
	b := cbor.AppendHead(nil, cbor.Array, 2)
	b = cbor.AppendText(b, tenant)
	return cbor.AppendText(b, string(role))
}

// appendAAD writes the Enc_structure [RFC 9052 5.3]:
// ["Encrypt0", protected, external AAD].
func appendAAD(b, protected, external []byte) []byte {
	b = cbor.AppendHead(b, cbor.Array, 3)
	b = cbor.AppendText(b, "Encrypt0")
	b = cbor.AppendBytes(b, protected)
	return cbor.AppendBytes(b, external)
}

// frame is an envelope taken apart. Its slices point into the envelope.
type frame struct {
	protected  []byte
	generation uint16
	collector  []byte
	content    ContentType
	context    Context
	seq        uint32
	sealed     []byte // ciphertext and tag
}

func (f *frame) header(collector string) Header {
	return Header{
		Generation: f.generation, Collector: collector, ContentType: f.content,
		Context: f.context, Seq: f.seq, Tag: [16]byte(f.sealed[len(f.sealed)-tagSize:]),
	}
}

// ParseHeader reads what an envelope says in clear, without keys. The errors
// are *Error with FrameBad or SuiteUnknown.
func ParseHeader(envelope []byte) (Header, error) {
	f, err := parseFrame(envelope)
	if err != nil {
		return Header{}, err
	}
	return f.header(string(f.collector)), nil
}

func parseFrame(envelope []byte) (frame, error) {
	var f frame
	c := newCursor(envelope)
	c.literal("tag and array", framePrefix)
	f.protected = c.bytes("protected header", 1, maxProtected)
	c.literal("unprotected header", noUnprotected)
	f.sealed = c.bytes("ciphertext", tagSize, MaxPlaintext+tagSize)
	c.end("after the ciphertext")
	if err := c.err(); err != nil {
		return frame{}, err
	}
	if err := f.parseProtected(); err != nil {
		return frame{}, err
	}
	return f, nil
}

func (f *frame) parseProtected() error {
	c := newCursor(f.protected)
	c.literal("header map", protectedPrefix)
	if major, arg := c.head("algorithm"); c.bad == "" && (major != cbor.Nint || arg != algArgument) {
		return errorf(SuiteUnknown, "envelope: algorithm is not %d (SM4-GCM with HKDF-SM3)", Alg)
	}
	c.literal("content type", labelContent)
	major, arg := c.head("content type")
	if f.content = ContentType(arg); c.bad == "" && (major != cbor.Uint || arg > 0xffff || f.content.Stream() == "") {
		c.fail("content type", "unknown")
	}
	c.literal("key id", labelKid)
	if kid := c.bytes("key id", 3, maxKid); kid != nil {
		f.generation, f.collector = binary.BigEndian.Uint16(kid), kid[2:]
		if !validID(f.collector) {
			c.fail("key id", "collector id outside 0-9 A-Z a-z _ -")
		}
	}
	c.literal("sequence number", labelPartialIV)
	f.seq = c.partialIV()
	c.literal("key context", labelContext)
	if ctx := c.bytes("key context", contextSize, contextSize); ctx != nil {
		f.context = contextOf(ctx)
	}
	c.end("after the header map")
	return c.err()
}

// partialIV reads what appendPartialIV writes.
func (c *cursor) partialIV() (seq uint32) {
	b := c.bytes("sequence number", 1, 4)
	if len(b) > 1 && b[0] == 0 {
		c.fail("sequence number", "leading zero")
	}
	for _, x := range b {
		seq = seq<<8 | uint32(x)
	}
	return seq
}
