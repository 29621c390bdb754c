package statement

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"citygrid/internal/gm"
)

// TestOneKeyOnePerson: a key that is written in another way is the same key. The
// name of the key is not part of what is signed, so only its one form counts.
func TestOneKeyOnePerson(t *testing.T) {
	key, err := gm.NewSM2Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := mustNew(t, small())
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	if err := d.Sign(key, rand.Reader, ReviewedBy, "李四", at); err != nil {
		t.Fatal(err)
	}
	second := Signature{Role: ApprovedBy, Person: "王五", At: d.Signatures[0].At, Key: d.Signatures[0].Key}
	raw, err := key.Sign(rand.Reader, signed(d.Digest, &second))
	if err != nil {
		t.Fatal(err)
	}
	second.Signature = base64.StdEncoding.EncodeToString(raw)
	for name, written := range map[string]string{"as it is": second.Key, "with a line break": second.Key[:8] + "\n" + second.Key[8:]} {
		forged := *d
		second.Key = written
		forged.Signatures = append(forged.Signatures[:1:1], second)
		data, err := forged.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(data); err == nil {
			t.Errorf("%s: one key signs as two persons", name)
		}
	}
}

// TestOnePersonOneName: blanks and capitals make no second person.
func TestOnePersonOneName(t *testing.T) {
	at := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	in := small()
	in.By = "Zhang San"
	for _, name := range []string{"zhang san", "Zhang San ", " Zhang San", "\u3000", "Zhang\u00a0San", "Zhang  San", "Ｚhang San"} {
		key, err := gm.NewSM2Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := mustNew(t, in).Sign(key, rand.Reader, ApprovedBy, name, at); err == nil {
			t.Errorf("%q approves what Zhang San has prepared", name)
		}
	}
}

// TestFormsPrintedBetweenSignatures: a form that was printed after some of the
// signatures says what its statement says.
func TestFormsPrintedBetweenSignatures(t *testing.T) {
	d, _ := signedDocument(t)
	for n := range 4 {
		part := *d
		part.Signatures = d.Signatures[:n]
		var form bytes.Buffer
		if err := CSV(&form, &part, English); err != nil {
			t.Fatal(err)
		}
		if err := CompareForm("x.csv", form.Bytes(), d); err != nil {
			t.Errorf("printed after %d signatures: %v", n, err)
		}
	}
}

// TestCoverageOfNothing: a utility without installations has heard of none.
func TestCoverageOfNothing(t *testing.T) {
	if got := share(0, 0); strings.Contains(got, "100") {
		t.Errorf("coverage of no installations: %s %%", got)
	}
}

// TestTextOfNothing: a table that has nothing but its total says so, and the
// summary says that nothing is open.
func TestTextOfNothing(t *testing.T) {
	in := small()
	in.Open = nil
	clear(in.Figures.Classes[:])
	var out bytes.Buffer
	if err := Text(&out, mustNew(t, in), English); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "Class\n  Total\n") || strings.Contains(out.String(), "Days\n  Total\n") {
		t.Errorf("an empty table has a head and a total of nothing:\n%s", out.String())
	}
	if !strings.Contains(out.String(), "Open differences ") {
		t.Errorf("the summary does not say that nothing is open:\n%s", out.String())
	}
}

// TestUnresolvedIsPartOfTheDigest: another count is another statement, one below 0
// is none, and a run that did not count has neither the count nor rows for it.
func TestUnresolvedIsPartOfTheDigest(t *testing.T) {
	in := small()
	counted := mustNew(t, in)
	in.Unresolved = &Unresolved{Sales: 1, Entries: 2}
	if mustNew(t, in).Digest == counted.Digest {
		t.Error("one more sale has the same digest")
	}
	in.Unresolved = &Unresolved{Entries: -1}
	if _, err := New(in); err == nil {
		t.Error("a count below 0 was taken")
	}
	in.Unresolved = nil
	d := mustNew(t, in)
	file, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(file); err != nil || bytes.Contains(file, []byte("unresolved")) {
		t.Errorf("not counted: %v", err)
	}
	if a, b := len(layout(counted, English)[0].rows), len(layout(d, English)[0].rows); a != b+2 {
		t.Errorf("%d rows with the count, %d without", a, b)
	}
}
