package modbus

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// A Sight is a Modbus frame that somebody who watches a line has seen, of
// whichever master and of either direction.
type Sight struct {
	// TCP says that the frame has an MBAP header, with the transaction ID, rather
	// than a CRC.
	TCP bool
	ID  uint16
	// Request is whether a master sent it. Writes of one register or coil are
	// answered with their own bytes: they count as requests.
	Request        bool
	Unit, Function uint8
	// Data is what follows the function.
	Data []byte
}

// refusal is the bit of the function that marks an exception.
const refusal = 0x80

// SeeRTU reads the RTU frame that b begins with, of the functions 1 to 6, 15 and
// 16 and of any exception, with a right CRC. n is its length, 0 when b does not
// begin with such a frame.
func SeeRTU(b []byte) (s Sight, n int) {
	if len(b) < rtuException {
		return s, 0
	}
	for _, c := range rtuLengths(b) {
		if c.n > len(b) {
			continue
		}
		pdu, err := newRTU().packager.Decode(b[:c.n])
		if err == nil {
			return Sight{Request: c.request, Unit: b[0], Function: pdu.FunctionCode, Data: pdu.Data}, c.n
		}
	}
	return s, 0
}

// length is how long a frame of one direction would be.
type length struct {
	n       int
	request bool
}

// rtuLengths returns what b, of rtuException bytes at least, may be.
func rtuLengths(b []byte) []length {
	switch f := b[1]; {
	case f&refusal != 0:
		return []length{{rtuException, false}}
	case f >= 1 && f <= 4:
		return []length{{rtuOverhead + int(b[2]), false}, {rtuRequest, true}}
	case f == 5 || f == 6:
		return []length{{rtuRequest, true}}
	case f == 15 || f == 16:
		all := []length{{rtuRequest, false}}
		if len(b) > 6 {
			all = append(all, length{9 + int(b[6]), true})
		}
		return all
	}
	return nil
}

// SeeTCP reads the Modbus TCP frame that b begins with. request is who is known
// to have sent it, since the frame itself does not say. n is its length, 0 when
// b does not begin with a whole frame.
func SeeTCP(b []byte, request bool) (s Sight, n int) {
	if len(b) <= mbapHeader || binary.BigEndian.Uint16(b[2:]) != 0 {
		return s, 0
	}
	length := int(binary.BigEndian.Uint16(b[4:]))
	n = mbapHeader - 1 + length
	if length < minLength || length > maxLength || len(b) < n {
		return s, 0
	}
	return Sight{
		TCP: true, ID: binary.BigEndian.Uint16(b), Request: request,
		Unit: b[6], Function: b[7], Data: b[8:n],
	}, n
}

// Answers reports whether s can be the answer to request, as far as its frame
// tells: the transaction id, unit, function, and how many registers.
func (s Sight) Answers(request Sight) bool {
	switch {
	case s.TCP != request.TCP, s.TCP && s.ID != request.ID,
		s.Unit != request.Unit, s.Function&^refusal != request.Function:
		return false
	case s.Function&refusal != 0 || len(request.Data) < 4 || len(s.Data) < 1:
		return true
	case s.Function == 3 || s.Function == 4:
		return int(s.Data[0]) == 2*int(binary.BigEndian.Uint16(request.Data[2:]))
	}
	return true
}

// String says what s asks or answers: "unit 1: read 2 holding registers from
// 0x2012", "unit 1: 2 holding registers: 4500 0000", "unit 1 refuses function 3:
// 02 illegal data address".
func (s Sight) String() string {
	what := fmt.Sprintf("unit %d", s.Unit)
	if s.TCP {
		what += fmt.Sprintf(", id %04X", s.ID)
	}
	d := s.Data
	switch {
	case s.Function&refusal != 0 && len(d) == 1:
		name, _ := meaning(d[0])
		return fmt.Sprintf("%s refuses function %d: %02X %s", what, s.Function&^refusal, d[0], name)
	case s.Request && len(d) >= 4:
		return what + ": " + s.asks()
	case (s.Function == 3 || s.Function == 4) && len(d) > 0 && int(d[0]) == len(d)-1 && len(d)%2 == 1:
		return fmt.Sprintf("%s: %d %s: %s", what, d[0]/2, tableOf(s.Function), hexWords(d[1:]))
	}
	return fmt.Sprintf("%s: function %d: % X", what, s.Function, d)
}

func (s Sight) asks() string {
	at, n := binary.BigEndian.Uint16(s.Data), binary.BigEndian.Uint16(s.Data[2:])
	switch s.Function {
	case 1, 2, 3, 4:
		return fmt.Sprintf("read %d %s from 0x%04X", n, tableOf(s.Function), at)
	case 5, 6:
		return fmt.Sprintf("write %04X to 0x%04X (function %d)", n, at, s.Function)
	}
	return fmt.Sprintf("write %d from 0x%04X (function %d): % X", n, at, s.Function, s.Data[4:])
}

func tableOf(function uint8) string {
	switch function {
	case 1:
		return "coils"
	case 2:
		return "discrete inputs"
	case 4:
		return "input registers"
	}
	return "holding registers"
}

// hexWords writes registers as four digits each.
func hexWords(b []byte) string {
	var out strings.Builder
	for i := 0; i+1 < len(b); i += 2 {
		if i > 0 {
			out.WriteByte(' ')
		}
		fmt.Fprintf(&out, "%04X", b[i:i+2])
	}
	return out.String()
}
