package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// strip returns data without what a camera wrote about itself, its owner and its
// place. The picture itself is not touched: nothing is decoded and coded again.
func strip(data []byte, mediaType string) ([]byte, error) {
	switch mediaType {
	case "image/jpeg":
		return stripJPEG(data)
	case "image/png":
		return stripPNG(data)
	case "image/webp":
		return stripRIFF(data, "VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF", "ICCP")
	case "audio/mp4", "video/mp4", "video/3gpp", "video/quicktime":
		return stripBoxes(data)
	case "audio/wav":
		return stripRIFF(data, "fmt ", "fact", "data")
	case "audio/mpeg":
		return stripMP3(data)
	}
	return data, nil
}

// The markers of JPEG that matter here [ITU-T T.81, B.1.1.3].
const (
	markSOI, markEOI, markSOS    = 0xd8, 0xd9, 0xda
	markAPP0, markAPP1, markAPP2 = 0xe0, 0xe1, 0xe2
	markAPPE                     = 0xee
)

// stripJPEG keeps the picture, its colours and how it is to be turned, and drops
// every other application segment and comment, also between the scans of a
// progressive picture, and whatever follows the end of the picture, where phones hide
// previews and films.
func stripJPEG(data []byte) ([]byte, error) {
	out := append(make([]byte, 0, len(data)), 0xff, markSOI)
	if turned := orientation(data); turned > 1 {
		out = append(out, orientationSegment(turned)...)
	}
	for at, scanned := 2, false; ; {
		if scanned && at+2 > len(data) {
			return nil, fmt.Errorf("byte %d: the picture has no end: %w; send the photo again", at, ErrDamaged)
		}
		if at+2 > len(data) || data[at] != 0xff {
			return nil, fmt.Errorf("byte %d: no marker where one must be: %w; send the photo again", at, ErrDamaged)
		}
		mark := data[at+1]
		switch {
		case mark == 0xff: // a fill byte
			at++
			continue
		case mark == markEOI && scanned:
			return append(out, 0xff, markEOI), nil
		case mark == markEOI || at+4 > len(data):
			return nil, fmt.Errorf("byte %d: the picture has no end: %w; send the photo again", at, ErrDamaged)
		}
		size := int(binary.BigEndian.Uint16(data[at+2:]))
		if size < 2 || at+2+size > len(data) {
			return nil, fmt.Errorf("byte %d: a segment that does not fit: %w; send the photo again", at, ErrDamaged)
		}
		out = append(out, keptSegment(data[at:at+2+size])...)
		at += 2 + size
		if mark == markSOS {
			n := scanLength(data[at:])
			out, at, scanned = append(out, data[at:at+n]...), at+n, true
		}
	}
}

// scanLength is how long the coded data go: within them 0xff is followed by 0, by a
// restart marker, or by a fill byte.
func scanLength(data []byte) int {
	for at := 0; at+1 < len(data); at++ {
		if mark := data[at+1]; data[at] == 0xff && mark != 0 && mark != 0xff && (mark < 0xd0 || mark > 0xd7) {
			return at
		}
	}
	return len(data)
}

// keptSegment returns what is kept of a segment: of the tables and heads of the
// picture everything, of the others what its colours need.
func keptSegment(segment []byte) []byte {
	mark, body := segment[1], segment[4:]
	switch {
	case mark >= 0xc0 && mark <= 0xcf && mark != 0xc8, mark >= markSOS && mark <= 0xdf: // frames, tables, scans
		return segment
	case mark == markAPP0 && bytes.HasPrefix(body, []byte("JFIF\x00")) && len(body) >= 14:
		return jpegSegment(mark, body[:12], []byte{0, 0}) // without its preview
	case mark == markAPP2 && bytes.HasPrefix(body, []byte("ICC_PROFILE\x00\x01\x01")):
		if profile := scrubProfile(body[14:]); profile != nil {
			return jpegSegment(mark, body[:14], profile)
		}
	case mark == markAPPE && bytes.HasPrefix(body, []byte("Adobe")) && len(body) >= 12:
		return jpegSegment(mark, body[:12]) // says how the colours are coded
	}
	return nil
}

func jpegSegment(mark byte, parts ...[]byte) []byte {
	out := []byte{0xff, mark, 0, 0}
	for _, p := range parts {
		out = append(out, p...)
	}
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)-2))
	return out
}

