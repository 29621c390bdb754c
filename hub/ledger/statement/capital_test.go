package statement

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
)

// TestCapitalsStandInEveryForm: each main total stands in capitals beside its figures,
// in all forms and languages.
func TestCapitalsStandInEveryForm(t *testing.T) {
	d := mustNew(t, small())
	totals := []string{"人民币壹佰贰拾叁万肆仟柒佰壹拾柒元玖角整", "人民币伍拾元零柒分", "人民币伍拾元整", "人民币壹佰贰拾叁万肆仟柒佰壹拾元整", "人民币贰元伍角整"}
	for _, l := range []Language{Chinese, English} {
		for _, extension := range []string{".txt", ".csv", ".html", ".xlsx"} {
			said := string(printed(t, extension, d, l))
			if extension == ".xlsx" {
				cells, err := cellsOf([]byte(said))
				if err != nil {
					t.Fatal(err)
				}
				var all strings.Builder
				for _, c := range cells {
					all.WriteString(c.value + "\n")
				}
				said = all.String()
			}
			for _, total := range totals {
				if !strings.Contains(said, total) {
					t.Errorf("%s in %s does not say %s", extension, l, total)
				}
			}
		}
	}
}

// TestCapitalsAreCompared: a form whose capitals say another amount than its figures is
// a changed one.
func TestCapitalsAreCompared(t *testing.T) {
	d := mustNew(t, small())
	const is, other = "人民币伍拾元零柒分", "人民币伍佰元零柒分"
	var differs *DifferentError
	for _, extension := range []string{".txt", ".csv", ".html"} {
		form := printed(t, extension, d, Chinese)
		changed := bytes.Replace(form, []byte(is), []byte(other), 1)
		if err := CompareForm("x"+extension, form, d); err != nil {
			t.Errorf("%s: %v", extension, err)
		}
		if err := CompareForm("x"+extension, changed, d); !errors.As(err, &differs) || !strings.Contains(differs.Has, other) {
			t.Errorf("%s: %v", extension, err)
		}
	}
	book, err := excelize.OpenReader(bytes.NewReader(printed(t, ".xlsx", d, Chinese)))
	if err != nil {
		t.Fatal(err)
	}
	at, err := book.SearchSheet(wordsOf(Chinese).summary, is)
	if err != nil || len(at) != 1 {
		t.Fatalf("%s stands at %v, %v", is, at, err)
	}
	var changed bytes.Buffer
	if err := errors.Join(book.SetCellStr(wordsOf(Chinese).summary, at[0], other), book.Write(&changed), book.Close()); err != nil {
		t.Fatal(err)
	}
	if err := CompareForm("x.xlsx", changed.Bytes(), d); !errors.As(err, &differs) || differs.Has != other || differs.Wants != is {
		t.Error(err)
	}
}

func printed(t *testing.T, extension string, d *Document, l Language) []byte {
	t.Helper()
	write, ok := WriterOf(extension)
	if !ok {
		t.Fatalf("no form %s", extension)
	}
	var out bytes.Buffer
	if err := write(&out, d, l); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
