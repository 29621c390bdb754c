package census

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"citygrid/hub/registry"
	"citygrid/hub/registry/geo"
	"citygrid/internal/strictjson"
)

// jsonSource reads the features of a GeoJSON file one by one [RFC 7946]. Package
// orb is not used for it: it holds the whole file, makes floats of all numbers and
// zeros of missing ones.
type jsonSource struct {
	closer io.Closer
	budget *budget
	lines  *lines
	dec    *json.Decoder
	record int
	seen   map[string]bool // the members that mean something
	ended  bool
	crs    geo.CRS
	bad    error // of the member crs
}

// lines counts lines up to an offset that the decoder has passed.
type lines struct {
	r      io.Reader
	offset int64
	breaks []int64
	passed int
}

func (l *lines) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			l.breaks = append(l.breaks, l.offset+int64(i))
		}
	}
	l.offset += int64(n)
	return n, err
}

func (l *lines) at(offset int64) int {
	n, _ := slices.BinarySearch(l.breaks, offset)
	l.passed += n
	l.breaks = append(l.breaks[:0], l.breaks[n:]...)
	return l.passed + 1
}

func newGeoJSON(r io.ReadCloser, encoding string) (source, error) {
	if c, err := charsetOf(encoding); err != nil || c == gb18030 {
		return nil, errors.Join(stop(0, "name no character set", "GeoJSON is always UTF-8"), r.Close())
	}
	text, err := decoded(r, "")
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	s := &jsonSource{closer: r, lines: &lines{r: text}, seen: map[string]bool{}}
	s.budget = &budget{r: s.lines}
	s.budget.reset()
	s.dec = json.NewDecoder(s.budget)
	if t, err := s.dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.Join(stop(1, "give a FeatureCollection", "the file is no JSON object"), r.Close())
	}
	if err := s.untilFeatures(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return s, nil
}

// untilFeatures reads members of the outer object up to the first feature, or to
// the end of it.
func (s *jsonSource) untilFeatures() error {
	for s.dec.More() {
		s.budget.reset()
		name, err := s.dec.Token()
		if err != nil {
			return s.broken(err)
		}
		done, err := s.member(name)
		if done || err != nil {
			return err
		}
	}
	if _, err := s.dec.Token(); err != nil {
		return s.broken(err)
	}
	s.ended = true
	if !s.seen["features"] {
		return stop(s.line(), "give a FeatureCollection", "there are no features")
	}
	if _, err := s.dec.Token(); err != io.EOF {
		return stop(s.line(), "take it out", "something follows the collection")
	}
	return nil
}

// member reads one member of the outer object; done is true before the first feature.
func (s *jsonSource) member(name json.Token) (done bool, err error) {
	if name == "features" || name == "type" || name == "crs" {
		text, _ := name.(string)
		if s.seen[text] {
			return false, stop(s.line(), "take one of them out", "%s comes twice", text)
		}
		s.seen[text] = true
	}
	if name == "features" {
		if t, err := s.dec.Token(); err != nil || t != json.Delim('[') {
			return false, stop(s.line(), "give one list of features", "features is no list")
		}
		return true, nil
	}
	var raw json.RawMessage
	if err := s.dec.Decode(&raw); err != nil {
		return false, s.broken(err)
	}
	switch name {
	case "type":
		if string(raw) != `"FeatureCollection"` {
			return false, stop(s.line(), "give a FeatureCollection", "the file is a %.40s", raw)
		}
	case "crs":
		s.crs, s.bad = crsMember(raw)
	}
	return false, nil
}

