package census

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/simplifiedchinese"

	"citygrid/hub/registry"
	"citygrid/hub/registry/geo"
)

// row is one record as a file has it.
type row struct {
	record, line int
	names        []string // of the columns; the same slice while they do not change
	values       []value
	// geometry: at most one of the two, in the coordinates of the file.
	point  *[2]float64
	shape  registry.Shape
	faults []located // of this record alone; the record is not good
}

type located struct {
	field, value string
	fault        *fault
	warning      bool
}

// source gives the records of a file. After next has returned an error that is not
// io.EOF, nothing more comes.
type source interface {
	next() (*row, error)
	// declared is the reference system that the file names, as far as it has been
	// read; where says by what.
	declared() (crs geo.CRS, where string, err error)
	// geometric reports whether the format has geometry of its own, apart from columns.
	geometric() bool
	Close() error
}

// fatal ends a file: what follows cannot be read.
type fatal struct {
	record, line int
	field        string
	*fault
}

func stop(line int, remedy, format string, args ...any) error {
	return &fatal{line: line, fault: faultf(remedy, format, args...)}
}

// errTooLong is what a budget ends with.
var errTooLong = errors.New("a record is longer than 16 MiB")

// budget bounds what is read for one record, so that a quote or bracket that is
// never closed does not pull a whole file into memory.
type budget struct {
	r    io.Reader
	left int
}

func (b *budget) reset() { b.left = maxRecord }

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	if len(p) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= n
	return n, err
}

// decoded gives r as UTF-8 without a byte order mark.
func decoded(r io.Reader, encoding string) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	head, _ := b.Peek(3)
	switch {
	case bytes.HasPrefix(head, []byte{0xef, 0xbb, 0xbf}):
		if charset, err := charsetOf(encoding); err != nil || charset == gb18030 {
			return nil, stop(1, "do not name a character set for this file", "the file begins with the mark of UTF-8, but is declared %q", encoding)
		}
		_, _ = b.Discard(3)
		return b, nil
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}) || bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		return nil, stop(1, "save it as CSV UTF-8", "the file is UTF-16 (Unicode text)")
	case bytes.HasPrefix(head, []byte("PK")):
		return nil, stop(0, "save the sheet as CSV UTF-8", "this is a workbook or an archive, not text")
	}
	charset, err := charsetOf(encoding)
	if err != nil {
		return nil, stop(0, "name utf-8 or gb18030", "%v", err)
	}
	if charset == gb18030 {
		return simplifiedchinese.GB18030.NewDecoder().Reader(b), nil
	}
	return b, nil
}

type charset int

const (
	undeclared charset = iota
	utf8Set
	gb18030
)

// charsetOf reads the name of a character set as .cpg files and people write it. GBK
// and GB 2312 are parts of GB 18030.
func charsetOf(name string) (charset, error) {
	switch s := strings.ToUpper(strings.TrimSpace(name)); s {
	case "":
		return undeclared, nil
	case "UTF-8", "UTF8", "65001":
		return utf8Set, nil
	case "GBK", "GB18030", "GB-18030", "GB2312", "GB-2312", "936", "CP936", "MS936", "54936", "ANSI 936", "OEM 936", "WINDOWS-936", "EUC-CN":
		return gb18030, nil
	default:
		return undeclared, fmt.Errorf("the character set %q is not known here", name)
	}
}
