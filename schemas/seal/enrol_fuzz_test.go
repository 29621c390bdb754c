package seal

import (
	"bytes"
	"testing"

	"citygrid/internal/secret"
)

// FuzzParseRequest: no bytes make the reader panic; what it takes is a point of the
// curve that something can be sealed to, and is written again as it was read.
func FuzzParseRequest(f *testing.F) {
	b := mustIssue(f)
	_, request := mustBoxKey(f, b)
	data, err := request.MarshalFile()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(bytes.Replace(data, []byte(`"public": "04`), []byte(`"public": "02`), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseRequest(data)
		if (r == nil) == (err == nil) {
			t.Fatalf("%v with error %v", r, err)
		}
		if err != nil {
			wantCode(t, err, FileBad)
			return
		}
		again, err := r.MarshalFile()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseRequest(again)
		if err != nil || back.Words() != r.Words() {
			t.Fatalf("written again as %s: %v", again, err)
		}
	})
}

// FuzzParseIssued reads the bundles that a box gets after its first.
func FuzzParseIssued(f *testing.F) {
	b := mustIssue(f)
	next := mustRotate(f, b)
	for _, bundle := range []Bundle{b, next} {
		data, err := bundle.MarshalFile()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ParseIssued(data)
		if err != nil {
			return
		}
		if got.Key.Len() != SecretSize || got.Collector.Validate() != nil || len(got.Previous) > 3 {
			t.Fatalf("accepted %+v", got)
		}
		_, _ = got.Succeed(&b)
	})
}

// FuzzParseCode: what a person types is one code or none.
func FuzzParseCode(f *testing.F) {
	f.Add("lusab-babad-gutih-tugad-bonon-fosab")
	f.Add(" LUSAB babad\tgutih  tugad-bonon fosab\n")
	f.Fuzz(func(t *testing.T, typed string) {
		code, err := ParseCode(secret.New(typed))
		if err != nil {
			return
		}
		again, err := ParseCode(code)
		if err != nil || !bytes.Equal(again.Reveal(), code.Reveal()) {
			t.Fatalf("%q is read as %q and then as %q, %v", typed, code.Reveal(), again.Reveal(), err)
		}
	})
}
