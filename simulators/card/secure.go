package card

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// externalAuth lets a party prove that it holds a key. A try is used up before the
// answer is looked at, so that pulling the card does not give it back.
func (c *Card) externalAuth(cmd command) status {
	role, tries, sw := c.keyOf(cmd)
	switch {
	case sw != swOK:
		return sw
	case !cmd.whole(false) || cmd.p3 != cryptogramLength:
		return swLength
	case tries[role] == 0:
		return swBlocked
	case len(c.session.challenge) != cryptogramLength:
		return swNoChallenge
	}
	want, err := c.answer(role, c.session.challenge)
	if err != nil {
		return swNoDiagnosis
	}
	tries[role]--
	if !equal(want, cmd.data) {
		return swTries + status(tries[role])
	}
	tries[role] = keyTries
	c.session.role = role
	return swOK
}

// internalAuth proves to the other side that this is the card of its serial. The
// challenge of EXTERNAL AUTHENTICATE has lapsed by then, so the answer cannot be
// played back to this card.
func (c *Card) internalAuth(cmd command) status {
	role, tries, sw := c.keyOf(cmd)
	switch {
	case sw != swOK:
		return sw
	case !cmd.whole(true) || cmd.p3 != cryptogramLength:
		return swLength
	case tries[role] == 0:
		return swBlocked
	}
	answer, err := c.answer(role, cmd.data[:cryptogramLength])
	if err != nil {
		return swNoDiagnosis
	}
	return c.later(answer)
}

// keyOf finds the key that P2 names.
func (c *Card) keyOf(cmd command) (Role, map[Role]int, status) {
	if cmd.p1 != 0 {
		return 0, nil, swParameters
	}
	role, tries := Role(cmd.p2), c.session.folder.tries
	if _, ok := tries[role]; !ok {
		return 0, nil, swNoKey
	}
	return role, tries, swOK
}

func (c *Card) answer(role Role, challenge []byte) ([]byte, error) {
	key, err := diversified(c.serial, c.session.folder.id, role)
	if err != nil {
		return nil, err
	}
	return cryptogram(key, challenge)
}

// code is the MAC over parts with the key of the party that has authenticated.
func (c *Card) code(parts ...[]byte) ([macLength]byte, error) {
	key, err := diversified(c.serial, c.session.folder.id, c.session.role)
	if err != nil {
		return [macLength]byte{}, err
	}
	return mac(key, c.session.challenge, slices.Concat(parts...))
}

// locate finds the file and offset of READ and UPDATE BINARY: a short identifier
// and 8 bits of offset, or the current file and 15 bits.
func (c *Card) locate(cmd command) (f *file, offset int, sw status) {
	if cmd.p1&0x80 == 0 {
		f, offset = c.session.file, int(cmd.p1)<<8|int(cmd.p2)
		if f == nil {
			return nil, 0, swNoFile
		}
	} else {
		if cmd.p1&0x60 != 0 {
			return nil, 0, swParameters
		}
		f, offset = c.session.folder.find(cmd.p1&0x1F), int(cmd.p2)
		if f == nil {
			return nil, 0, swNotFound
		}
	}
	if offset >= len(f.data) {
		return nil, 0, swOffset
	}
	return f, offset, swOK
}

// read is READ BINARY. With CLA 04 it ends in a MAC, which Le includes.
func (c *Card) read(cmd command) ([]byte, status) {
	f, offset, sw := c.locate(cmd)
	if sw != swOK {
		return nil, sw
	}
	extra := 0
	if cmd.cla == classMAC {
		extra = macLength
		if sw := c.mayProve(); sw != swOK {
			return nil, sw
		}
	}
	left := len(f.data) - offset
	switch {
	case len(cmd.data) > 0 || cmd.le() <= extra:
		return nil, swLength
	case cmd.le() > left+extra:
		return nil, swExact + status(left+extra)
	}
	c.session.file = f
	data := bytes.Clone(f.data[offset : offset+cmd.le()-extra])
	if extra == 0 {
		return data, swOK
	}
	code, err := c.code(cmd.header, data)
	if err != nil {
		return nil, swNoDiagnosis
	}
	return append(data, code[:]...), swOK
}

func (c *Card) mayProve() status {
	switch {
	case c.session.role == 0:
		return swSecurity
	case c.session.challenge == nil:
		return swNoChallenge
	}
	return swOK
}

// update is UPDATE BINARY with MAC. The checks go from who may do this at all to
// what is written; the write itself is one assignment and hence whole or not done.
func (c *Card) update(cmd command) status {
	f, offset, sw := c.locate(cmd)
	switch {
	case sw != swOK:
		return sw
	case f.writers&c.session.role == 0:
		return swSecurity
	case cmd.cla != classMAC:
		return swNoMAC
	case !cmd.whole(false) || len(cmd.data) <= macLength:
		return swLength
	case offset+len(cmd.data)-macLength > len(f.data):
		return swLength
	case c.session.challenge == nil:
		return swNoChallenge
	}
	data, code := cmd.data[:len(cmd.data)-macLength], cmd.data[len(cmd.data)-macLength:]
	want, err := c.code(cmd.header, data)
	if err != nil {
		return swNoDiagnosis
	}
	if !equal(want[:], code) {
		return swMAC
	}
	written := bytes.Clone(f.data)
	copy(written[offset:], data)
	if f.wallet && c.session.role == Meter && !spent(f.data, written) {
		return swConditions
	}
	if c.failing > 0 {
		c.failing--
		return swMemory
	}
	f.data, c.session.file = written, f
	return swOK
}

// spent reports whether a wallet went from before to after as a meter may take it:
// no more money than there was, and the same purchase count.
func spent(before, after []byte) bool {
	return binary.BigEndian.Uint32(after) <= binary.BigEndian.Uint32(before) && bytes.Equal(after[4:], before[4:])
}
