package card

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
)

// status is the status word of an answer [ISO/IEC 7816-4 5.1.3; metering 4.5].
type status uint16

const (
	swOK            status = 0x9000
	swMore          status = 0x6100 // + bytes to be fetched by GET RESPONSE
	swTries         status = 0x63C0 // + tries left
	swMemory        status = 0x6581
	swLength        status = 0x6700
	swSecurity      status = 0x6982 // authenticate first
	swBlocked       status = 0x6983
	swNoChallenge   status = 0x6984
	swConditions    status = 0x6985
	swNoFile        status = 0x6986 // no elementary file is current
	swNoMAC         status = 0x6987
	swMAC           status = 0x6988
	swNotFound      status = 0x6A82
	swParameters    status = 0x6A86
	swNoKey         status = 0x6A88
	swOffset        status = 0x6B00
	swExact         status = 0x6C00 // + the right Le
	swInstruction   status = 0x6D00
	swClass         status = 0x6E00
	swNoDiagnosis   status = 0x6F00
	classPlain             = 0x00
	classMAC               = 0x04
	insExternalAuth        = 0x82
	insChallenge           = 0x84
	insInternalAuth        = 0x88
	insSelect              = 0xA4
	insRead                = 0xB0
	insResponse            = 0xC0
	insUpdate              = 0xD6
)

// command is a command as T=0 sends it: a header whose fifth byte is Lc or Le, and
// the data that go with Lc.
type command struct {
	cla, ins, p1, p2, p3 byte
	header, data         []byte
}

// le is how many bytes are wanted; 00 means 256.
func (c command) le() int {
	if c.p3 == 0 {
		return 256
	}
	return int(c.p3)
}

// whole reports whether the data are as long as Lc says. Readers for T=1 add an
// Le to commands that both send and fetch; it is let pass there.
func (c command) whole(fetches bool) bool {
	n := len(c.data) - int(c.p3)
	return c.p3 > 0 && (n == 0 || fetches && n == 1)
}

// Transmit carries out one command and returns data and status word. A command
// with an answer to it beside sent data ends in 61xx, a read with a wrong Le in
// 6Cxx, as with T=0. Whatever is refused, and any input at all, leaves the files
// as they were.
func (c *Card) Transmit(apdu []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	data, sw := c.carryOut(apdu)
	return binary.BigEndian.AppendUint16(data, uint16(sw))
}

func (c *Card) carryOut(apdu []byte) ([]byte, status) {
	c.session.challenge = nil
	if len(apdu) < 4 {
		c.session.offered, c.session.pending = nil, nil
		return nil, swLength
	}
	cmd := command{cla: apdu[0], ins: apdu[1], p1: apdu[2], p2: apdu[3], header: append(slices.Clone(apdu[:4]), 0)}
	if len(apdu) > 4 {
		cmd.p3, cmd.header, cmd.data = apdu[4], apdu[:5], apdu[5:]
	}
	if cmd.cla == classPlain && cmd.ins == insResponse {
		return c.response(cmd)
	}
	c.session.challenge, c.session.offered, c.session.pending = c.session.offered, nil, nil
	return c.dispatch(cmd)
}

func (c *Card) dispatch(cmd command) ([]byte, status) {
	if cmd.cla != classPlain && cmd.cla != classMAC {
		return nil, swClass
	}
	switch cmd.ins {
	case insRead:
		return c.read(cmd)
	case insUpdate:
		return nil, c.update(cmd)
	case insSelect, insChallenge, insExternalAuth, insInternalAuth, insResponse:
	default:
		return nil, swInstruction
	}
	switch {
	case cmd.cla != classPlain:
		return nil, swClass
	case cmd.ins == insSelect:
		return nil, c.choose(cmd)
	case cmd.ins == insChallenge:
		return c.getChallenge(cmd)
	case cmd.ins == insExternalAuth:
		return nil, c.externalAuth(cmd)
	}
	return nil, c.internalAuth(cmd)
}

// later keeps an answer for GET RESPONSE.
func (c *Card) later(answer []byte) status {
	c.session.pending = answer
	return swMore + status(len(answer))
}

// response hands out what is pending. A wrong Le leaves it so.
func (c *Card) response(cmd command) ([]byte, status) {
	pending := c.session.pending
	switch {
	case len(cmd.data) > 0:
		return nil, swLength
	case cmd.p1 != 0 || cmd.p2 != 0:
		return nil, swParameters
	case len(pending) == 0:
		return nil, swConditions
	case cmd.le() > len(pending):
		return nil, swExact + status(len(pending))
	}
	part, rest := pending[:cmd.le()], pending[cmd.le():]
	c.session.pending = rest
	if len(rest) > 0 {
		return bytes.Clone(part), swMore + status(len(rest))
	}
	return bytes.Clone(part), swOK
}

// choose is SELECT. A new folder, and the same one again, ends the
// authentication.
func (c *Card) choose(cmd command) status {
	if cmd.p1 != 0x00 && cmd.p1 != 0x04 || cmd.p2 != 0x00 && cmd.p2 != 0x0C {
		return swParameters
	}
	if !cmd.whole(true) || cmd.p1 == 0 && cmd.p3 != 2 {
		return swLength
	}
	folder, file := c.named(cmd.p1 == 0x04, cmd.data[:cmd.p3])
	switch {
	case folder != nil:
		c.session.folder, c.session.file, c.session.role = folder, nil, 0
	case file != nil:
		c.session.file = file
	default:
		return swNotFound
	}
	if cmd.p2 == 0x0C {
		return swOK
	}
	return c.later(controlInformation(folder, file))
}

// named looks for a folder by name or identifier, or a file of the current folder
// by identifier.
func (c *Card) named(byName bool, what []byte) (*folder, *file) {
	for _, f := range c.folders {
		if byName && bytes.Equal(what, f.name()) || !byName && binary.BigEndian.Uint16(what) == f.id {
			return f, nil
		}
	}
	if byName || what[0] != 0 {
		return nil, nil
	}
	return nil, c.session.folder.find(what[1])
}

// controlInformation is the FCI template of what has been selected
// [ISO/IEC 7816-4 5.3.3]: name and identifier of a folder, size and identifier of
// a file.
func controlInformation(d *folder, f *file) []byte {
	var body []byte
	if d != nil {
		body = append([]byte{0x84, byte(len(d.name()))}, d.name()...)
		body = append(body, 0x83, 2, byte(d.id>>8), byte(d.id))
	} else {
		body = []byte{0x80, 2, byte(len(f.data) >> 8), byte(len(f.data)), 0x83, 2, 0, f.sfi}
	}
	return append([]byte{0x6F, byte(len(body))}, body...)
}

// getChallenge gives 4 or 8 random bytes, good for the next command.
func (c *Card) getChallenge(cmd command) ([]byte, status) {
	switch {
	case cmd.p1 != 0 || cmd.p2 != 0:
		return nil, swParameters
	case len(cmd.data) > 0:
		return nil, swLength
	case cmd.p3 != 4 && cmd.p3 != 8:
		return nil, swExact + 8
	}
	challenge := make([]byte, cmd.p3)
	if _, err := io.ReadFull(c.random, challenge); err != nil {
		return nil, swNoDiagnosis
	}
	c.session.offered = challenge
	return bytes.Clone(challenge), swOK
}
