package store

import (
	"strconv"
	"strings"

	"citygrid/schemas"
)

// measurement is the name under which readings are stored.
const measurement = "reading"

// AppendLine appends r as one line of the line protocol, with its newline, and
// returns the longer slice. It allocates nothing but room in dst.
//
// It writes whatever it is given with the escapes of the protocol [InfluxDB
// 1.8, "Line protocol reference"]. What reads back is exact for every reading
// that passes Validate; Store.Write checks that.
func AppendLine(dst []byte, r schemas.Reading) []byte {
	dst = append(dst, measurement+",meter="...)
	dst = appendTag(dst, string(r.Meter))
	// Tags stand in the order of their names, which is how the server keeps
	// them; live readings, nearly all, have no origin.
	if r.Origin != schemas.Live {
		dst = append(dst, ",origin="...)
		dst = appendTag(dst, string(r.Origin))
	}
	dst = append(dst, ",quantity="...)
	dst = appendTag(dst, string(r.Quantity))
	dst = append(dst, ' ')
	if r.HasValue() {
		dst = append(dst, "exponent="...)
		dst = strconv.AppendInt(dst, int64(r.Value.Exponent), 10)
		dst = append(dst, "i,mantissa="...)
		dst = strconv.AppendInt(dst, r.Value.Mantissa, 10)
		dst = append(dst, "i,"...)
	}
	dst = append(dst, "quality="...)
	dst = strconv.AppendUint(dst, uint64(r.Quality), 10)
	dst = append(dst, 'i')
	if r.Quality != schemas.Good && r.Reason != "" {
		dst = append(dst, `,reason="`...)
		dst = appendString(dst, string(r.Reason))
		dst = append(dst, '"')
	}
	if r.HasValue() {
		dst = append(dst, ",value="...)
		dst = appendDecimal(dst, r.Value)
	}
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, r.TakenAt.UnixMilli(), 10)
	return append(dst, '\n')
}

// appendTag appends a tag's value. Line ends and tabs cannot be carried in a
// tag; like the maker's encoder it writes their letters, so that they cannot
// end the line.
func appendTag(dst []byte, s string) []byte {
	return appendEscaped(dst, s, ", =\n\r\t", ", =nrt")
}

// appendString appends the inside of a quoted string field, which may hold
// anything, line ends too, but its own quotes.
func appendString(dst []byte, s string) []byte {
	return appendEscaped(dst, s, `"\`, `"\`)
}

// appendEscaped replaces each byte in special by a backslash and the byte at
// the same place in letters. Stretches without any, which is to say all that a
// valid reading holds, are copied whole.
func appendEscaped(dst []byte, s, special, letters string) []byte {
	done := 0
	for i := range len(s) {
		if s[i] > '=' && s[i] != '\\' {
			continue // the highest byte in special, and the usual case
		}
		if k := strings.IndexByte(special, s[i]); k >= 0 {
			dst = append(dst, s[done:i]...)
			dst = append(dst, '\\', letters[k])
			done = i + 1
		}
	}
	return append(dst, s[done:]...)
}

// appendDecimal appends d in plain notation, as d.String writes it. The server
// turns the digits into the nearest float64 itself, so nothing is rounded
// twice; a number without suffix is a float to it.
func appendDecimal(dst []byte, d schemas.Decimal) []byte {
	if d.Exponent >= 0 {
		dst = strconv.AppendInt(dst, d.Mantissa, 10)
		if d.Mantissa != 0 {
			dst = appendZeros(dst, int(d.Exponent))
		}
		return dst
	}
	var room [20]byte // the sign and 19 digits of the lowest int64
	digits := strconv.AppendInt(room[:0], d.Mantissa, 10)
	if digits[0] == '-' {
		dst, digits = append(dst, '-'), digits[1:]
	}
	places := -int(d.Exponent)
	if len(digits) <= places {
		dst = append(dst, "0."...)
		dst = appendZeros(dst, places-len(digits))
		return append(dst, digits...)
	}
	point := len(digits) - places
	dst = append(dst, digits[:point]...)
	dst = append(dst, '.')
	return append(dst, digits[point:]...)
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}
