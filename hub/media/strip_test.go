package media

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"
	"time"
)

// after puts something behind the first bytes of a file.
func after(data []byte, at int, put ...[]byte) []byte {
	return bytes.Join([][]byte{data[:at], bytes.Join(put, nil), data[at:]}, nil)
}

// profileOf is a colour profile with a curve and the name of an owner.
func profileOf() []byte {
	p := make([]byte, 128, 220)
	copy(p[36:], "acsp")
	copy(p[80:], "Zhan")
	p = binary.BigEndian.AppendUint32(p, 2)
	p = append(p, "rTRC\x00\x00\x00\x9c\x00\x00\x00\x0cdesc\x00\x00\x00\xa8\x00\x00\x00\x14"...)
	return append(p, "curv\x00\x00\x00\x00\x00\x00\x00\x00desc\x00\x00Zhang San\x00\x00\x00\x00\x00"...)
}

func pngChunk(name string, body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	out = append(append(out, name...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

func riffChunk(name string, body []byte) []byte {
	out := binary.LittleEndian.AppendUint32([]byte(name), uint32(len(body)))
	return append(append(out, body...), make([]byte, len(body)&1)...)
}

func riff(form string, chunks ...[]byte) []byte {
	return riffChunk("RIFF", append([]byte(form), bytes.Join(chunks, nil)...))
}

// The owner hides in every corner that the forms have, and is in none of what is kept.
func TestNoCornerKeepsTheOwner(t *testing.T) {
	owner := []byte("Zhang San, 31.2345 121.4567")
	jpg, progressive, png := photo(t, "baseline.jpg"), photo(t, "progressive.jpg"), photo(t, "photo.png")
	var squeezed bytes.Buffer
	z := zlib.NewWriter(&squeezed)
	_, _ = z.Write(profileOf())
	_ = z.Close()
	second := bytes.LastIndex(progressive, []byte{0xff, markSOS})
	handler := func(kind string) []byte {
		return box("mdia", box("hdlr", make([]byte, 8), []byte(kind), make([]byte, 13)))
	}
	for _, c := range []struct {
		name, keeps string
		sent        []byte
	}{
		{"JFXX preview", "", after(jpg, 2, jpegSegment(markAPP0, []byte("JFXX\x00\x10"), owner))},
		{"JFIF preview", "JFIF", after(jpg, 2, jpegSegment(markAPP0, []byte("JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x03\x03"), owner))},
		{"unknown APP0", "", after(jpg, 2, jpegSegment(markAPP0, owner))},
		{"reserved marker", "", after(jpg, 2, jpegSegment(0xf7, owner))},
		{"behind the first scan", "", after(progressive, second, jpegSegment(markAPP1, owner))},
		{"comment behind the first scan", "", after(progressive, second, jpegSegment(0xfe, owner))},
		{"extended XMP", "", after(jpg, 2, jpegSegment(markAPP1, []byte("http://ns.adobe.com/xmp/extension/\x00"), owner))},
		{"MPF", "", after(jpg, 2, jpegSegment(markAPP2, []byte("MPF\x00"), owner))},
		{"tail of Adobe", "Adobe", after(jpg, 2, jpegSegment(markAPPE, []byte("Adobe\x00\x64\x00\x00\x00\x00\x01"), owner))},
		{"profile of a JPEG", "curv", after(jpg, 2, jpegSegment(markAPP2, []byte("ICC_PROFILE\x00\x01\x01"), profileOf()))},
		{"PNG behind a JPEG", "", append(bytes.Clone(jpg), append(bytes.Clone(png), owner...)...)},
		{"profile of a PNG", "iCCPicc", after(png, 33, pngChunk("iCCP", append([]byte("Zhang San\x00\x00"), squeezed.Bytes()...)))},
		{"profile of a WebP", "curv", riff("WEBP", riffChunk("VP8X", append([]byte{0x20}, make([]byte, 9)...)), riffChunk("ICCP", profileOf()), riffChunk("VP8 ", []byte("picture")))},
		{"notes of a recorder", "tone", riff("WAVE", riffChunk("fmt ", make([]byte, 16)), riffChunk("LIST", owner), riffChunk("bext", owner), riffChunk("data", []byte("tone")))},
		{"ID3 before and behind", "", bytes.Join([][]byte{[]byte("ID3\x04\x00\x00\x00\x00\x00\x1b"), owner, []byte("\xff\xfb\x90\x00 sound"), []byte("TAG"), owner, make([]byte, 125-len(owner))}, nil)},
		{"film: free, preview and track of places", "moov", bytes.Join([][]byte{box("ftyp", []byte("mp42")), box("free", owner), box("thmb", owner),
			box("moov", box("mvhd", make([]byte, 100)), box("trak", handler("vide"), box("smta", owner)), box("trak", box("mdia", box("hdlr", make([]byte, 8), []byte("meta"), make([]byte, 13)), box("minf", owner)))), box("mdat", []byte("picture"))}, nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := onDisk(t)
			o, err := l.Take(t.Context(), bytes.NewReader(c.sent))
			if err != nil {
				t.Fatal(err)
			}
			kept, mediaType, err := l.Open(t.Context(), o.Digest)
			if err != nil || mediaType != o.Type {
				t.Fatalf("%s, want %s: %v", mediaType, o.Type, err)
			}
			if bytes.Contains(kept, []byte("Zhan")) || bytes.Contains(kept, []byte("31.2345")) {
				t.Errorf("the owner is still in %q", kept)
			}
			if !bytes.Contains(kept, []byte(c.keeps)) {
				t.Errorf("%q is gone", c.keeps)
			}
			if again, err := strip(kept, o.Type); err != nil || !bytes.Equal(again, kept) {
				t.Errorf("what is kept is not taken as it is: %v", err)
			}
			if (o.Type == "image/jpeg" || o.Type == "image/png") && c.name != "reserved marker" { // which the standard library does not read
				samePicture(t, c.sent, kept)
			}
		})
	}
}

// Photos of Apple's phones (HEIC) are refused: what is in them is not known here.
func TestHEICIsRefused(t *testing.T) {
	if _, err := onDisk(t).Take(t.Context(), bytes.NewReader(box("ftyp", []byte("heic")))); err == nil {
		t.Error("taken")
	}
}

// A camera that writes where it is for every second does so among the picture: there
// its samples are cleared, and those of the picture stay.
func TestAFilmLosesThePlacesAmongThePicture(t *testing.T) {
	u := func(list ...uint32) (out []byte) {
		for _, v := range list {
			out = binary.BigEndian.AppendUint32(out, v)
		}
		return out
	}
	for _, wide := range []bool{false, true} {
		ftyp := box("ftyp", []byte("mp42"))
		// picture, two places of 7 and 5 bytes, picture, one place of 4 bytes, picture
		mdat := box("mdat", []byte("picAPLACE-1PLAC2picBPLC3picC"))
		first := uint32(len(ftyp)) + 8 + 4
		offsets := box("stco", u(0, 2, first, first+12+4))
		if wide {
			offsets = box("co64", u(0, 2, 0, first, 0, first+12+4))
		}
		table := box("stbl", box("stsz", u(0, 0, 3, 7, 5, 4)), box("stsc", u(0, 2, 1, 2, 1, 2, 1, 1)), offsets)
		trak := box("trak", box("mdia", box("hdlr", make([]byte, 8), []byte("meta"), make([]byte, 13)), box("minf", table)))
		kept, err := stripBoxes(bytes.Join([][]byte{ftyp, mdat, box("moov", trak)}, nil))
		want := bytes.Join([][]byte{[]byte("picA"), make([]byte, 12), []byte("picB"), make([]byte, 4), []byte("picC")}, nil)
		if err != nil || !bytes.Contains(kept, want) || bytes.Contains(kept, []byte("stbl")) {
			t.Errorf("wide %t: %q, %v", wide, kept, err)
		}
	}
}

// A film whose tables tell millions of overlapping samples costs no more than its
// size.
func TestOverlappingSamplesAreRefusedAtOnce(t *testing.T) {
	mdat := box("mdat", make([]byte, 1<<20))
	offsets := make([]byte, 8, 8+4<<20)
	for range 1 << 20 {
		offsets = binary.BigEndian.AppendUint32(offsets, 8)
	}
	table := box("stbl", box("stsz", []byte("\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x01")),
		box("stsc", []byte("\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\xff\xff\xff\xff\x00\x00\x00\x01")), box("stco", offsets))
	trak := box("trak", box("mdia", box("hdlr", make([]byte, 8), []byte("meta"), make([]byte, 13)), box("minf", table)))
	begun := time.Now()
	if _, err := stripBoxes(append(mdat, box("moov", trak)...)); !errors.Is(err, ErrDamaged) || time.Since(begun) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
}
