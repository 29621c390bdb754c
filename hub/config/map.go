package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Map is the section of the city's map. Without it the map shows the outlines of the
// asset register and nothing else.
type Map struct {
	// Layers are pictures that lie under the outlines; people choose among them.
	Layers []MapLayer `yaml:"layers,omitempty"`
}

// MapLayer is a service of map pictures that browsers reach.
type MapLayer struct {
	// Name is what people choose it by.
	Name string `yaml:"name"`
	// Kind is xyz, wmts or wms.
	Kind string `yaml:"kind"`
	// URL is for xyz the address of a picture with {z}, {x} and {y}, for wmts and wms
	// that of the service. A path without a host is of this hub.
	URL string `yaml:"url"`
	// CRS is what the pictures are drawn in: EPSG:3857, EPSG:4490, EPSG:4326, or GCJ-02 for
	// those in EPSG:3857 with shifted content.
	CRS         string `yaml:"crs"`
	Attribution string `yaml:"attribution,omitempty"`
	// Layer, MatrixSet, Style and Format are those of a wmts or wms.
	Layer     string `yaml:"layer,omitempty"`
	MatrixSet string `yaml:"matrix_set,omitempty"`
	Style     string `yaml:"style,omitempty"`
	Format    string `yaml:"format,omitempty"`
	// MinZoom and MaxZoom are the levels that there are pictures of; 0 and 18 when left
	// out.
	MinZoom int `yaml:"min_zoom,omitempty"`
	MaxZoom int `yaml:"max_zoom,omitempty"`
	// Parameters are added to every request. Browsers see them: a key among them is known
	// to everybody who may see the map.
	Parameters map[string]string `yaml:"parameters,omitempty"`
}

// DefaultMaxZoom is the last level of a layer that names none.
const DefaultMaxZoom = 18

func (m *Map) check() error {
	var errs []error
	for n := range m.Layers {
		l := &m.Layers[n]
		if err := l.check(); err != nil {
			errs = append(errs, fmt.Errorf("map.layers[%d]: %w", n, err))
		}
		if slices.ContainsFunc(m.Layers[:n], func(o MapLayer) bool { return o.Name == l.Name }) {
			errs = append(errs, fmt.Errorf("map.layers[%d]: the name %q is there twice", n, l.Name))
		}
	}
	return errors.Join(errs...)
}

func (l *MapLayer) check() error {
	u, err := url.Parse(strings.NewReplacer("{z}", "0", "{x}", "0", "{y}", "0").Replace(l.URL))
	switch {
	case l.Name == "":
		return errors.New("name: missing: what people choose it by")
	case !slices.Contains([]string{"xyz", "wmts", "wms"}, l.Kind):
		return fmt.Errorf("kind: %q: want xyz, wmts or wms", l.Kind)
	case !slices.Contains([]string{"EPSG:3857", "EPSG:4490", "EPSG:4326", "GCJ-02"}, l.CRS):
		return fmt.Errorf("crs: %q: want EPSG:3857, EPSG:4490, EPSG:4326 or GCJ-02; it is never guessed", l.CRS)
	case err != nil || u.User != nil || u.Fragment != "" || !(u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") || u.Host == "" && u.Scheme == "" && strings.HasPrefix(u.Path, "/")):
		return errors.New("url: want https://host/..., http://host/..., or /... on this hub, without user and fragment")
	case strings.ContainsAny(u.Host, " ;,'\"*{}") || u.Host != "" && strings.Contains(strings.SplitN(l.URL+"///", "/", 4)[2], "{"):
		return errors.New("url: want one host, by its name: pages may load pictures from there")
	case l.Kind == "xyz" && !(strings.Contains(l.URL, "{z}") && strings.Contains(l.URL, "{x}") && strings.Contains(l.URL, "{y}")):
		return errors.New("url: want {z}, {x} and {y} in it where the kind is xyz")
	case l.Kind != "xyz" && l.Layer == "":
		return fmt.Errorf("layer: missing: which layer of the %s", l.Kind)
	case l.Kind == "wmts" && l.MatrixSet == "":
		return errors.New("matrix_set: missing: which tile matrix set of the wmts")
	case l.MinZoom < 0 || l.MaxZoom < 0 || l.MaxZoom > 24 || l.MaxZoom > 0 && l.MinZoom > l.MaxZoom:
		return errors.New("min_zoom and max_zoom: want levels from 0 to 24, the lower one first")
	}
	return nil
}
