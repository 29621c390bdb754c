package census

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"citygrid/hub/registry/geo"
)

// shapeSink puts the parts of a Shapefile together in a folder of its own and writes
// them as one .zip file. The headers hold lengths, boxes and widths of columns, which
// are known at the end only.
type shapeSink struct {
	to         io.Writer
	dir, base  string
	names      []string
	widths     []int
	crs        geo.CRS
	kind       uint32
	shp, shx   *part
	rows       *part
	table      *csv.Writer
	count      uint32
	words      uint32 // written to .shp, in words of two bytes
	low, high  [2]float64
	haveBounds bool
}

// part is a file that is written and then read.
type part struct {
	f *os.File
	*bufio.Writer
}

const maxDBFText = 254

func newShapeSink(w io.Writer, names []string, base string, crs geo.CRS, points bool, tempDir string) (*shapeSink, error) {
	if crs.WKT() == "" {
		return nil, fmt.Errorf("a Shapefile cannot say %s; name another system, or write GeoJSON", crs)
	}
	s := &shapeSink{to: w, base: base, names: names, widths: make([]int, len(names)), crs: crs, kind: shpPolygon, words: shpHeader / 2}
	if points {
		s.kind = shpPoint
	}
	for i, name := range names {
		if len(name) > 10 || slices.Index(names, name) < i {
			return nil, fmt.Errorf("a Shapefile has no room for the column %q: 10 bytes at the most, each once", name)
		}
	}
	if len(names) > 255 {
		return nil, fmt.Errorf("%d columns, a Shapefile has 255 at the most", len(names))
	}
	dir, err := os.MkdirTemp(tempDir, "census-")
	if err != nil {
		return nil, fmt.Errorf("a folder to put the Shapefile together: %w", err)
	}
	s.dir = dir
	for _, p := range []struct {
		to   **part
		name string
	}{{&s.shp, "shp"}, {&s.shx, "shx"}, {&s.rows, "rows"}} {
		f, err := os.Create(filepath.Join(dir, p.name))
		if err != nil {
			return nil, errors.Join(err, s.end(false))
		}
		*p.to = &part{f, bufio.NewWriterSize(f, 64<<10)}
	}
	s.table = csv.NewWriter(s.rows)
	blank := make([]byte, shpHeader)
	_, err1 := s.shp.Write(blank)
	_, err2 := s.shx.Write(blank)
	return s, errors.Join(err1, err2)
}

func (s *shapeSink) write(values []string, g geometry) error {
	for i, v := range values {
		if len(v) > maxDBFText {
			return fmt.Errorf("%s: %d bytes, a Shapefile keeps %d; write CSV or GeoJSON", s.names[i], len(v), maxDBFText)
		}
		s.widths[i] = max(s.widths[i], len(v))
	}
	content := s.content(g)
	words := uint32(len(content) / 2)
	if s.words > math.MaxInt32/2-words-4 {
		return errors.New("a Shapefile ends at 2 GiB; write CSV or GeoJSON")
	}
	s.count++
	var head [8]byte
	binary.BigEndian.PutUint32(head[:], s.words)
	binary.BigEndian.PutUint32(head[4:], words)
	_, err1 := s.shx.Write(head[:])
	binary.BigEndian.PutUint32(head[:], s.count)
	_, err2 := s.shp.Write(head[:])
	_, err3 := s.shp.Write(content)
	s.words += 4 + words
	return errors.Join(err1, err2, err3, s.table.Write(values))
}

// content is a record of the .shp file without its head.
func (s *shapeSink) content(g geometry) []byte {
	le := binary.LittleEndian
	switch {
	case g.point != nil:
		s.extend(*g.point, *g.point)
		return appendFloats(le.AppendUint32(nil, shpPoint), g.point[0], g.point[1])
	case g.shape == nil:
		return le.AppendUint32(nil, shpNull)
	}
	var starts, points []byte
	parts, n := uint32(0), uint32(0)
	low, high := g.shape[0][0][0], g.shape[0][0][0]
	for _, polygon := range g.shape {
		for _, ring := range polygon {
			starts, parts = le.AppendUint32(starts, n), parts+1
			for _, p := range slices.Backward(ring) { // outer rings run with the clock here
				points, n = appendFloats(points, p[0], p[1]), n+1
				low, high = lower(low, p), upper(high, p)
			}
		}
	}
	s.extend(low, high)
	b := appendFloats(le.AppendUint32(nil, shpPolygon), low[0], low[1], high[0], high[1])
	b = le.AppendUint32(le.AppendUint32(b, parts), n)
	return append(append(b, starts...), points...)
}

