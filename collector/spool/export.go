package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// An export file carries what waits in spools to the centre by hand. FORMAT.md
// describes it: one section a spool, each a header, records as in a segment, and an
// end mark with their number; and at the end a header without a name, with the
// number of sections.
const (
	exportMagic  = "CGSX"
	exportHeader = 44
	exportName   = 16
)

// ErrExport: the file is no export, damaged, or cut short.
var ErrExport = errors.New("no export of a spool, or damaged: export again, or copy the file again")

// Section says from which spool the records come that follow it.
type Section struct {
	// Name is that of the spool's stream: 1 to 16 of a-z.
	Name string
	// Epoch is the identity of the spool.
	Epoch uint64
	// At is when it was exported.
	At time.Time
}

func (s Section) encode() []byte {
	b := make([]byte, 0, exportHeader)
	b = append(b, exportMagic...)
	b = binary.LittleEndian.AppendUint16(b, formatVersion)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint64(b, s.Epoch)
	b = binary.LittleEndian.AppendUint64(b, uint64(s.At.UnixMilli()))
	b = append(append(b, s.Name...), make([]byte, exportName-len(s.Name))...)
	return binary.LittleEndian.AppendUint32(b, checksum(b))
}

// decodeSection reads a header; that at the end of the file has no name.
func decodeSection(b []byte) (Section, error) {
	if string(b[:4]) != exportMagic || binary.LittleEndian.Uint32(b[40:]) != checksum(b[:40]) {
		return Section{}, fmt.Errorf("%w: bad header", ErrExport)
	}
	if v := binary.LittleEndian.Uint16(b[4:]); v != formatVersion {
		return Section{}, fmt.Errorf("export: %w: found %d, this program knows %d", ErrVersion, v, formatVersion)
	}
	s := Section{
		Name:  strings.TrimRight(string(b[24:40]), "\x00"),
		Epoch: binary.LittleEndian.Uint64(b[8:]),
		At:    time.UnixMilli(int64(binary.LittleEndian.Uint64(b[16:]))),
	}
	if s.Name != "" && !streamName(s.Name) {
		return Section{}, fmt.Errorf("%w: bad section name", ErrExport)
	}
	return s, nil
}

func streamName(name string) bool {
	return name != "" && len(name) <= exportName && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz") == ""
}

// Exporter writes an export file. It is for one goroutine.
type Exporter struct {
	w        *bufio.Writer
	open     bool   // a section is
	count    uint64 // records of it
	sections uint64
	buf      []byte
}

// NewExporter writes to w, which it does not close.
func NewExporter(w io.Writer) *Exporter { return &Exporter{w: bufio.NewWriterSize(w, readAhead)} }

// Begin ends the section before and begins another.
func (e *Exporter) Begin(s Section) error {
	if !streamName(s.Name) {
		return fmt.Errorf("export: section name %q: want 1 to %d of a-z", s.Name, exportName)
	}
	if err := e.end(); err != nil {
		return err
	}
	e.open, e.count = true, 0
	e.sections++
	return e.write(s.encode())
}

// Add writes a record of the section that was begun last.
func (e *Exporter) Add(r Record) error {
	if !e.open || len(r.Data) == 0 || len(r.Data) > MaxRecord {
		return fmt.Errorf("export record %d: %w", r.Seq, ErrSize)
	}
	e.buf = appendRecord(e.buf[:0], r.Data)
	number(e.buf, r.Seq)
	e.count++
	return e.write(e.buf)
}

// Close ends the file and hands everything to the writer.
func (e *Exporter) Close() error {
	if err := e.end(); err != nil {
		return err
	}
	if err := e.write(Section{Epoch: e.sections, At: time.UnixMilli(0)}.encode()); err != nil {
		return err
	}
	if err := e.w.Flush(); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}

// end writes the end mark: a record without data whose sequence is the count.
func (e *Exporter) end() error {
	if !e.open {
		return nil
	}
	e.open = false
	mark := appendRecord(e.buf[:0], nil)
	number(mark, e.count)
	return e.write(mark)
}

func (e *Exporter) write(p []byte) error {
	if _, err := e.w.Write(p); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}

// ReadExport reads an export file and shows each record with its section; Data is
// the callee's own. It returns how many there were. A file that is damaged or cut
// short is ErrExport, after the sound records before the place were shown.
func ReadExport(src io.Reader, each func(Section, Record) error) (records int, err error) {
	r := bufio.NewReaderSize(src, readAhead)
	for sections := uint64(0); ; sections++ {
		header := make([]byte, exportHeader)
		if _, err := io.ReadFull(r, header); err != nil {
			return records, cutShort(err)
		}
		section, err := decodeSection(header)
		if err != nil {
			return records, err
		}
		if section.Name == "" {
			return records, atEnd(r, section, sections)
		}
		n, err := readSection(r, func(rec Record) error { return each(section, rec) })
		records += n
		if err != nil {
			return records, err
		}
	}
}

// atEnd checks the end of the file.
func atEnd(r *bufio.Reader, end Section, sections uint64) error {
	if end.Epoch != sections {
		return fmt.Errorf("%w: %d sections of %d", ErrExport, sections, end.Epoch)
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows its end", ErrExport)
	}
	return nil
}

// readSection reads the records up to the end mark.
func readSection(r io.Reader, each func(Record) error) (n int, err error) {
	for {
		head := make([]byte, recordHeader)
		if _, err := io.ReadFull(r, head); err != nil {
			return n, cutShort(err)
		}
		size := binary.LittleEndian.Uint32(head)
		if size > MaxRecord {
			return n, fmt.Errorf("%w: record %d of the section", ErrExport, n+1)
		}
		all := append(head, make([]byte, size)...)
		if _, err := io.ReadFull(r, all[recordHeader:]); err != nil {
			return n, cutShort(err)
		}
		rec := Record{binary.LittleEndian.Uint64(all[8:]), all[recordHeader:]}
		switch {
		case checksum(all[8:]) != binary.LittleEndian.Uint32(all[4:]):
			return n, fmt.Errorf("%w: record %d of the section", ErrExport, n+1)
		case size == 0 && rec.Seq != uint64(n):
			return n, fmt.Errorf("%w: %d records of %d", ErrExport, n, rec.Seq)
		case size == 0:
			return n, nil
		}
		if err := each(rec); err != nil {
			return n, err
		}
		n++
	}
}

// cutShort makes the end of a file where none should be ErrExport.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the file ends early", ErrExport)
	}
	return fmt.Errorf("read export: %w", err)
}
