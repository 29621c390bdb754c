package census

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"

	"citygrid/hub/registry"
	"citygrid/hub/registry/geo"
)

// csvSink writes CSV with a line of names, UTF-8 without a mark or GB 18030.
type csvSink struct {
	w     *csv.Writer
	close func() error
}

func newCSVSink(w io.Writer, names []string, encoding string) (*csvSink, error) {
	charset, err := charsetOf(encoding)
	if err != nil {
		return nil, err
	}
	s := &csvSink{close: func() error { return nil }}
	if charset == gb18030 {
		t := transform.NewWriter(w, simplifiedchinese.GB18030.NewEncoder())
		w, s.close = t, t.Close
	}
	s.w = csv.NewWriter(w)
	return s, s.w.Write(names)
}

func (s *csvSink) write(values []string, _ geometry) error { return s.w.Write(values) }

func (s *csvSink) end(good bool) error {
	s.w.Flush()
	return errors.Join(s.w.Error(), s.close())
}

// jsonSink writes a FeatureCollection, one feature a line. The member crs is that of
// the older GeoJSON, which most programs still read; WGS84 needs none.
type jsonSink struct {
	w     *bufio.Writer
	names []string
	some  bool
}

func newJSONSink(w io.Writer, names []string, crs geo.CRS, placed bool) (*jsonSink, error) {
	s := &jsonSink{w: bufio.NewWriterSize(w, 64<<10), names: names}
	head := `{"type":"FeatureCollection",`
	if placed && crs != geo.WGS84() {
		name := "GCJ-02"
		if crs.EPSG() != 0 {
			name = "urn:ogc:def:crs:EPSG::" + strconv.Itoa(crs.EPSG())
		}
		head += `"crs":{"type":"name","properties":{"name":"` + name + `"}},`
	}
	_, err := s.w.WriteString(head + "\"features\":[")
	return s, err
}

// write takes the values of the columns, and then pairs of name and text.
func (s *jsonSink) write(values []string, g geometry) error {
	line := []byte(",\n")
	if !s.some {
		line, s.some = line[1:], true
	}
	line = append(line, `{"type":"Feature","properties":{`...)
	member := func(name, text string) {
		if text == "" {
			return
		}
		if line[len(line)-1] != '{' {
			line = append(line, ',')
		}
		line = append(append(appendString(line, name), ':'), appendString(nil, text)...)
	}
	for i, name := range s.names {
		member(name, values[i])
	}
	for i := len(s.names); i+1 < len(values); i += 2 {
		member(values[i], values[i+1])
	}
	line = append(line, `},"geometry":`...)
	line = append(appendGeometry(line, g), '}')
	_, err := s.w.Write(line)
	return err
}

func appendString(line []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return append(line, `""`...) // cannot be: strings always have a JSON
	}
	return append(line, text...)
}

func appendGeometry(line []byte, g geometry) []byte {
	switch {
	case g.point != nil:
		line = append(line, `{"type":"Point","coordinates":`...)
		return append(appendPoint(line, *g.point, g.format), '}')
	case g.shape == nil:
		return append(line, "null"...)
	case len(g.shape) == 1:
		line = append(line, `{"type":"Polygon","coordinates":`...)
		return append(appendPolygon(line, g.shape[0], g.format), '}')
	}
	line = append(line, `{"type":"MultiPolygon","coordinates":[`...)
	for i, p := range g.shape {
		if i > 0 {
			line = append(line, ',')
		}
		line = appendPolygon(line, p, g.format)
	}
	return append(line, "]}"...)
}

func appendPolygon(line []byte, polygon registry.Polygon, format func(float64) string) []byte {
	line = append(line, '[')
	for n, ring := range polygon {
		if n > 0 {
			line = append(line, ',')
		}
		line = append(line, '[')
		for k, p := range ring {
			if k > 0 {
				line = append(line, ',')
			}
			line = appendPoint(line, p, format)
		}
		line = append(line, ']')
	}
	return append(line, ']')
}

func appendPoint(line []byte, p [2]float64, format func(float64) string) []byte {
	return fmt.Appendf(line, "[%s,%s]", format(p[0]), format(p[1]))
}

func (s *jsonSink) end(good bool) error {
	if good {
		if _, err := s.w.WriteString("\n]}\n"); err != nil {
			return err
		}
	}
	return s.w.Flush()
}
