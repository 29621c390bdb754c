package dlt645

import (
	"fmt"
	"strings"
)

// The bytes of a frame [2007 5.2]:
//
//	FE FE FE FE   0 to 4 bytes that wake the receiver up; not part of the frame
//	68            start
//	A0 .. A5      address, lowest pair of digits first
//	68            start again
//	C             control: D7 from the meter, D6 refused, D5 more follows, D4-D0 function
//	L             length of the data
//	data          each byte plus 33H
//	CS            sum of all bytes from the first 68 on, modulo 256
//	16            end
const (
	wakeUp  = 0xFE
	start   = 0x68
	end     = 0x16
	offset  = 0x33
	headLen = 10 // up to and with L
	tailLen = 2
	// maxData is the longest data of an answer to a read [2007 5.2.5].
	maxData = 200
	// maxWakeUp is how many FE bytes may go before a frame [2007 5.3].
	maxWakeUp = 4
)

// The parts of the control byte.
const (
	fromMeter    = 0x80
	refused      = 0x40
	moreFollows  = 0x20
	functionBits = 0x1F
)

// The functions that read. There are no others in this package.
const (
	readData     = 0x11 // 2007: identifier of four bytes
	readNext     = 0x12 // 2007: the next frame of an answer
	readAddress  = 0x13 // 2007: who is on the line
	readData1997 = 0x01 // 1997: identifier of two bytes
)

// securityAuth is the function of the commands that need the meter's security
// module. It is here because its refusals have words of their own.
const securityAuth = 0x03

// Frame is a frame of DL/T 645, of a meter or of a master.
type Frame struct {
	Address Address
	Control byte
	// Data has the 33H taken off.
	Data []byte
}

// FromMeter reports whether a meter sent f, rather than a master.
func (f Frame) FromMeter() bool { return f.Control&fromMeter != 0 }

// Refused reports whether f is an exception answer; its data are the error bits.
func (f Frame) Refused() bool { return f.Control&refused != 0 }

// More reports whether the meter has more data to this answer.
func (f Frame) More() bool { return f.Control&moreFollows != 0 }

// Function returns the function that f asks for or answers.
func (f Frame) Function() byte { return f.Control & functionBits }

// String describes f for people: "meter 000000000161: 00010000 = 26 00 00 00",
// the data lowest byte first, as on the wire.
func (f Frame) String() string {
	from := "master to"
	if f.FromMeter() {
		from = "meter"
	}
	return fmt.Sprintf("%s %s: %s", from, f.Address, f.content())
}

func (f Frame) content() string {
	if f.FromMeter() && f.Refused() {
		if r, err := parseRefusal(f); err == nil {
			return fmt.Sprintf("refuses %02X: %s", f.Function(), strings.Join(r.Words(), ", "))
		}
	}
	n := digits(f.Function())
	if f.Function() == readAddress || !reads(f.Function()) || len(f.Data) < n {
		return fmt.Sprintf("%02X with % X", f.Control, f.Data)
	}
	item := fmt.Sprintf("%0*X", 2*n, identifier(f.Data, n))
	if !f.FromMeter() {
		return fmt.Sprintf("%02X asks for %s", f.Control, item)
	}
	more := ""
	if f.More() {
		more = ", more follows"
	}
	return fmt.Sprintf("%s = % X%s", item, f.Data[n:], more)
}

// Parse reads one whole frame, with or without wake-up bytes before it and
// nothing after it. Any deviation is an error that says which.
func Parse(b []byte) (Frame, error) {
	b = bare(b)
	if len(b) < headLen+tailLen {
		return Frame{}, fmt.Errorf("frame of %d bytes, the shortest has %d", len(b), headLen+tailLen)
	}
	if b[0] != start || b[7] != start {
		return Frame{}, fmt.Errorf("no frame: % X", b[:headLen])
	}
	if want := int(b[9]) + headLen + tailLen; len(b) != want {
		return Frame{}, fmt.Errorf("frame of %d bytes says that it has %d", len(b), want)
	}
	if b[9] > maxData {
		return Frame{}, fmt.Errorf("frame with %d bytes of data, the most is %d", b[9], maxData)
	}
	body, cs := b[:len(b)-tailLen], b[len(b)-tailLen]
	if b[len(b)-1] != end {
		return Frame{}, fmt.Errorf("frame ends with %02X, not %02X", b[len(b)-1], end)
	}
	if want := sum(body); cs != want {
		return Frame{}, fmt.Errorf("checksum is %02X, the bytes give %02X", cs, want)
	}
	f := Frame{Address: addressOf(b[1:7]), Control: b[8], Data: make([]byte, b[9])}
	for i := range f.Data {
		f.Data[i] = body[headLen+i] - offset
	}
	return f, nil
}

// sum is the checksum [2007 5.2.7].
func sum(b []byte) (s byte) {
	for _, c := range b {
		s += c
	}
	return s
}

// Split looks for the first frame in b: skip bytes before it, then n bytes of it;
// n = 0 means that more bytes are needed. An error means that b is too long to
// become one. Noise before a frame is skipped: what follows it is taken only if
// every byte of it is as a frame's must be, the checksum included. Without such
// a frame, the first bytes that have a frame's shape are taken for one, so that
// what is wrong with them is said and not waited for.
func Split(b []byte) (skip, n int, err error) {
	shaped, length := -1, 0
	for i, c := range b {
		if c != start {
			continue
		}
		n, whole := measure(b[i:])
		if !whole {
			continue
		}
		if _, err := Parse(b[i : i+n]); err == nil {
			return i, n, nil
		}
		if shaped < 0 {
			shaped, length = i, n
		}
	}
	switch {
	case shaped >= 0:
		return shaped, length, nil
	case len(b) > 2*(headLen+maxData+tailLen):
		return 0, 0, fmt.Errorf("no frame in %d bytes", len(b))
	}
	return 0, 0, nil
}

// measure returns the length of the frame that b begins with; whole is false
// when b is none, or less than all of it.
func measure(b []byte) (n int, whole bool) {
	if len(b) < headLen || b[7] != start || b[9] > maxData {
		return 0, false
	}
	n = headLen + int(b[9]) + tailLen
	return n, len(b) >= n
}

// request is what a master of this package can ask.
type request struct {
	to       Address
	function byte // one of the functions that read
	di       uint32
	seq      byte // of readNext
}

// appendRequest appends the frame of r, after wake FE bytes.
func appendRequest(dst []byte, wake int, r request) ([]byte, error) {
	for range wake {
		dst = append(dst, wakeUp)
	}
	var data []byte
	switch r.function {
	case readData:
		data = appendDI(nil, r.di, 4)
	case readNext:
		data = append(appendDI(nil, r.di, 4), r.seq)
	case readData1997:
		data = appendDI(nil, r.di, 2)
	case readAddress:
	default:
		return nil, fmt.Errorf("function %02X does not only read", r.function)
	}
	from := len(dst)
	dst = r.to.append(append(dst, start))
	dst = append(dst, start, r.function, byte(len(data)))
	for _, c := range data {
		dst = append(dst, c+offset)
	}
	return append(dst, sum(dst[from:]), end), nil
}

// appendDI appends an identifier of n bytes as it goes over the wire.
func appendDI(dst []byte, di uint32, n int) []byte {
	for range n {
		dst = append(dst, byte(di))
		di >>= 8
	}
	return dst
}

// identifier reads an identifier of n bytes.
func identifier(wire []byte, n int) (di uint32) {
	for i := n - 1; i >= 0; i-- {
		di = di<<8 | uint32(wire[i])
	}
	return di
}
