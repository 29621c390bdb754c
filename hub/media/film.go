package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
)

// stripBoxes empties every box of a film or sound but those of the picture and the
// sound: notes, position among them ("udta" with "\xa9xyz", "meta", "loci"), previews,
// and tracks of other things, such as places. Nothing is moved: boxes say at which
// byte the picture lies [ISO/IEC 14496-12, 4.2, 8.1.2 and 8.10.1].
func stripBoxes(data []byte) ([]byte, error) {
	out := bytes.Clone(data)
	if err := wipeOthers(out); err != nil {
		return nil, err
	}
	return out, emptyNotes(out, 0, "")
}

// wipeOthers clears what the tracks of other things have among the picture and sound:
// body and car cameras write a place for every second there.
func wipeOthers(film []byte) error {
	w := newWiper(film)
	for rest := inner(film, "moov"); len(rest) > 0; {
		head, size := boxSize(rest)
		if head == 0 {
			return nil // told by emptyNotes
		}
		if trak := rest[head:size]; string(rest[4:8]) == "trak" && otherTrack(trak) {
			if err := w.track(inner(inner(inner(trak, "mdia"), "minf"), "stbl")); err != nil {
				return err
			}
		}
		rest = rest[size:]
	}
	return nil
}

// track clears the chunks of a track, as far as they lie in boxes for such things
// [ISO/IEC 14496-12, 8.7.3 to 8.7.5].
func (w *wiper) track(table []byte) error {
	wide, chunks := 4, entriesOf(inner(table, "stco"))
	if chunks == nil {
		wide, chunks = 8, entriesOf(inner(table, "co64"))
	}
	sizes := inner(table, "stsz")
	if len(sizes) < 12 {
		return nil
	}
	each := uint64(binary.BigEndian.Uint32(sizes[4:])) // 0: the table says it
	sizes = sizes[12:]
	runs, count := entriesOf(inner(table, "stsc")), uint64(0)
	for n := 0; len(chunks) >= wide; n++ {
		if len(runs) >= 12 && uint32(n+1) >= binary.BigEndian.Uint32(runs) {
			count, runs = uint64(binary.BigEndian.Uint32(runs[4:])), runs[12:]
		}
		at := uint64(binary.BigEndian.Uint32(chunks))
		if wide == 8 {
			at = binary.BigEndian.Uint64(chunks)
		}
		chunks = chunks[wide:]
		length := count * each
		for k := uint64(0); each == 0 && k < count && len(sizes) >= 4; k++ {
			length, sizes = length+uint64(binary.BigEndian.Uint32(sizes)), sizes[4:]
		}
		if err := w.wipe(at, length); err != nil {
			return err
		}
	}
	return nil
}

// entriesOf returns what is behind version and count of a table; nil for none.
func entriesOf(table []byte) []byte {
	if len(table) < 8 {
		return nil
	}
	return table[8:]
}

// wiper clears parts of a film that lie in its boxes of pictures and sounds.
type wiper struct {
	film []byte
	data []span // the bodies of those boxes, in order
	// left bounds the bytes to be cleared: samples of honest films do not overlap.
	left uint64
}

type span struct{ from, to uint64 }

func newWiper(film []byte) *wiper {
	w := &wiper{film: film, left: uint64(len(film))}
	for from := uint64(0); from < uint64(len(film)); {
		head, size := boxSize(film[from:])
		if head == 0 {
			break // told by emptyNotes
		}
		if string(film[from+4:from+8]) == "mdat" {
			w.data = append(w.data, span{from + uint64(head), from + uint64(size)})
		}
		from += uint64(size)
	}
	return w
}

func (w *wiper) wipe(at, length uint64) error {
	n, _ := slices.BinarySearchFunc(w.data, at, func(s span, at uint64) int {
		if s.to <= at {
			return -1
		}
		return 1
	})
	if n == len(w.data) || at < w.data[n].from {
		return nil
	}
	length = min(length, w.data[n].to-at)
	if length > w.left {
		return fmt.Errorf("samples of a track lie in each other: %w; send it again", ErrDamaged)
	}
	w.left -= length
	clear(w.film[at : at+length])
	return nil
}

