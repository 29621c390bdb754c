package config

import (
	"strings"
	"testing"
)

func TestMapLayers(t *testing.T) {
	good := MapLayer{Name: "a", Kind: "xyz", URL: "https://tiles.example/{z}/{x}/{y}.png?k=1", CRS: "GCJ-02"}
	with := func(change func(*MapLayer)) MapLayer {
		l := good
		change(&l)
		return l
	}
	for want, l := range map[string]MapLayer{
		"":            good,
		" ":           with(func(l *MapLayer) { l.URL = "/own/{z}/{x}/{y}.png" }),
		"  ":          with(func(l *MapLayer) { l.Kind, l.URL, l.Layer, l.MatrixSet = "wmts", "http://h:81/s?a=b", "vec", "c" }),
		"name":        with(func(l *MapLayer) { l.Name = "" }),
		"kind":        with(func(l *MapLayer) { l.Kind = "mvt" }),
		"crs":         with(func(l *MapLayer) { l.CRS = "BD-09" }),
		"{z}":         with(func(l *MapLayer) { l.URL = "https://tiles.example/1" }),
		"url: want h": with(func(l *MapLayer) { l.URL = "ftp://tiles.example/{z}/{x}/{y}" }),
		"user":        with(func(l *MapLayer) { l.URL = "https://me:pw@tiles.example/{z}/{x}/{y}" }),
		"one host":    with(func(l *MapLayer) { l.URL = "https://{x}.tiles.example/{z}/{x}/{y}" }),
		"by its name": with(func(l *MapLayer) { l.URL = "https://*.tiles.example/{z}/{x}/{y}" }),
		"layer":       with(func(l *MapLayer) { l.Kind = "wms" }),
		"matrix_set":  with(func(l *MapLayer) { l.Kind, l.Layer = "wmts", "vec" }),
		"levels":      with(func(l *MapLayer) { l.MinZoom, l.MaxZoom = 9, 3 }),
	} {
		err := (&Map{Layers: []MapLayer{l}}).check()
		if ok := strings.TrimSpace(want) == ""; ok != (err == nil) || !ok && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
	if err := (&Map{Layers: []MapLayer{good, good}}).check(); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("the same name: %v", err)
	}
	if err := (&Map{Layers: []MapLayer{with(func(l *MapLayer) { l.URL = "https://me:secret@x/{z}/{x}/{y}" })}}).check(); strings.Contains(err.Error(), "secret") {
		t.Errorf("tells the password: %v", err)
	}
}
