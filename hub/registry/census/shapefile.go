package census

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"

	"citygrid/hub/registry"
	"citygrid/hub/registry/geo"
)

// shapeSource reads the .shp and .dbf files of a Shapefile side by side [ESRI
// Shapefile Technical Description, 1998].
type shapeSource struct {
	shp     *bufio.Reader
	dbf     *dbf
	closers []io.Closer
	left    int64 // bytes of records, by the header
	record  int
	crs     geo.CRS
	bad     error
}

const (
	shpHeader  = 100
	shpMagic   = 9994
	shpVersion = 1000
	shpNull    = 0
	shpPoint   = 1
	shpPolygon = 5
	// maxPoints bounds a polygon; package geo takes no more.
	maxPoints = 100_000
	// The same with heights or measures, which come after what is read here.
	shpPointZ, shpPolygonZ, shpPointM, shpPolygonM = 11, 15, 21, 25
)

// parts are the files of a Shapefile, opened by their endings.
type parts interface {
	open(ending string) (io.ReadCloser, error) // fs.ErrNotExist where it is missing
}

func openShapefile(file, encoding string) (source, error) {
	s := &shapeSource{}
	var from parts
	if strings.EqualFold(filepath.Ext(file), ".zip") {
		z, err := zip.OpenReader(file)
		if err != nil {
			return nil, fmt.Errorf("open the archive: %w", err)
		}
		s.closers = append(s.closers, z)
		if from, err = zipParts(&z.Reader); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	} else {
		from = folder(strings.TrimSuffix(file, filepath.Ext(file)))
	}
	if err := s.open(from, encoding); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// folder is the path of the files without an ending.
type folder string

func (f folder) open(ending string) (io.ReadCloser, error) {
	file, err := os.Open(string(f) + ending)
	if errors.Is(err, os.ErrNotExist) {
		file, err = os.Open(string(f) + strings.ToUpper(ending))
	}
	if err != nil {
		return nil, err
	}
	return file, nil
}

// archive is the files of the only Shapefile of a .zip file.
type archive map[string]*zip.File

func zipParts(z *zip.Reader) (archive, error) {
	base, a := "", archive{}
	for _, f := range z.File {
		if strings.EqualFold(path.Ext(f.Name), ".shp") && !strings.HasPrefix(f.Name, "__MACOSX/") {
			if base != "" {
				return nil, stop(0, "give one at a time", "the archive has more than one Shapefile: %.60q and %.60q", base, f.Name)
			}
			base = f.Name
		}
	}
	if base == "" {
		return nil, stop(0, "put the .shp, .dbf, .prj and .cpg files into the archive", "the archive has no .shp file")
	}
	stem := strings.TrimSuffix(base, path.Ext(base))
	for _, f := range z.File {
		ending := path.Ext(f.Name)
		if !strings.EqualFold(strings.TrimSuffix(f.Name, ending), stem) {
			continue
		}
		ending = strings.ToLower(ending)
		if _, twice := a[ending]; twice {
			return nil, stop(0, "take the wrong one out", "the archive has more than one %s file of the name %.60q", ending, stem)
		}
		a[ending] = f
	}
	return a, a.bounded()
}

// maxUnpacked bounds what the parts of an archive come to: three million components. An
// archive that says less than it holds fails where it is read [archive/zip].
const maxUnpacked = 2 << 30

func (a archive) bounded() error {
	var total uint64
	for _, f := range a {
		if total += min(f.UncompressedSize64, maxUnpacked+1); total > maxUnpacked {
			return stop(0, "give it in several parts", "the archive comes to more than %d MiB when it is unpacked", maxUnpacked>>20)
		}
	}
	return nil
}

func (a archive) open(ending string) (io.ReadCloser, error) {
	f, ok := a[ending]
	if !ok {
		return nil, fmt.Errorf("%s in the archive: %w", ending, os.ErrNotExist)
	}
	return f.Open()
}

// small reads a part of a few lines; empty where it is missing.
func small(from parts, ending string) (string, error) {
	r, err := from.open(ending)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.LimitReader(r, 1<<16+1))
	return strings.TrimSpace(string(data)), errors.Join(err, r.Close())
}

