package lab

import "encoding/binary"

// protocol is what the lab knows of a kind of frame: enough to change an
// address or an answer and mend the check after it.
type protocol uint8

const (
	rtu protocol = iota
	dlt645
	cjt188
)

const (
	frameStart, frameEnd = 0x68, 0x16
	// leadByte stands before frames, to wake the receiver.
	leadByte = 0xFE
	// rtuMin is unit, function, one byte and the CRC.
	rtuMin = 5
	// Places in a frame of DL/T 645-2007 [7.2] and of CJ/T 188-2004 [6.2].
	dltStart2, dltControl, dltData = 7, 8, 10
	cjtControl, cjtData            = 9, 11
	sumTail                        = 2 // checksum and end
	dltOffset                      = 0x33
)

// protocolOf tells the protocols apart by the check, then by the second start
// byte of DL/T 645.
func protocolOf(frame []byte) (protocol, bool) {
	switch n := len(frame); {
	case n >= rtuMin && crc16(frame) == 0:
		return rtu, true
	case n < cjtData+sumTail-1 || frame[0] != frameStart || frame[n-1] != frameEnd || sum(frame[:n-sumTail]) != frame[n-sumTail]:
		return 0, false
	case frame[dltStart2] == frameStart && int(frame[dltData-1]) == n-dltData-sumTail:
		return dlt645, true
	}
	return cjt188, int(frame[cjtData-1]) == len(frame)-cjtData-sumTail
}

// address returns the bytes that name the meter.
func (p protocol) address(frame []byte) []byte {
	switch p {
	case dlt645:
		return frame[1:dltStart2]
	case cjt188:
		return frame[1:cjtControl] // with the type
	}
	return frame[:1]
}

// data returns the first byte that may be spoilt so that the check, and nothing
// but the check, shows it.
func (p protocol) data() int {
	switch p {
	case dlt645:
		return dltData
	case cjt188:
		return cjtData
	}
	return 0
}

// mend gives frame the check that its bytes ask for.
func (p protocol) mend(frame []byte) {
	n := len(frame)
	if p == rtu {
		binary.LittleEndian.PutUint16(frame[n-2:], crc16(frame[:n-2]))
		return
	}
	frame[n-sumTail] = sum(frame[:n-sumTail])
}

// refusal appends the answer of a meter that cannot do what frame asks: Modbus
// exception 06 (busy), DL/T 645 error "other", CJ/T 188 an empty status.
func (p protocol) refusal(dst, frame []byte) []byte {
	from := len(dst)
	switch p {
	case dlt645:
		dst = append(dst, frame[:dltControl]...)
		dst = append(dst, frame[dltControl]|0xC0, 1, 0x01+dltOffset, 0, frameEnd)
	case cjt188:
		dst = append(dst, frame[:cjtControl]...)
		ser := byte(0)
		if len(frame) > cjtData+2+sumTail {
			ser = frame[cjtData+2]
		}
		dst = append(dst, frame[cjtControl]|0xC0, 3, ser, 0, 0, 0, frameEnd)
	default:
		dst = append(dst, frame[0], frame[1]|0x80, 6, 0, 0)
	}
	p.mend(dst[from:])
	return dst
}

// leadIn returns how many lead-in bytes stand before a frame.
func leadIn(b []byte) int {
	n := 0
	for n < len(b) && b[n] == leadByte {
		n++
	}
	return n
}

func sum(b []byte) (s byte) {
	for _, c := range b {
		s += c
	}
	return s
}

// crc16 is the CRC of Modbus RTU: polynomial A001 reflected, from FFFF; over a
// frame with its own CRC it is 0 [Modbus over serial line V1.02 6.2.2].
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