func lower(a, b [2]float64) [2]float64 { return [2]float64{min(a[0], b[0]), min(a[1], b[1])} }
func upper(a, b [2]float64) [2]float64 { return [2]float64{max(a[0], b[0]), max(a[1], b[1])} }

func (s *shapeSink) extend(low, high [2]float64) {
	if !s.haveBounds {
		s.low, s.high, s.haveBounds = low, high, true
	}
	s.low, s.high = lower(s.low, low), upper(s.high, high)
}

func appendFloats(b []byte, list ...float64) []byte {
	for _, v := range list {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// end finishes the files, packs them and takes the folder away.
func (s *shapeSink) end(good bool) error {
	var errs []error
	if good {
		errs = append(errs, s.pack())
	}
	for _, p := range []*part{s.shp, s.shx, s.rows} {
		if p != nil {
			errs = append(errs, p.f.Close())
		}
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

func (s *shapeSink) pack() error {
	s.table.Flush()
	if err := errors.Join(s.table.Error(), s.shp.Flush(), s.shx.Flush(), s.rows.Flush(),
		s.header(s.shp, s.words), s.header(s.shx, shpHeader/2+4*s.count)); err != nil {
		return err
	}
	z := zip.NewWriter(s.to)
	for _, p := range []struct {
		ending string
		write  func(io.Writer) error
	}{
		{"shp", s.shp.copyTo}, {"shx", s.shx.copyTo}, {"dbf", s.writeDBF},
		{"prj", func(w io.Writer) error { _, err := io.WriteString(w, s.crs.WKT()); return err }},
		{"cpg", func(w io.Writer) error { _, err := io.WriteString(w, "UTF-8"); return err }},
	} {
		w, err := z.Create(s.base + "." + p.ending)
		if err == nil {
			err = p.write(w)
		}
		if err != nil {
			return fmt.Errorf("the .%s file: %w", p.ending, err)
		}
	}
	return z.Close()
}

func (p *part) copyTo(w io.Writer) error {
	if _, err := p.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, p.f)
	return err
}

// header writes the 100 bytes that .shp and .shx begin with.
func (s *shapeSink) header(p *part, words uint32) error {
	var b [shpHeader]byte
	binary.BigEndian.PutUint32(b[:], shpMagic)
	binary.BigEndian.PutUint32(b[24:], words)
	binary.LittleEndian.PutUint32(b[28:], shpVersion)
	binary.LittleEndian.PutUint32(b[32:], s.kind)
	copy(b[36:], appendFloats(nil, s.low[0], s.low[1], s.high[0], s.high[1]))
	_, err := p.f.WriteAt(b[:], 0)
	return err
}

// writeDBF writes the table in columns as wide as their longest text.
func (s *shapeSink) writeDBF(w io.Writer) error {
	if _, err := s.rows.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 64<<10)
	if _, err := b.Write(s.dbfHeader()); err != nil {
		return err
	}
	r := csv.NewReader(s.rows.f)
	r.ReuseRecord, r.FieldsPerRecord = true, len(s.names)
	for {
		values, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		row := []byte{' '}
		for i, v := range values {
			row = append(row, v...)
			for range max(s.widths[i], 1) - len(v) {
				row = append(row, ' ')
			}
		}
		if _, err := b.Write(row); err != nil {
			return err
		}
	}
	if err := b.WriteByte(0x1a); err != nil {
		return err
	}
	return b.Flush()
}

func (s *shapeSink) dbfHeader() []byte {
	b := make([]byte, dbfHeader, dbfHeader+dbfField*len(s.names)+1)
	row := 1
	for i, name := range s.names {
		var f [dbfField]byte
		copy(f[:], name)
		f[11], f[16] = 'C', byte(max(s.widths[i], 1))
		row += int(f[16])
		b = append(b, f[:]...)
	}
	b = append(b, dbfTerminator)
	// Dates of change are of no use and make equal tables differ: always the same.
	copy(b, []byte{0x03, 100, 1, 1})
	binary.LittleEndian.PutUint32(b[4:], s.count)
	binary.LittleEndian.PutUint16(b[8:], uint16(len(b)))
	binary.LittleEndian.PutUint16(b[10:], uint16(row))
	return b
}
