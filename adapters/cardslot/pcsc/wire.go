package pcsc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// Everything on the socket is in the byte order of the machine, and laid out as
// C does: each struct here has the members and sizes of its namesake in
// winscard_msg.h and eventhandler.h.

// command is what a request asks for.
type command uint32

const (
	cmdEstablishContext command = 0x01
	cmdReleaseContext   command = 0x02
	cmdConnect          command = 0x04
	cmdDisconnect       command = 0x06
	cmdBeginTransaction command = 0x07
	cmdEndTransaction   command = 0x08
	cmdTransmit         command = 0x09
	cmdVersion          command = 0x11
	cmdReadersState     command = 0x12
	cmdWaitChange       command = 0x13
)

// header precedes every request, but no answer.
type header struct {
	Size    uint32 // of what follows; the bytes of an APDU not counted
	Command command
}

type versionMsg struct {
	Major, Minor int32
	Status       uint32
}

type contextMsg struct { // establish_struct
	Scope, Context, Status uint32
}

type releaseMsg struct {
	Context, Status uint32
}

type connectMsg struct {
	Context        uint32
	Reader         [nameSize]byte
	Share          uint32
	Preferred      uint32 // a set of protocols
	Card           int32
	ActiveProtocol uint32
	Status         uint32
}

type disposeMsg struct { // disconnect_struct and end_struct
	Card        int32
	Disposition uint32
	Status      uint32
}

type beginMsg struct {
	Card   int32
	Status uint32
}

type transmitMsg struct {
	Card                      int32
	SendProtocol, SendPciSize uint32
	SendLength                uint32
	RecvProtocol, RecvPciSize uint32
	RecvLength                uint32
	Status                    uint32
}

type changeMsg struct { // wait_reader_state_change
	Timeout, Status uint32
}

// stateMsg is one place in the table of readers.
type stateMsg struct {
	Name      [nameSize]byte
	Events    uint32
	State     uint32
	Sharing   int32
	ATR       [atrSize]byte
	_         [3]byte
	ATRLength uint32
	Protocol  uint32
}

// The sizes, which are part of the protocol.
const (
	nameSize   = 128 // MAX_READERNAME
	atrSize    = 33  // MAX_ATR_SIZE
	maxReaders = 16  // PCSCLITE_MAX_READERS_CONTEXTS
	stateSize  = nameSize + 3*4 + atrSize + 3 + 2*4
	tableSize  = maxReaders * stateSize
	maxAPDU    = 4 + 3 + 1<<16 + 3 + 2 // MAX_BUFFER_SIZE_EXTENDED
	pciSize    = 16                    // SCARD_IO_REQUEST of a 64-bit client
)

const (
	shareShared = 2 // SCARD_SHARE_SHARED

	protocolT0  = 1
	protocolT1  = 2
	protocolAny = protocolT0 | protocolT1

	leaveCard = 0
	resetCard = 1

	statePresent   = 0x04
	stateSwallowed = 0x08 // in, but it did not answer to reset
)

// readerState is what the daemon knows of a reader.
type readerState struct {
	name   string
	events uint32 // rises with each insertion and removal
	state  uint32
	atr    []byte // nil while the daemon does not know it
}

func (s readerState) present() bool { return s.state&statePresent != 0 }
func (s readerState) mute() bool    { return s.present() && s.state&stateSwallowed != 0 }
func (s readerState) ready() bool   { return s.present() && !s.mute() && len(s.atr) > 0 }

// decodeStates reads the table of readers. Empty places are left out.
func decodeStates(table []byte) ([]readerState, error) {
	if len(table) != tableSize {
		return nil, fmt.Errorf("table of readers has %d bytes, want %d", len(table), tableSize)
	}
	var states []readerState
	for place := range maxReaders {
		var m stateMsg
		if _, err := binary.Decode(table[place*stateSize:][:stateSize], binary.NativeEndian, &m); err != nil {
			return nil, fmt.Errorf("table of readers: %w", err)
		}
		name := trimName(m.Name[:])
		if name == "" {
			continue
		}
		s := readerState{name: name, events: m.Events, state: m.State}
		if m.ATRLength <= atrSize { // one more means that the reader is not ready
			s.atr = bytes.Clone(m.ATR[:m.ATRLength])
		}
		states = append(states, s)
	}
	return states, nil
}

// trimName returns a name up to its first NUL. What is no text, a driver gone
// wrong, is made readable but no longer names the reader to the daemon.
func trimName(field []byte) string {
	name, _, _ := bytes.Cut(field, []byte{0})
	if !utf8.Valid(name) {
		return fmt.Sprintf("%q", name)
	}
	return string(name)
}

// nameField is the opposite of trimName. The last byte is always NUL.
func nameField(name string) (field [nameSize]byte, err error) {
	if len(name) >= nameSize {
		return field, fmt.Errorf("the reader's name has %d bytes; there is room for %d", len(name), nameSize-1)
	}
	copy(field[:], name)
	return field, nil
}
