package yearbooks

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// emptyFile reports a file of our own layout without rows.
func emptyFile(text []byte) bool { return bytes.Count(text, []byte{'\n'}) <= 3 }

// spoil copies the largest file of sales and the largest of payments into a folder, with
// mistakes that a person can find by line: cells that are not what they must be, and a
// sum that does not add up.
func spoil(dir string, names []string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	sales, payments := largest(names, "sales-"), largest(names, "payments-")
	if sales == "" || payments == "" {
		return errors.New("the last day of the world has no sales; take more places")
	}
	if err := spoilCells(sales, filepath.Join(dir, "wrong-lines-"+filepath.Base(sales))); err != nil {
		return err
	}
	return spoilSum(payments, filepath.Join(dir, "wrong-sum-"+filepath.Base(payments)))
}

// largest returns the largest file whose name begins with some text; empty for none.
func largest(names []string, begin string) string {
	size, found := int64(-1), ""
	for _, name := range names {
		info, err := os.Stat(name)
		if err == nil && strings.HasPrefix(filepath.Base(name), begin) && info.Size() > size {
			size, found = info.Size(), name
		}
	}
	return found
}

// spoilCells writes the file with two rows more, which are wrong, and a first row that
// is.
func spoilCells(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	columns := strings.Split(lines[1], ",")
	change := func(row, column, value string) string {
		cells := strings.Split(row, ",")
		cells[slices.Index(columns, column)] = value
		return strings.Join(cells, ",")
	}
	first := lines[2]
	lines[2] = change(first, "amount", "12.345")
	more := []string{change(first, "kind", "gift"), change(first, "at", "yesterday")}
	rows := slices.Concat(lines[2:len(lines)-1], more)
	total := strings.Split(lines[len(lines)-1], ",")
	total[1] = strconv.Itoa(len(rows)) // without the digest, which would be wrong too
	out := slices.Concat(lines[:2], rows, []string{strings.Join(total[:4], ",")})
	return os.WriteFile(to, []byte(strings.Join(out, "\n")+"\n"), 0o600)
}

// spoilSum writes the file with a trailer whose sum has a digit too many.
func spoilSum(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	at := bytes.LastIndex(text, []byte("#total,"))
	cells := strings.Split(strings.TrimSuffix(string(text[max(at, 0):]), "\n"), ",")
	if at < 0 || len(cells) < 4 {
		return fmt.Errorf("%s has no trailer", from)
	}
	cells[2] = "1" + cells[2]
	return os.WriteFile(to, []byte(string(text[:at])+strings.Join(cells[:4], ",")+"\n"), 0o600)
}
