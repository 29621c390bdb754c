package statement

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/internal/gm"
)

func signedDocument(t *testing.T) (*Document, gm.SM2Public) {
	t.Helper()
	d := mustNew(t, small())
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	var first gm.SM2Public
	for n, s := range []struct {
		role   Role
		person string
	}{{ReviewedBy, "李四"}, {PreparedBy, "张三"}, {ApprovedBy, "Wang Wu"}} {
		key, err := gm.NewSM2Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			first = key.Public()
		}
		if err := d.Sign(key, rand.Reader, s.role, s.person, at); err != nil {
			t.Fatal(err)
		}
	}
	return d, first
}

func TestSignatures(t *testing.T) {
	d, reviewer := signedDocument(t)
	data, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if len(again.Signatures) != 3 || again.Signatures[0].Role != PreparedBy || again.Signatures[2].Person != "Wang Wu" {
		t.Errorf("signatures %v", again.Signatures)
	}
	for n, want := range []bool{false, true, false} {
		if got := again.Trusted(&again.Signatures[n], []gm.SM2Public{reviewer}); got != want {
			t.Errorf("signature %d trusted: %v", n, got)
		}
	}
}

// TestEveryByteCounts changes a statement at every seventh byte and its signatures
// at every one, one after the other: no change is accepted.
func TestEveryByteCounts(t *testing.T) {
	d, _ := signedDocument(t)
	data, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := mustNew(t, small()).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	change := func(data []byte, from, step int) {
		for n := from; n < len(data); n += step {
			changed := bytes.Clone(data)
			changed[n] ^= 1
			if _, err := Parse(changed); err == nil {
				t.Fatalf("accepted with byte %d (%q) changed, in %q", n, data[n], data[max(0, n-30):min(len(data), n+10)])
			}
		}
	}
	change(plain, 0, 7)
	change(data, bytes.Index(data, []byte(`"sm3"`)), 1)
	for name, other := range map[string][]byte{"cut": data[:len(data)-1], "longer": append(bytes.Clone(data), ' '), "twice": append(bytes.Clone(data), data...), "empty": nil} {
		if _, err := Parse(other); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestSaysWhatIsWrong changes words in a file; the error names what was changed.
func TestSaysWhatIsWrong(t *testing.T) {
	d, _ := signedDocument(t)
	data, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"amount":    {`"amount": "1234567.89"`, `"amount": "1234567.88"`, "sales of channel 微信"},
		"digest":    {`"amount": "1234567.89"`, `"amount": "1234567.88"`, "its digest says " + d.Digest},
		"note":      {"look at the collector", "nothing to see", "changed after it was made"},
		"person":    {`"person": "李四"`, `"person": "李五"`, "signature of 李五 as reviewed: it does not verify"},
		"time":      {`"at": "2026-11-22T03:00:00Z"`, `"at": "2026-11-22T04:00:00Z"`, "signature of 张三 as prepared: it does not verify"},
		"role":      {`"role": "approved"`, `"role": "reviewed"`, "signed as reviewed already"},
		"same":      {`"person": "Wang Wu"`, `"person": "张三"`, "another person"},
		"blank":     {`"run": {`, `"run":  {`, "line 11 is not written as statements are"},
		"key":       {`"city":`, `"town":`, `unknown field "town"`},
		"zero fen":  {`"amount": "0.07"`, `"amount": "0.070"`, "more than two decimals"},
		"two forms": {`"amount": "0.07"`, `"amount": "+0.07"`, "not written as statements are"},
		"version":   {`"version": 1,`, `"version": 2,`, "version 1"},
	} {
		changed := strings.Replace(string(data), c.old, c.new, 1)
		if changed == string(data) {
			t.Fatalf("%s: %q is not in the file", name, c.old)
		}
		if _, err := Parse([]byte(changed)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestThreeDifferentPersons(t *testing.T) {
	key := func() gm.SM2Key {
		k, err := gm.NewSM2Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	d := mustNew(t, small())
	first := key()
	if err := d.Sign(first, rand.Reader, ReviewedBy, "李四", at); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key    gm.SM2Key
		role   Role
		person string
		want   string
	}{
		"who prepared approves":  {key(), ApprovedBy, "张三", "another person"},
		"who reviewed approves":  {key(), ApprovedBy, "李四", "another person"},
		"twice":                  {key(), ReviewedBy, "王五", "already"},
		"prepared by another":    {key(), PreparedBy, "王五", "张三 has prepared it"},
		"the same key":           {first, ApprovedBy, "王五", "key of their own"},
		"no name":                {key(), ApprovedBy, "", "want a name"},
		"name with a line break": {key(), ApprovedBy, "a\nb", "want a name"},
		"unknown role":           {key(), "cashier", "王五", "want prepared"},
	} {
		if err := d.Sign(c.key, rand.Reader, c.role, c.person, at); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(d.Signatures) != 1 {
		t.Errorf("%d signatures after refusals", len(d.Signatures))
	}
}

func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "small.json"))
	if err == nil {
		f.Add(text)
	}
	f.Add([]byte(`{"format":"citygrid statement","version":1,"statement":{},"sm3":"","signatures":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			return
		}
		again, err := d.Marshal()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("accepted what is not written again as it is: %v", err)
		}
	})
}
