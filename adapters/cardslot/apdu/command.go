package apdu

import (
	"fmt"
	"slices"
)

// Instructions [ISO/IEC 7816-4 table 4.2].
const (
	insVerify               = 0x20
	insExternalAuthenticate = 0x82
	insGetChallenge         = 0x84
	insInternalAuthenticate = 0x88
	insSelect               = 0xA4
	insReadBinary           = 0xB0
	insReadRecord           = 0xB2
	insGetResponse          = 0xC0
	insUpdateBinary         = 0xD6
)

// Classes of the commands used here.
const (
	classPlain  = 0x00
	classSecure = 0x04 // the last four bytes of the data are a MAC
)

// MaxAnswer is the longest answer to a short command, without status word.
const MaxAnswer = 256

// maxData is the longest data of a short command.
const maxData = 255

// Command is a short command APDU.
type Command struct {
	CLA, INS, P1, P2 byte
	// Data is what is sent, 0 to 255 bytes.
	Data []byte
	// Le is how many bytes are expected at most, 1 to 256; 0 expects none.
	Le int
}

// Bytes returns c as it goes to the card: the header; Lc and the data, if there
// are any; Le, if an answer is expected.
func (c Command) Bytes() ([]byte, error) {
	if len(c.Data) > maxData {
		return nil, fmt.Errorf("%s: %d bytes of data; a short command carries at most %d", c, len(c.Data), maxData)
	}
	if c.Le < 0 || c.Le > MaxAnswer {
		return nil, fmt.Errorf("%s: Le is %d; a short command expects 0 to %d bytes", c, c.Le, MaxAnswer)
	}
	b := make([]byte, 0, 6+len(c.Data))
	b = append(b, c.CLA, c.INS, c.P1, c.P2)
	if len(c.Data) > 0 {
		b = append(b, byte(len(c.Data)))
		b = append(b, c.Data...)
	}
	if c.Le > 0 {
		b = append(b, byte(c.Le)) // 256 is written as 00
	}
	return b, nil
}

// String names the command and what it is about. It shows no data: a command may
// carry a PIN.
func (c Command) String() string {
	header := fmt.Sprintf("%02X%02X%02X%02X", c.CLA, c.INS, c.P1, c.P2)
	switch c.INS {
	case insSelect:
		return fmt.Sprintf("SELECT %X", c.Data)
	case insReadBinary:
		return "READ BINARY of " + c.place()
	case insUpdateBinary:
		return "UPDATE BINARY of " + c.place()
	case insReadRecord:
		return fmt.Sprintf("READ RECORD %d of file %02X", c.P1, c.P2>>3)
	case insGetChallenge:
		return "GET CHALLENGE"
	case insGetResponse:
		return "GET RESPONSE"
	case insVerify:
		return fmt.Sprintf("VERIFY of secret %02X", c.P2)
	case insInternalAuthenticate:
		return fmt.Sprintf("INTERNAL AUTHENTICATE with key %02X", c.P2)
	case insExternalAuthenticate:
		return fmt.Sprintf("EXTERNAL AUTHENTICATE with key %02X", c.P2)
	}
	return "command " + header
}

// place says which bytes of which file a binary command is about.
func (c Command) place() string {
	if c.P1&shortFile != 0 {
		return fmt.Sprintf("file %02X at %d", c.P1&^shortFile, c.P2)
	}
	return fmt.Sprintf("the current file at %d", int(c.P1)<<8|int(c.P2))
}

// repeatable reports whether c may be sent again with another Le: it reads, and
// its answer needs no challenge of its own.
func (c Command) repeatable() bool {
	return c.CLA == classPlain && slices.Contains([]byte{insReadBinary, insReadRecord, insGetResponse}, c.INS)
}
