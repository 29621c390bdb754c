package census

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
)

// TestArchiveBomb: an archive that is small and comes to more than memory and time allow is
// refused by what it says, and one that says less than it holds fails where it is read.
func TestArchiveBomb(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("c.shp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	open := func(size uint32) (archive, error) {
		data := bytes.Clone(b.Bytes())
		// The size as the archive's directory says it [APPNOTE 4.3.12].
		at := bytes.LastIndex(data, []byte("PK\x01\x02")) + 24
		binary.LittleEndian.PutUint32(data[at:], size)
		r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		return zipParts(r)
	}
	if _, err := open(maxUnpacked + 1); err == nil || !strings.Contains(err.Error(), "unpacked") {
		t.Errorf("more than the bound: %v", err)
	}
	a, err := open(100)
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.open(".shp")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := io.Copy(io.Discard, r); err == nil || n > 1<<17 {
		t.Errorf("an archive that says 100 bytes gave %d, %v", n, err)
	}
	if a, err = open(1 << 20); err != nil || len(a) != 1 {
		t.Errorf("an honest one: %v", err)
	}
}
