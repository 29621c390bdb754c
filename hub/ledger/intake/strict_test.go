package intake

import (
	"errors"
	"strings"
	"testing"

	"citygrid/schemas"
)

// TestColumnsOfOurs: in our own format a name that is not ours is a typing error,
// which would leave a whole column out of the books.
func TestColumnsOfOurs(t *testing.T) {
	for old, new := range map[string]string{",volume,": ",volumn,", ",undoes,at,": ",undoes,at ,", "terminal\n": "terminal,days\n"} {
		text := strings.Replace(own, old, new, 1)
		if old == "terminal\n" {
			text = strings.NewReplacer(",t1\n", ",t1,2026-11-20\n").Replace(text)
		}
		_, err := read(text, mustNamed(t, "citygrid"), options())
		var fe *FileError
		if !errors.As(err, &fe) || fe.Problems[0].Line != 2 || fe.Problems[0].Column == 0 {
			t.Errorf("%q for %q: %v", new, old, err)
		}
	}
}

// TestWidthOfRows: where columns have no names, a delimiter inside a field or a
// field that is lost shows by the number of fields.
func TestWidthOfRows(t *testing.T) {
	rows := strings.SplitAfter(bank, "\n")
	for _, row := range []string{strings.Replace(rows[2], "\n", "|x\n", 1), strings.Replace(rows[2], "|", "||", 1)} {
		text := strings.Replace(bank, rows[2], row, 1)
		o := options()
		o.Utility = schemas.Gas
		if _, err := read(text, mustNamed(t, "bank"), o); err == nil || !strings.Contains(err.Error(), "line 3") || !strings.Contains(err.Error(), "fields") {
			t.Errorf("%q: %v", row, err)
		}
	}
}

// TestNumberIsANumber: 0001 in a header and 1 from the operator are one number.
func TestNumberIsANumber(t *testing.T) {
	o := options()
	o.Number = 1
	f, err := read(strings.Replace(own, "2026-11-21,1\n", "2026-11-21,0001\n", 1), mustNamed(t, "citygrid"), o)
	if err != nil || f.Number != 1 {
		t.Errorf("%+v, %v", f, err)
	}
	o.Number = 2
	if _, err := read(own, mustNamed(t, "citygrid"), o); err == nil || !strings.Contains(err.Error(), "two answers") {
		t.Errorf("another number: %v", err)
	}
}