// keptBoxes are those of a film that stay, by the box that they lie in.
func keptBoxes(within string) []string {
	switch within {
	case "":
		return []string{"ftyp", "styp", "moov", "moof", "mdat", "sidx", "ssix", "mfra", "wide"}
	case "moov":
		return []string{"mvhd", "trak", "mvex", "iods"}
	case "trak":
		return []string{"tkhd", "edts", "mdia", "tref", "tapt"}
	case "mdia":
		return []string{"mdhd", "hdlr", "minf", "elng"}
	case "moof":
		return []string{"mfhd", "traf"}
	case "traf":
		return []string{"tfhd", "tfdt", "trun", "sdtp", "sbgp", "sgpd", "subs"}
	}
	return nil
}

func emptyNotes(data []byte, base int, within string) error {
	for at := 0; at < len(data); {
		rest := data[at:]
		head, size := boxSize(rest)
		if head == 0 {
			return fmt.Errorf("byte %d: a box of %d bytes that does not fit: %w; send it again", base+at, size, ErrDamaged)
		}
		body := rest[head:size]
		switch name := string(rest[4:8]); {
		case !slices.Contains(keptBoxes(within), name) || name == "trak" && otherTrack(body):
			copy(rest[4:8], "free")
			clear(body)
		case keptBoxes(name) != nil:
			if err := emptyNotes(body, base+at+head, name); err != nil {
				return err
			}
		}
		at += int(size)
	}
	return nil
}

// boxSize returns how long the head of the first box and all of it are; a head of 0
// says that it does not fit.
func boxSize(data []byte) (head int, size int64) {
	if len(data) < 8 {
		return 0, int64(len(data))
	}
	head, size = 8, int64(binary.BigEndian.Uint32(data))
	if size == 1 && len(data) >= 16 {
		head, size = 16, int64(min(binary.BigEndian.Uint64(data[8:]), 1<<62))
	} else if size == 0 {
		size = int64(len(data))
	}
	if size < int64(head) || size > int64(len(data)) {
		return 0, size
	}
	return head, size
}

// otherTrack reports whether a track says that it is neither picture nor sound
// [ISO/IEC 14496-12, 8.4.3].
func otherTrack(trak []byte) bool {
	hdlr := inner(inner(trak, "mdia"), "hdlr")
	return len(hdlr) >= 12 && !slices.Contains([]string{"vide", "soun"}, string(hdlr[8:12]))
}

// inner returns the body of the first box of a name; nil for none.
func inner(data []byte, name string) []byte {
	for len(data) > 0 {
		head, size := boxSize(data)
		switch {
		case head == 0:
			return nil
		case string(data[4:8]) == name:
			return data[head:size]
		}
		data = data[size:]
	}
	return nil
}

// stripMP3 takes off the notes before the sound (ID3v2, with names, pictures and
// whatever a program likes) and behind it (ID3v1) [id3.org, id3v2.4.0-structure, 3.1].
func stripMP3(data []byte) ([]byte, error) {
	for len(data) >= 10 && string(data[:3]) == "ID3" {
		size := 10
		for n, b := range data[6:10] {
			size += int(b&0x7f) << (7 * (3 - n))
		}
		if data[5]&0x10 != 0 {
			size += 10 // a footer
		}
		data = bytes.TrimLeft(data[min(size, len(data)):], "\x00")
	}
	for len(data) >= 128 && string(data[len(data)-128:len(data)-125]) == "TAG" {
		data = data[:len(data)-128]
	}
	if !mpegFrame(data) {
		return nil, fmt.Errorf("no sound behind its notes: %w; send it again", ErrDamaged)
	}
	return data, nil
}