// orientation returns 1 to 8 as the photo's Exif says [CIPA DC-008, 4.6.4, tag
// 0x0112], and 1 where it says nothing.
func orientation(data []byte) uint16 {
	at := bytes.Index(data[:min(len(data), 1<<16)], []byte("Exif\x00\x00"))
	if at < 0 || at+14 > len(data) {
		return 1
	}
	tiff := data[at+6:]
	order := binary.ByteOrder(binary.LittleEndian)
	if bytes.HasPrefix(tiff, []byte("MM")) {
		order = binary.BigEndian
	}
	dir := int64(order.Uint32(tiff[4:]))
	if dir+2 > int64(len(tiff)) {
		return 1
	}
	count := int64(order.Uint16(tiff[dir:]))
	for n := range count {
		e := dir + 2 + 12*n
		if e+12 > int64(len(tiff)) {
			return 1
		}
		if order.Uint16(tiff[e:]) == 0x0112 {
			if v := order.Uint16(tiff[e+8:]); v >= 1 && v <= 8 {
				return v
			}
		}
	}
	return 1
}

// orientationSegment is an Exif segment that says how the picture is to be turned
// and nothing else.
func orientationSegment(turned uint16) []byte {
	tiff := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00")
	binary.BigEndian.PutUint16(tiff[18:], turned)
	return jpegSegment(markAPP1, []byte("Exif\x00\x00"), tiff)
}

// stripPNG keeps the chunks of the picture [W3C PNG, third edition, 11.2 and 11.3]
// and drops texts, times, Exif and what nobody knows.
func stripPNG(data []byte) ([]byte, error) {
	keep := map[string]bool{"IHDR": true, "PLTE": true, "IDAT": true, "IEND": true, "tRNS": true, "cHRM": true, "gAMA": true,
		"sRGB": true, "cICP": true, "sBIT": true, "bKGD": true, "pHYs": true, "acTL": true, "fcTL": true, "fdAT": true}
	out := append(make([]byte, 0, len(data)), data[:8]...)
	for at := 8; ; {
		if at+12 > len(data) {
			return nil, fmt.Errorf("byte %d: the picture has no end: %w; send it again", at, ErrDamaged)
		}
		size := int64(binary.BigEndian.Uint32(data[at:]))
		if int64(at)+12+size > int64(len(data)) {
			return nil, fmt.Errorf("byte %d: a chunk of %d bytes that does not fit: %w; send it again", at, size, ErrDamaged)
		}
		chunk := data[at : at+12+int(size)]
		name := string(chunk[4:8])
		if crc32.ChecksumIEEE(chunk[4:8+size]) != binary.BigEndian.Uint32(chunk[8+size:]) {
			return nil, fmt.Errorf("byte %d: chunk %q has a wrong check sum: %w; send it again", at, name, ErrDamaged)
		}
		switch {
		case name == "iCCP":
			out = append(out, pngProfile(chunk[8:8+size])...)
		case keep[name]:
			out = append(out, chunk...)
		}
		at += len(chunk)
		if name == "IEND" {
			return out, nil
		}
	}
}

// stripRIFF keeps the named chunks of a WebP picture or a WAV sound and drops EXIF,
// XMP, notes of recorders and what nobody knows [RFC 9649, 2.7].
func stripRIFF(data []byte, keep ...string) ([]byte, error) {
	if len(data) < 12 || string(data[:4]) != "RIFF" || int64(binary.LittleEndian.Uint32(data[4:]))+8 > int64(len(data)) {
		return nil, fmt.Errorf("the file is shorter than it says: %w; send it again", ErrDamaged)
	}
	data = data[:binary.LittleEndian.Uint32(data[4:])+8]
	if len(data) < 12 {
		return nil, fmt.Errorf("the file is shorter than its head: %w; send it again", ErrDamaged)
	}
	out := append(make([]byte, 0, len(data)), data[:12]...)
	flags := -1 // where those of VP8X are
	for at := 12; at < len(data); {
		if at+8 > len(data) {
			return nil, fmt.Errorf("byte %d: half a chunk: %w; send it again", at, ErrDamaged)
		}
		size := int64(binary.LittleEndian.Uint32(data[at+4:]))
		whole := 8 + size + size&1
		if int64(at)+whole > int64(len(data)) {
			return nil, fmt.Errorf("byte %d: a chunk of %d bytes that does not fit: %w; send it again", at, size, ErrDamaged)
		}
		chunk := data[at : at+int(whole)]
		switch name := string(chunk[:4]); {
		case !slices.Contains(keep, name):
		case name == "ICCP":
			if profile := scrubProfile(chunk[8 : 8+size]); profile != nil {
				out = append(append(out, chunk[:8]...), profile...)
				out = append(out, make([]byte, size&1)...)
			} else if flags >= 0 {
				out[flags] &^= 0x20
			}
		default:
			out = append(out, chunk...)
			if name == "VP8X" && size > 0 {
				flags = len(out) - len(chunk) + 8
				out[flags] &^= 0x0c // Exif and XMP are no longer there
			}
		}
		at += len(chunk)
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out, nil
}
