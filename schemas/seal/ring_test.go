package seal

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"citygrid/internal/secret"
)

func masterOf(generation uint8, fill byte) *Master {
	return &Master{Tenant: "city", Generation: generation, Secret: secret.New(bytes.Repeat([]byte{fill}, SecretSize))}
}

func TestRing(t *testing.T) {
	second, fourth := masterOf(2, 2), masterOf(4, 4)
	r, err := NewRing(fourth, second)
	if err != nil || r.Tenant() != "city" || r.Master(2) != second || r.Master(3) != nil {
		t.Fatalf("%v, %v", r, err)
	}
	for generation, m := range map[uint16]*Master{0x0200: second, 0x0407: fourth} {
		want, _ := m.CollectorKey(DefaultProvider(), generation, "c1")
		if got, err := r.CollectorKey(DefaultProvider(), generation, "c1"); err != nil || !got.Equal(want.Secret) {
			t.Errorf("%#04x: %v, another key than of its master", generation, err)
		}
	}
	for generation, code := range map[uint16]Code{0x0100: GenerationRetired, 0x0300: GenerationUnknown, 0x0500: GenerationUnknown} {
		_, err := r.CollectorKey(DefaultProvider(), generation, "c1")
		wantCode(t, err, code)
	}
	foreign := masterOf(3, 3)
	foreign.Tenant = "other"
	for _, masters := range [][]*Master{nil, {second, masterOf(2, 9)}, {second, foreign}, {second, fourth, masterOf(5, 2)}, {{Tenant: "city", Generation: 1}}} {
		_, err := NewRing(masters...)
		wantCode(t, err, ConfigBad)
	}
}

func TestCheckValue(t *testing.T) {
	a, b := CheckValue(masterOf(1, 1).Secret), CheckValue(masterOf(1, 2).Secret)
	if len(a) != 8 || a == b || a != CheckValue(masterOf(9, 1).Secret) {
		t.Errorf("check values %s, %s", a, b)
	}
}

// A bundle goes on from the one before: password, earlier keys, never backwards.
func TestSucceed(t *testing.T) {
	first := mustIssue(t)
	path := filepath.Join(t.TempDir(), "bundle")
	if err := WriteBundle(path, first); err != nil {
		t.Fatal(err)
	}
	box := first
	for range MaxPrevious + 1 {
		next := mustRotate(t, box)
		data, err := next.MarshalFile()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseBundle(data); err == nil || !strings.Contains(err.Error(), "enrol accept") {
			t.Errorf("a bundle without a password runs a collector: %v", err)
		}
		issued, err := ParseIssued(data)
		if err != nil || !sameBundle(issued, next) {
			t.Fatalf("parsed %+v, %v", issued, err)
		}
		placed, err := issued.Succeed(&box)
		if err != nil {
			t.Fatal(err)
		}
		if err := PlaceBundle(path, placed); err != nil {
			t.Fatal(err)
		}
		got, err := ReadBundle(path)
		if err != nil || !sameBundle(got, placed) || !got.BrokerPassword.Equal(first.BrokerPassword) {
			t.Fatalf("read back %+v, %v", got, err)
		}
		for _, back := range []Bundle{box, placed} {
			_, err := back.Succeed(&placed)
			wantCode(t, err, ConfigBad)
		}
		if key, ok := got.KeyOf(box.Generation); !ok || !key.Equal(box.Key.Secret) {
			t.Error("the key before is not kept")
		}
		box = got
	}
	if _, ok := box.KeyOf(first.Generation); ok || len(box.Previous) != MaxPrevious {
		t.Errorf("%d earlier keys are kept, want %d", len(box.Previous), MaxPrevious)
	}
	other := mustRotate(t, box)
	other.Collector = "another"
	_, err := other.Succeed(&box)
	wantCode(t, err, ConfigBad)
	if err := PlaceBundle(path, mustRotate(t, box)); err == nil {
		t.Error("a bundle without a password was put in place")
	}
}

// A bundle that keeps nothing is of version 1, which earlier collectors read.
func TestBundleVersions(t *testing.T) {
	b := mustIssue(t)
	one, _ := b.MarshalFile()
	next, err := mustRotate(t, b).Succeed(&b)
	if err != nil {
		t.Fatal(err)
	}
	two, _ := next.MarshalFile()
	if !strings.Contains(string(one), `"version": 1`) || strings.Contains(string(one), "previous") || !strings.Contains(string(two), `"version": 2`) {
		t.Errorf("versions:\n%s%s", one, two)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, two); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"version 1 with previous": {`"version":2`, `"version":1`},
		"not earlier":             {`[{"generation":770`, `[{"generation":771`},
		"unknown field":           {`[{"generation":770`, `[{"x":1,"generation":770`},
		"given twice":             {`[{"generation":770`, `[{"generation":770,"generation":770`},
		"short key":               {},
	} {
		text := strings.Replace(compact.String(), change[0], change[1], 1)
		if name == "short key" {
			at := strings.Index(text, `770,"key":"`) + len(`770,"key":"`)
			text = text[:at] + text[at+2:]
		} else if text == compact.String() {
			t.Fatalf("%s: the row changes nothing", name)
		}
		_, err := ParseBundle([]byte(text))
		wantCode(t, err, FileBad)
	}
}
