package media

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"
)

// colourTags are the entries of a colour profile that say how colours are
// [ICC.1:2022, 9.2]. The others are texts: names of makers, models and owners.
func colourTags() []string {
	return []string{"rXYZ", "gXYZ", "bXYZ", "rTRC", "gTRC", "bTRC", "kTRC", "wtpt", "bkpt", "chad", "cicp", "lumi", "gamt",
		"A2B0", "A2B1", "A2B2", "B2A0", "B2A1", "B2A2"}
}

// scrubProfile returns a colour profile of the same length whose texts are empty; nil
// for what is none.
func scrubProfile(p []byte) []byte {
	if len(p) < 132 || string(p[36:40]) != "acsp" {
		return nil
	}
	end := 132 + 12*int64(binary.BigEndian.Uint32(p[128:]))
	if end > int64(len(p)) {
		return nil
	}
	out := make([]byte, len(p))
	copy(out, p[:end])
	clear(out[24:36])  // when it was made
	clear(out[48:56])  // of which device
	clear(out[80:128]) // by whom
	for e := int64(132); e < end; e += 12 {
		if !slices.Contains(colourTags(), string(p[e:e+4])) {
			continue
		}
		from := int64(binary.BigEndian.Uint32(p[e+4:]))
		to := from + int64(binary.BigEndian.Uint32(p[e+8:]))
		if from < end || to > int64(len(p)) {
			return nil
		}
		copy(out[from:to], p[from:to])
	}
	return out
}

// maxProfile bounds the colour profile of a PNG, which is compressed.
const maxProfile = 4 << 20

// pngProfile returns the chunk iCCP anew, without its name and its texts; nothing for
// what is no profile [W3C PNG, third edition, 11.3.2.3].
func pngProfile(body []byte) []byte {
	name := bytes.IndexByte(body, 0)
	if name < 0 || name+2 > len(body) {
		return nil
	}
	r, err := zlib.NewReader(bytes.NewReader(body[name+2:]))
	if err != nil {
		return nil
	}
	profile, err := io.ReadAll(io.LimitReader(r, maxProfile+1))
	if err != nil || len(profile) > maxProfile {
		return nil
	}
	if profile = scrubProfile(profile); profile == nil {
		return nil
	}
	out := bytes.NewBuffer([]byte("\x00\x00\x00\x00iCCPicc\x00\x00"))
	w := zlib.NewWriter(out)
	_, _ = w.Write(profile) // a buffer takes everything
	_ = w.Close()
	chunk := out.Bytes()
	binary.BigEndian.PutUint32(chunk, uint32(len(chunk)-8))
	return binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
}