// crsMember reads the member of the older GeoJSON of 2008, which most programs still
// write.
func crsMember(raw json.RawMessage) (geo.CRS, error) {
	if string(raw) == "null" {
		return geo.CRS{}, nil
	}
	var m struct {
		Type       string `json:"type"`
		Properties struct {
			Name string `json:"name"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(raw, &m); err != nil || m.Type != "name" {
		return geo.CRS{}, fmt.Errorf("the member crs names no system")
	}
	return geo.ParseCRS(m.Properties.Name)
}

func (s *jsonSource) line() int { return s.lines.at(s.dec.InputOffset()) }

func (s *jsonSource) broken(err error) error {
	f := &fatal{record: s.record + 1, line: s.line()}
	switch {
	case errors.Is(err, errTooLong):
		f.fault = faultf("look for a bracket that is not closed", "%v", err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		f.fault = faultf("export it again", "the file is cut short")
	default:
		f.fault = faultf("correct the JSON there", "%v", err)
	}
	return f
}

func (s *jsonSource) next() (*row, error) {
	if s.ended {
		return nil, io.EOF
	}
	s.budget.reset()
	if !s.dec.More() {
		if _, err := s.dec.Token(); err != nil {
			return nil, s.broken(err)
		}
		if err := s.untilFeatures(); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	var raw json.RawMessage
	if err := s.dec.Decode(&raw); err != nil {
		return nil, s.broken(err)
	}
	s.record++
	out := &row{record: s.record, line: s.line()}
	out.line -= bytes.Count(raw, []byte{'\n'}) // where it begins
	if f := out.feature(raw); f != nil {
		out.faults = []located{*f}
	}
	return out, nil
}

// feature takes a feature apart.
func (r *row) feature(raw json.RawMessage) *located {
	members, err := strictjson.Members(raw)
	if err != nil {
		return &located{fault: faultf("correct the feature", "%v", err)}
	}
	if string(members["type"]) != `"Feature"` {
		return &located{field: "type", value: string(members["type"]), fault: faultf("give a Feature", "not a Feature")}
	}
	if p := members["properties"]; len(p) > 0 && string(p) != "null" {
		properties, err := strictjson.Members(p)
		if err != nil {
			return &located{field: "properties", fault: faultf("correct the feature", "%v", err)}
		}
		if len(properties) > maxColumns {
			return &located{field: "properties", fault: faultf("take some out", "%d properties", len(properties))}
		}
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			r.names = append(r.names, name)
			r.values = append(r.values, jsonValue(properties[name]))
		}
	}
	if err := ownSystem(members); err != nil {
		return &located{field: "crs", fault: faultf("name it once for the whole file", "%v", err)}
	}
	if err := r.jsonGeometry(members["geometry"]); err != nil {
		return &located{field: "geometry", fault: faultf("give a Point, Polygon or MultiPolygon with two numbers or three a point", "%v", err)}
	}
	return nil
}

// jsonValue keeps numbers as they are written.
func jsonValue(raw json.RawMessage) value {
	switch raw[0] {
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return value{bad: err.Error()}
		}
		return value{text: s}
	case '{', '[':
		return value{text: string(raw), bad: "a list or an object, not one value"}
	case 'n':
		return value{}
	case 't', 'f':
		return value{text: string(raw)}
	}
	return value{text: string(raw), number: true}
}

// ownSystem refuses the member crs of a feature or geometry, which GeoJSON of 2008
// allows there: the numbers would be of another system than those around them.
func ownSystem(members map[string]json.RawMessage) error {
	if _, ok := members["crs"]; ok {
		return errors.New("a reference system of its own")
	}
	return nil
}

func (r *row) jsonGeometry(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	members, err := strictjson.Members(raw)
	if err != nil {
		return err
	}
	if err := ownSystem(members); err != nil {
		return err
	}
	coordinates := members["coordinates"]
	if bytes.Contains(coordinates, []byte("null")) {
		return fmt.Errorf("a coordinate is null") // encoding/json would make it 0
	}
	switch string(members["type"]) {
	case `"Point"`:
		var c []float64
		if err := json.Unmarshal(coordinates, &c); err != nil {
			return err
		}
		p, err := pairOf(c)
		r.point = &p
		return err
	case `"Polygon"`:
		var c [][][]float64
		if err := json.Unmarshal(coordinates, &c); err != nil {
			return err
		}
		p, err := polygonOf(c)
		r.shape = registry.Shape{p}
		return err
	case `"MultiPolygon"`:
		var c [][][][]float64
		if err := json.Unmarshal(coordinates, &c); err != nil {
			return err
		}
		r.shape = registry.Shape{}
		for _, one := range c {
			p, err := polygonOf(one)
			if err != nil {
				return err
			}
			r.shape = append(r.shape, p)
		}
		return nil
	}
	return fmt.Errorf("a geometry of type %.40s", members["type"])
}

func pairOf(c []float64) ([2]float64, error) {
	if len(c) != 2 && len(c) != 3 {
		return [2]float64{}, fmt.Errorf("a point of %d numbers", len(c))
	}
	return [2]float64{c[0], c[1]}, nil
}

func polygonOf(c [][][]float64) (registry.Polygon, error) {
	out := make(registry.Polygon, len(c))
	for i, ring := range c {
		for _, point := range ring {
			p, err := pairOf(point)
			if err != nil {
				return nil, err
			}
			out[i] = append(out[i], p)
		}
	}
	return out, nil
}

func (s *jsonSource) declared() (geo.CRS, string, error) { return s.crs, "crs", s.bad }
func (s *jsonSource) geometric() bool                    { return true }
func (s *jsonSource) Close() error                       { return s.closer.Close() }
