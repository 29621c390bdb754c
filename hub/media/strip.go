package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
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
		return stripWebP(data)
	case "audio/mp4", "video/mp4", "video/3gpp", "video/quicktime":
		return stripBoxes(data)
	}
	return data, nil // sound in these forms carries no position
}

// The markers of JPEG that matter here [ITU-T T.81, B.1.1.3].
const (
	markSOI, markEOI, markSOS    = 0xd8, 0xd9, 0xda
	markAPP1, markAPP2, markAPPF = 0xe1, 0xe2, 0xef
	markAPPE, markCOM            = 0xee, 0xfe
)

// stripJPEG keeps the picture, its colour profile and how it is to be turned, and
// drops every other application segment and comment, and whatever follows the end
// of the picture, where phones hide previews and films.
func stripJPEG(data []byte) ([]byte, error) {
	out := append(make([]byte, 0, len(data)), 0xff, markSOI)
	turned := orientation(data)
	if turned > 1 {
		out = append(out, orientationSegment(turned)...)
	}
	for at := 2; ; {
		if at+4 > len(data) || data[at] != 0xff {
			return nil, fmt.Errorf("byte %d: no marker where one must be: %w; send the photo again", at, ErrDamaged)
		}
		mark := data[at+1]
		if mark == 0xff { // a fill byte
			at++
			continue
		}
		size := int(binary.BigEndian.Uint16(data[at+2:]))
		if mark == markEOI || size < 2 || at+2+size > len(data) {
			return nil, fmt.Errorf("byte %d: a segment that does not fit: %w; send the photo again", at, ErrDamaged)
		}
		segment := data[at : at+2+size]
		if keepSegment(mark, segment[4:]) {
			out = append(out, segment...)
		}
		at += len(segment)
		if mark == markSOS {
			return appendScans(out, data[at:])
		}
	}
}

func keepSegment(mark byte, body []byte) bool {
	switch {
	case mark == markCOM:
		return false
	case mark == markAPP2:
		return bytes.HasPrefix(body, []byte("ICC_PROFILE\x00"))
	case mark == markAPPE:
		return bytes.HasPrefix(body, []byte("Adobe")) // says how the colours are coded
	case mark >= markAPP1 && mark <= markAPPF:
		return false
	}
	return true
}

// appendScans takes everything from the first scan to the end of the picture: in a
// progressive picture tables and further scans lie between, and 0xff within the
// coded data is followed by 0 or a restart marker.
func appendScans(out, data []byte) ([]byte, error) {
	for at := 0; at+1 < len(data); at++ {
		if data[at] != 0xff {
			continue
		}
		mark := data[at+1]
		switch {
		case mark == markEOI:
			return append(out, data[:at+2]...), nil
		case mark == 0 || mark == 0xff || mark >= 0xd0 && mark <= 0xd7:
		case at+4 <= len(data):
			at += 1 + int(binary.BigEndian.Uint16(data[at+2:]))
		}
	}
	return nil, fmt.Errorf("the picture has no end: %w; send the photo again", ErrDamaged)
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
	body := append([]byte("Exif\x00\x00"), tiff...)
	head := []byte{0xff, markAPP1, 0, 0}
	binary.BigEndian.PutUint16(head[2:], uint16(len(body)+2))
	return append(head, body...)
}

// stripPNG keeps the chunks of the picture [W3C PNG, third edition, 11.2 and 11.3]
// and drops texts, times, Exif and what nobody knows.
func stripPNG(data []byte) ([]byte, error) {
	keep := map[string]bool{"IHDR": true, "PLTE": true, "IDAT": true, "IEND": true, "tRNS": true, "cHRM": true, "gAMA": true,
		"iCCP": true, "sRGB": true, "cICP": true, "sBIT": true, "bKGD": true, "pHYs": true, "acTL": true, "fcTL": true, "fdAT": true}
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
		if keep[name] {
			out = append(out, chunk...)
		}
		at += len(chunk)
		if name == "IEND" {
			return out, nil
		}
	}
}

// stripWebP keeps the chunks of the picture and drops EXIF, XMP and what nobody
// knows [RFC 9649, 2.7].
func stripWebP(data []byte) ([]byte, error) {
	keep := map[string]bool{"VP8 ": true, "VP8L": true, "VP8X": true, "ALPH": true, "ANIM": true, "ANMF": true, "ICCP": true}
	if len(data) < 12 || string(data[:4]) != "RIFF" || int64(binary.LittleEndian.Uint32(data[4:]))+8 > int64(len(data)) {
		return nil, fmt.Errorf("the file is shorter than it says: %w; send it again", ErrDamaged)
	}
	data = data[:binary.LittleEndian.Uint32(data[4:])+8]
	if len(data) < 12 {
		return nil, fmt.Errorf("the file is shorter than its head: %w; send it again", ErrDamaged)
	}
	out := append(make([]byte, 0, len(data)), data[:12]...)
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
		if name := string(chunk[:4]); keep[name] {
			out = append(out, chunk...)
			if name == "VP8X" && size > 0 {
				out[len(out)-len(chunk)+8] &^= 0x0c // Exif and XMP are no longer there
			}
		}
		at += len(chunk)
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out, nil
}

// stripBoxes empties the boxes in which films carry notes, position among them
// ("udta" with "©xyz", "meta", "loci"), without moving anything: other boxes say at
// which byte the picture lies [ISO/IEC 14496-12, 4.2, 8.1.2 and 8.10.1].
func stripBoxes(data []byte) ([]byte, error) {
	out := bytes.Clone(data)
	return out, emptyNotes(out, 0, 0)
}

// boxesWithin are those that are made of boxes and may hold notes.
func boxesWithin(name string) bool {
	return name == "moov" || name == "trak" || name == "moof" || name == "traf"
}

func emptyNotes(data []byte, base, depth int) error {
	for at := 0; at < len(data); {
		rest := data[at:]
		if len(rest) < 8 {
			return fmt.Errorf("byte %d: half a box: %w; send it again", base+at, ErrDamaged)
		}
		head, size := 8, int64(binary.BigEndian.Uint32(rest))
		if size == 1 && len(rest) >= 16 {
			head, size = 16, int64(min(binary.BigEndian.Uint64(rest[8:]), 1<<62))
		} else if size == 0 {
			size = int64(len(rest))
		}
		if size < int64(head) || size > int64(len(rest)) {
			return fmt.Errorf("byte %d: a box of %d bytes that does not fit: %w; send it again", base+at, size, ErrDamaged)
		}
		body := rest[head:size]
		switch name := string(rest[4:8]); {
		case name == "udta" || name == "meta" || name == "uuid":
			copy(rest[4:8], "free")
			clear(body)
		case boxesWithin(name) && depth < 4:
			if err := emptyNotes(body, base+at+head, depth+1); err != nil {
				return err
			}
		}
		at += int(size)
	}
	return nil
}
