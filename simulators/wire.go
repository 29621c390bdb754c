package simulators

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Sizes of a Modbus TCP frame [Modbus Messaging on TCP/IP V1.0b 3.1.3].
const (
	headerSize = 7   // transaction 2, protocol 2, length 2, unit 1
	maxADU     = 260 // header and a PDU of at most 253
	minLength  = 2   // unit and function
	maxLength  = maxADU - 6
)

// request is one request as it came over the wire.
type request struct {
	transaction uint16
	unit        uint8
	function    uint8
	at, count   uint16
	// malformed: the PDU is not that of a read (function, address, count).
	malformed bool
}

var errNotModbus = errors.New("not Modbus TCP")

// readRequest reads one frame into buf, which has room for maxADU. After an
// error other than io.EOF between frames the stream cannot be followed.
func readRequest(r io.Reader, buf []byte) (request, error) {
	if _, err := io.ReadFull(r, buf[:headerSize]); err != nil {
		return request{}, err
	}
	length := int(binary.BigEndian.Uint16(buf[4:]))
	if protocol := binary.BigEndian.Uint16(buf[2:]); protocol != 0 || length < minLength || length > maxLength {
		return request{}, fmt.Errorf("%w: protocol %d, length %d", errNotModbus, protocol, length)
	}
	pdu := buf[headerSize : headerSize+length-1]
	if _, err := io.ReadFull(r, pdu); err != nil {
		return request{}, err
	}
	q := request{
		transaction: binary.BigEndian.Uint16(buf),
		unit:        buf[6],
		function:    pdu[0],
		malformed:   len(pdu) != 5,
	}
	if !q.malformed {
		q.at, q.count = binary.BigEndian.Uint16(pdu[1:]), binary.BigEndian.Uint16(pdu[3:])
	}
	return q, nil
}

// appendHeader appends the header of a reply whose PDU has size bytes.
func appendHeader(dst []byte, transaction uint16, unit uint8, size int) []byte {
	dst = binary.BigEndian.AppendUint16(dst, transaction)
	dst = append(dst, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(size+1))
	return append(dst, unit)
}

// appendException appends a whole exception reply.
func appendException(dst []byte, q request, e Exception) []byte {
	dst = appendHeader(dst, q.transaction, q.unit, 2)
	return append(dst, q.function|0x80, byte(e))
}