func (s *shapeSource) open(from parts, encoding string) error {
	cpg, err := small(from, ".cpg")
	if err != nil {
		return err
	}
	charset, err := agreed(cpg, encoding)
	if err != nil {
		return err
	}
	prj, err := small(from, ".prj")
	if err != nil {
		return err
	}
	if prj != "" {
		s.crs, s.bad = geo.ParseWKT(prj)
	}
	shp, err := from.open(".shp")
	if err != nil {
		return fmt.Errorf("the .shp file: %w", err)
	}
	s.closers = append(s.closers, shp)
	table, err := from.open(".dbf")
	if err != nil {
		return fmt.Errorf("the .dbf file, which has the codes and names: %w", err)
	}
	s.closers = append(s.closers, table)
	return s.headers(shp, table, charset)
}

// agreed is the character set of the .cpg file and of the caller.
func agreed(cpg, encoding string) (charset, error) {
	said, err := charsetOf(encoding)
	if err != nil {
		return undeclared, stop(0, "name utf-8 or gb18030", "%v", err)
	}
	inFile, err := charsetOf(cpg)
	if err != nil {
		return undeclared, stop(0, "convert the table to UTF-8", "the .cpg file: %v", err)
	}
	if said != undeclared && inFile != undeclared && said != inFile {
		return undeclared, stop(0, "find out which is right, and correct the .cpg file or name no other", "the .cpg file says %s, the caller %s", cpg, encoding)
	}
	return max(said, inFile), nil
}

func (s *shapeSource) headers(shp, table io.Reader, charset charset) error {
	s.shp = bufio.NewReaderSize(shp, 64<<10)
	var head [shpHeader]byte
	if _, err := io.ReadFull(s.shp, head[:]); err != nil {
		return stop(0, "export it again", "the .shp file is cut short in its header")
	}
	if binary.BigEndian.Uint32(head[:]) != shpMagic || binary.LittleEndian.Uint32(head[28:]) != shpVersion {
		return stop(0, "export it again", "the .shp file is no Shapefile")
	}
	s.left = int64(binary.BigEndian.Uint32(head[24:]))*2 - shpHeader
	if s.left < 0 {
		return stop(0, "export it again", "the .shp file has an impossible length in its header")
	}
	var err error
	s.dbf, err = newDBF(table, charset)
	return err
}

func (s *shapeSource) next() (*row, error) {
	if s.left == 0 {
		if s.dbf.at != s.dbf.rows {
			return nil, stop(0, "export it again", "the .dbf file has %d rows, the .shp file %d shapes", s.dbf.rows, s.record)
		}
		return nil, io.EOF
	}
	content, err := s.content()
	if err != nil {
		return nil, err
	}
	values, deleted, err := s.dbf.next()
	if err == io.EOF {
		return nil, stop(0, "export it again", "the .shp file has more shapes than the .dbf file its %d rows", s.dbf.rows)
	}
	if err != nil {
		return nil, err
	}
	out := &row{record: s.record, names: s.dbf.names, values: values}
	if deleted {
		out.faults = []located{{fault: faultf("pack the table in the program that made it, to be certain that nothing is missing", "a row marked as deleted"), warning: true}}
		return out, nil
	}
	if err := out.shapeOf(content); err != nil {
		out.faults = []located{{field: "geometry", fault: faultf("repair the geometry in the program that made it", "%v", err)}}
	}
	return out, nil
}

// content reads the bytes of the next shape.
func (s *shapeSource) content() ([]byte, error) {
	s.record++
	var head [8]byte
	cut := func() error {
		return &fatal{record: s.record, fault: faultf("export it again", "the .shp file is cut short or damaged")}
	}
	if _, err := io.ReadFull(s.shp, head[:]); err != nil || s.left < 8 {
		return nil, cut()
	}
	number, length := binary.BigEndian.Uint32(head[:]), int64(binary.BigEndian.Uint32(head[4:]))*2
	if number != uint32(s.record) || length < 4 || length > s.left-8 {
		return nil, cut()
	}
	if length > maxRecord {
		return nil, &fatal{record: s.record, fault: faultf("simplify it", "%v", errTooLong)}
	}
	s.left -= 8 + length
	if length <= 4096 {
		content := make([]byte, length)
		if _, err := io.ReadFull(s.shp, content); err != nil {
			return nil, cut()
		}
		return content, nil
	}
	// What is there decides how much memory it takes, not what the header claims.
	content, err := io.ReadAll(io.LimitReader(s.shp, length))
	if err != nil || int64(len(content)) != length {
		return nil, cut()
	}
	return content, nil
}

