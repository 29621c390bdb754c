// Package catalogtest is what the tests of all protocols do with profiles and
// their vector files. It knows no decoder, so that the tests of the simulators
// may use it too.
package catalogtest

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"citygrid/adapters/catalog"
	"citygrid/schemas"
)

// Set returns the profiles that load gives.
func Set[P any](t testing.TB, load func() (*catalog.Set[P], error)) *catalog.Set[P] {
	t.Helper()
	set, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// Get returns the profile of that id among those that load gives.
func Get[P any](t testing.TB, load func() (*catalog.Set[P], error), id string) *P {
	t.Helper()
	p, err := Set(t, load).Get(id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// All returns all profiles that load gives, by id.
func All[P any](t testing.TB, load func() (*catalog.Set[P], error)) (all []*P) {
	t.Helper()
	for _, id := range Set(t, load).IDs() {
		all = append(all, Get(t, load, id))
	}
	return all
}

// Refuses wants parse to take file, called m.yaml, for no profile, and its error
// to name the file and to hold want.
func Refuses[P any](t testing.TB, parse func(name string, data []byte) (*P, error), file, want string) {
	t.Helper()
	p, err := parse("m.yaml", []byte(file))
	if err == nil {
		t.Fatalf("accepted: %+v", p)
	}
	if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "m.yaml") {
		t.Errorf("error %q does not say %q", err, want)
	}
}

// RefusesVectors wants parse to refuse file, called m.vectors.yaml, as a vector
// file of p, and its error to hold want.
func RefusesVectors[P, V any](t testing.TB, parse func(name string, data []byte, p *P) ([]V, error), file string, p *P, want string) {
	t.Helper()
	if _, err := parse("m.vectors.yaml", []byte(file), p); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want %q", file, err, want)
	}
}

// Covers wants one of the vectors of profile id to give a value of q, live or in
// a record of that origin.
func Covers(t testing.TB, id string, vectors []catalog.FrameVector, origin schemas.Origin, q schemas.Quantity) {
	t.Helper()
	for _, v := range vectors {
		given := func(e catalog.Expectation) bool { return e.Quantity == q && e.Missing == "" }
		if v.Origin == origin && slices.ContainsFunc(v.Want, given) {
			return
		}
	}
	t.Errorf("%s: no vector gives a value of %s %s", id, origin, q)
}

// EachVector runs check as a subtest on every vector of every profile.
func EachVector[P any](t *testing.T, load func() (*catalog.Set[P], error), vectors func(id string) ([]catalog.FrameVector, error), check func(*testing.T, *P, catalog.FrameVector)) {
	t.Helper()
	for _, id := range Set(t, load).IDs() {
		p := Get(t, load, id)
		all, err := vectors(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			t.Run(id+"/"+v.Name, func(t *testing.T) { check(t, p, v) })
		}
	}
}

// Meets wants got, which has values as decimals or as "missing" and the reason,
// to be what a vector expects.
func Meets(t testing.TB, got map[schemas.Quantity]string, expected []catalog.Expectation) {
	t.Helper()
	for _, e := range expected {
		if want := Text(e.Value, e.Missing); got[e.Quantity] != want {
			t.Errorf("%s: %q, want %q", e.Quantity, got[e.Quantity], want)
		}
	}
}

// Text writes a value as a vector file does: a decimal, or "missing" and the
// reason.
func Text(d schemas.Decimal, missing schemas.Reason) string {
	if missing != "" {
		return "missing " + string(missing)
	}
	return d.String()
}

// Bytes reads bytes written as people write them: hexadecimal, with blanks.
func Bytes(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
