package simulators

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Lengths of RTU requests [Modbus over serial line V1.02 2.5.1].
const (
	rtuRequest   = 8 // unit, function, two words, CRC: functions 1 to 6
	rtuWriteHead = 7 // unit, function, two words, byte count: functions 15 and 16
	crcSize      = 2
)

// rtu is Modbus RTU on a serial line, or the same bytes over TCP.
type rtu struct{ byUnit [256]*Meter }

// NewRTU returns the Modbus RTU side of meters. Meters of another protocol, and
// two of one unit id, are an error. A unit that it does not know stays silent.
func NewRTU(meters ...*Meter) (Slave, error) {
	s := &rtu{}
	for _, m := range meters {
		if m.Profile == nil {
			return nil, fmt.Errorf("modbus slave: meter %s has no register map", m.ID)
		}
		if other := s.byUnit[m.Unit]; other != nil {
			return nil, fmt.Errorf("modbus slave: unit %d is both %s and %s", m.Unit, other.ID, m.ID)
		}
		s.byUnit[m.Unit] = m
	}
	return s, nil
}

// Frame finds a request by its length, which follows from the function, and its
// CRC: a slave on a TCP stream has no silence to go by.
func (s *rtu) Frame(b []byte) (skip, n int) {
	for skip := range b {
		if n := rtuLength(b[skip:]); n > 0 && crc16(b[skip:skip+n]) == 0 {
			return skip, n
		}
	}
	return 0, 0
}

// rtuLength returns the length of the request that b begins with, 0 when b is
// too short or begins with none.
func rtuLength(b []byte) int {
	if len(b) < rtuRequest {
		return 0
	}
	n := rtuRequest
	switch fn := b[1]; {
	case fn == 15 || fn == 16:
		n = rtuWriteHead + int(b[6]) + crcSize
	case fn < 1 || fn > 6:
		return 0
	}
	if n > len(b) {
		return 0
	}
	return n
}

// Answer gives registers or an exception. Unit 0 is a broadcast and gets none.
func (s *rtu) Answer(dst, frame []byte, t time.Time) []byte {
	if len(frame) == 0 || rtuLength(frame) != len(frame) || crc16(frame) != 0 {
		return dst
	}
	unit, fn := frame[0], frame[1]
	m := s.byUnit[unit]
	if m == nil || m.Silent(t) {
		return dst
	}
	from := len(dst)
	at, count := binary.BigEndian.Uint16(frame[2:]), binary.BigEndian.Uint16(frame[4:])
	dst = append(dst, unit, fn, byte(2*count))
	dst, exception := m.AppendRegisters(dst, fn, at, count, t)
	if exception != 0 {
		dst = append(dst[:from], unit, fn|0x80, byte(exception))
	}
	return binary.LittleEndian.AppendUint16(dst, crc16(dst[from:]))
}

// crc16 is the CRC of Modbus RTU: polynomial A001 reflected, from FFFF. Over a
// frame with its own CRC, which is sent low byte first, it is 0
// [Modbus over serial line V1.02 6.2.2].
func crc16(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			carry := crc & 1
			if crc >>= 1; carry != 0 {
				crc ^= 0xA001
			}
		}
	}
	return crc
}