// shapeOf reads the content of a record.
func (r *row) shapeOf(b []byte) error {
	le := binary.LittleEndian
	switch t := le.Uint32(b); t {
	case shpNull:
		return nil
	case shpPoint, shpPointZ, shpPointM:
		if len(b) < 20 {
			return errors.New("a point of too few bytes")
		}
		r.point = &[2]float64{float(b[4:]), float(b[12:])}
		return nil
	case shpPolygon, shpPolygonZ, shpPolygonM:
		rings, err := ringsOf(b)
		if err != nil {
			return err
		}
		r.shape, err = assemble(rings)
		return err
	default:
		return fmt.Errorf("a shape of type %d, which is no point or polygon", t)
	}
}

func float(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }

func ringsOf(b []byte) ([]registry.Ring, error) {
	const head = 44 // type, box, numbers of parts and points
	if len(b) < head {
		return nil, errors.New("a polygon of too few bytes")
	}
	parts, points := int64(binary.LittleEndian.Uint32(b[36:])), int64(binary.LittleEndian.Uint32(b[40:]))
	if points > maxPoints {
		return nil, fmt.Errorf("%d points, %d at the most; simplify it", points, maxPoints)
	}
	if parts == 0 || points == 0 || head+4*parts+16*points > int64(len(b)) {
		return nil, fmt.Errorf("a polygon of %d parts and %d points in %d bytes", parts, points, len(b))
	}
	starts, data := b[head:head+4*parts], b[head+4*parts:]
	var rings []registry.Ring
	for i := range parts {
		from, to := int64(binary.LittleEndian.Uint32(starts[4*i:])), points
		if i+1 < parts {
			to = int64(binary.LittleEndian.Uint32(starts[4*i+4:]))
		}
		if i == 0 && from != 0 || from >= to || to > points {
			return nil, fmt.Errorf("part %d from point %d to %d of %d", i+1, from, to, points)
		}
		ring := make(registry.Ring, 0, to-from)
		for k := from; k < to; k++ {
			ring = append(ring, [2]float64{float(data[16*k:]), float(data[16*k+8:])})
		}
		rings = append(rings, ring)
	}
	return rings, nil
}

// assemble makes polygons of rings: outer ones run with the clock, holes against it.
// A single ring is an outer one either way.
func assemble(rings []registry.Ring) (registry.Shape, error) {
	var shape registry.Shape
	var holes []registry.Ring
	var sizes []float64
	for _, ring := range rings {
		if a := planeArea(ring); a <= 0 || len(rings) == 1 {
			shape, sizes = append(shape, registry.Polygon{ring}), append(sizes, -a)
		} else {
			holes = append(holes, ring)
		}
	}
	for n, hole := range holes {
		best := -1
		for i, polygon := range shape {
			if encloses(polygon[0], hole) && (best < 0 || sizes[i] < sizes[best]) {
				best = i
			}
		}
		if best < 0 {
			return nil, fmt.Errorf("ring %d runs against the clock like a hole, but no ring is around it", n+1)
		}
		shape[best] = append(shape[best], hole)
	}
	return shape, nil
}

func encloses(outer, hole registry.Ring) bool {
	for _, p := range hole {
		if !geo.Contains(registry.Shape{{outer}}, p[0], p[1]) {
			return false
		}
	}
	return true
}

// planeArea is above zero against the clock.
func planeArea(r registry.Ring) (sum float64) {
	for i := 1; i < len(r); i++ {
		a, b, o := r[i-1], r[i], r[0]
		sum += ((a[0]-o[0])*(b[1]-o[1]) - (b[0]-o[0])*(a[1]-o[1])) / 2
	}
	return sum
}

func (s *shapeSource) declared() (geo.CRS, string, error) { return s.crs, ".prj", s.bad }
func (s *shapeSource) geometric() bool                    { return true }

func (s *shapeSource) Close() (err error) {
	for _, c := range s.closers {
		err = errors.Join(err, c.Close())
	}
	s.closers = nil
	return err
}
