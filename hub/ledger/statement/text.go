package statement

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// textRows is how many rows of a long table the text shows.
const textRows = 20

// Text writes the statement for a terminal: columns aligned by what a terminal
// shows, in which a Chinese character takes two places. Rows and columns that say
// nothing but zero are left out, and long lists cut; the other forms have all.
func Text(out io.Writer, d *Document, l Language) error {
	if err := d.check(); err != nil {
		return err
	}
	w := wordsOf(l)
	b := bufio.NewWriter(out)
	head := w.title + " " + d.Statement.City
	fmt.Fprintf(b, "%s\n%s\n", strings.TrimSpace(head), strings.Repeat("=", columns(strings.TrimSpace(head))))
	for _, t := range layout(d, l) {
		t.text(b, w)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write the statement as text: %w", err)
	}
	return nil
}

// zero reports whether c says nothing.
func (c cell) zero() bool { return c.kind != text && strings.Trim(c.text, "0.") == "" || c.text == "" }

// shown are the rows and columns that say something.
func (t *table) shown() (rows [][]cell, used []int) {
	for n, r := range t.rows {
		if t.full || t.hasNumbers(r) || n == len(t.rows)-1 && t.last && len(rows) > 0 {
			rows = append(rows, r)
		}
	}
	for c := range t.columns {
		for _, r := range rows {
			if !r[c].zero() {
				used = append(used, c)
				break
			}
		}
	}
	return rows, used
}

// hasNumbers reports whether a row has a number that is not zero, or no number
// at all.
func (t *table) hasNumbers(row []cell) bool {
	numbers := false
	for _, c := range row {
		if c.kind != text && c.text != "" {
			if !c.zero() {
				return true
			}
			numbers = true
		}
	}
	return !numbers
}

func (t *table) text(b *bufio.Writer, w *words) {
	rows, used := t.shown()
	fmt.Fprintf(b, "\n%s\n", t.title)
	if len(rows) == 0 {
		fmt.Fprintf(b, "  %s\n", w.none)
		return
	}
	left := 0
	if t.long && len(rows) > textRows {
		left, rows = len(rows)-textRows, rows[:textRows]
	}
	lines := t.headLines(used, rows[0])
	for _, r := range rows {
		line := make([]cell, len(used))
		for n, c := range used {
			line[n] = cell{r[c].kind, OneLine(r[c].grouped())}
		}
		lines = append(lines, line)
	}
	align(b, lines)
	if left > 0 {
		fmt.Fprintf(b, "  "+w.more+"\n", left)
	}
}

// headLines are one line of names, with a line above where columns have one.
func (t *table) headLines(used []int, first []cell) [][]cell {
	over, names, any := make([]cell, len(used)), make([]cell, len(used)), false
	for n, c := range used {
		over[n], names[n] = cell{first[c].kind, t.columns[c].over}, cell{first[c].kind, t.columns[c].name}
		any = any || t.columns[c].over != ""
	}
	if !any {
		return [][]cell{names}
	}
	return [][]cell{over, names}
}

// align writes lines with every column as wide as its widest cell: numbers to the
// right, words to the left.
func align(b *bufio.Writer, lines [][]cell) {
	wide := make([]int, len(lines[0]))
	right := make([]bool, len(lines[0]))
	for _, line := range lines {
		for n, c := range line {
			wide[n] = max(wide[n], columns(c.text))
			right[n] = right[n] || c.kind != text
		}
	}
	for _, line := range lines {
		var s strings.Builder
		for n, c := range line {
			blank := strings.Repeat(" ", wide[n]-columns(c.text))
			if right[n] {
				s.WriteString("  " + blank + c.text)
			} else {
				s.WriteString("  " + c.text + blank)
			}
		}
		b.WriteString(strings.TrimRight(s.String(), " ") + "\n")
	}
}

// columns is how many places of a terminal s takes [Unicode UAX #11]: two for
// wide characters, none for marks that sit on another.
func columns(s string) (n int) {
	for _, r := range s {
		switch k := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case k == width.EastAsianWide || k == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// OneLine keeps control characters of what others wrote from a terminal.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// grouped writes numbers for people: 1,234,567.89.
func (c cell) grouped() string {
	if c.kind == text || c.text == "" {
		return c.text
	}
	sign, digits := "", c.text
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	whole, frac, dotted := strings.Cut(digits, ".")
	var out strings.Builder
	for n := range len(whole) {
		if n > 0 && (len(whole)-n)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteByte(whole[n])
	}
	if dotted {
		frac = "." + frac
	}
	return sign + out.String() + frac
}
