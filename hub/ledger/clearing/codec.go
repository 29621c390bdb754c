package clearing

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/intake"
	"citygrid/schemas"
)

//go:embed file.yaml
var fileMapping []byte

//go:embed answer.yaml
var answerMapping []byte

// The lines of names, the second of every file.
const (
	fileNames   = "order,kind,meter_number,customer,card,purchase,amount,volume,undoes,at,terminal"
	answerNames = "order,result,amount,reason,at"
)

// moments is how moments are written: UTC, whole milliseconds.
const moments = "2006-01-02T15:04:05.000Z07:00"

// Read reads a clearing file, all of it or nothing: its form, its count, its sums
// and its SM3 digest are checked. name is its file name, which must agree with its
// header; empty is not checked. Mistakes are an *intake.FileError with line and
// column.
func Read(ctx context.Context, name string, r io.Reader) (File, error) {
	l, key, err := load(ctx, name, r, fileMapping, fileNames, Key.FileName)
	if err != nil {
		return File{}, err
	}
	f := File{Key: key, Utility: l.Utility, Details: l.Sales}
	if i, err := f.checkDetails(); err != nil {
		return File{}, problem(name, i+3, err.Error())
	}
	return f, nil
}

// load reads a file of either form.
func load(ctx context.Context, name string, r io.Reader, mapping []byte, names string, rule func(Key) string) (*ledger.File, Key, error) {
	raw, err := io.ReadAll(io.LimitReader(r, intake.MaxBytes+1))
	if err != nil {
		return nil, Key{}, fmt.Errorf("read clearing file %s: %w", name, err)
	}
	m, err := intake.Load(mapping)
	if err != nil {
		return nil, Key{}, err
	}
	if err := shape(name, raw, names); err != nil {
		return nil, Key{}, err
	}
	o := intake.Options{Name: name, Zone: time.UTC, Now: func() time.Time { return time.Time{} }}
	f, err := intake.Read(ctx, bytes.NewReader(raw), m, o)
	if err != nil {
		return nil, Key{}, err
	}
	key := Key{Day: f.Day, Number: f.Number}
	key.From, key.To = splitChannel(f.Channel)
	err = key.check()
	if err == nil && name != "" && name != rule(key) {
		err = fmt.Errorf("the header is that of %s; was the file renamed?", rule(key))
	}
	if err != nil {
		return nil, Key{}, problem(name, 1, err.Error())
	}
	if lines := bytes.Count(raw, []byte("\n")); lines != f.Rows()+3 || raw[len(raw)-1] != '\n' {
		return nil, Key{}, problem(name, lines, "an empty line, a second header, or no end of the last line; a clearing file has nothing but header, names, details and trailer")
	}
	if f.Rows() == 0 {
		return nil, Key{}, problem(name, 3, "no details; a day without any has no file")
	}
	return f, key, nil
}

// shape checks the first two lines and the ends of all, which the settlement format
// leaves freer.
func shape(name string, raw []byte, names string) error {
	lines := bytes.SplitN(raw, []byte("\n"), 3)
	switch {
	case !bytes.HasPrefix(lines[0], []byte("#citygrid,1,")):
		return problem(name, 1, "does not begin with #citygrid,1, in the first bytes: no file of this format and version")
	case len(lines) < 2 || string(lines[1]) != names:
		return problem(name, 2, "want exactly the names "+names)
	}
	if i := bytes.IndexByte(raw, '\r'); i >= 0 {
		return problem(name, 1+bytes.Count(raw[:i], []byte("\n")), "a carriage return; lines of a clearing file end by a line feed only")
	}
	return nil
}

// problem is a mistake in one line.
func problem(name string, line int, what string) error {
	return &intake.FileError{Name: name, Problems: []intake.Problem{{Line: line, What: what}}}
}

// ErrLoss says that a file holds what its form cannot carry; nothing is written.
var ErrLoss = errors.New("cannot be written without loss")

// Write writes f. Equal files give equal bytes. What it writes has been read back
// and compared before: a File that Read would not return is ErrLoss, or the error
// of Read.
func Write(w io.Writer, f File) error {
	text := encode(f.header("sales", f.Utility), fileNames, f.rows(), f.Sums())
	back, err := Read(context.Background(), f.FileName(), bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Key, err)
	}
	if back.Key != f.Key || !slices.Equal(back.Details, f.Details) {
		return fmt.Errorf("write %s: %w: details have the file's channel, day and utility, no meter, operator or id, and UTC moments in whole milliseconds", f.Key, ErrLoss)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("write %s: %w", f.Key, err)
	}
	return nil
}

// header returns the first line's fields.
func (k Key) header(content string, utility schemas.Medium) []string {
	return []string{"#citygrid", "1", content, string(utility), k.Channel(), k.Day.String(), strconv.Itoa(k.Number)}
}

// rows returns the details as fields, in the order of fileNames.
func (f *File) rows() [][]string {
	rows := make([][]string, 0, len(f.Details))
	for i := range f.Details {
		d := &f.Details[i]
		number, volume := strconv.FormatUint(uint64(d.Purchase.Number), 10), ""
		if d.Purchase.Scheme == schemas.ByTID {
			number = "tid:" + number
		}
		if d.Volume != 0 {
			volume = strconv.FormatInt(d.Volume, 10)
		}
		rows = append(rows, []string{d.Order, string(d.Kind), d.MeterNumber, string(d.Customer), string(d.Card), number,
			d.Amount.String(), volume, d.Undoes, d.At.Format(moments), d.Terminal})
	}
	return rows
}

// encode writes header, names, rows and trailer with digest.
func encode(header []string, names string, rows [][]string, sums Sums) []byte {
	var b bytes.Buffer
	b.WriteString(strings.Join(header, ",") + "\n" + names + "\n")
	w := csv.NewWriter(&b) // a bytes.Buffer takes everything
	for _, row := range rows {
		_ = w.Write(row)
	}
	w.Flush()
	digest := ledger.DigestOf(b.Bytes())
	fmt.Fprintf(&b, "#total,%d,%s,%s,%s\n", sums.Count, sums.Taken, sums.Returned, digest)
	return b.Bytes()
}
