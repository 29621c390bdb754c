package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Inspection is what a look at the folder of a spool found. It is as fresh as the
// state file, which a running collector writes every few seconds: of what it lists
// as waiting, some may have been released since.
type Inspection struct {
	Dir      string           `json:"dir"`
	Epoch    uint64           `json:"epoch,string"`
	Next     uint64           `json:"next"`              // the next sequence, as of the state
	State    string           `json:"state"`             // sound, absent, damaged or unreadable
	StateAt  time.Time        `json:"state_at,omitzero"` // when it was written
	Holder   string           `json:"holder,omitempty"`  // the process that opened the spool last
	Segments []SegmentReport  `json:"segments"`          // ascending
	Missing  []SequenceRange  `json:"missing,omitempty"` // were to be delivered and are in no segment
	Aside    []AsideFile      `json:"set_aside,omitempty"`
	Faults   []InspectedFault `json:"faults,omitempty"` // of files that give nothing at all
}

// SequenceRange is a range of sequences, both included.
type SequenceRange struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// AsideFile is a file that a spool has set aside as damaged.
type AsideFile struct {
	File string `json:"file"`
	Size int64  `json:"size"`
}

// InspectedFault is a file that could not be looked at.
type InspectedFault struct {
	File    string `json:"file"`
	Problem string `json:"problem"`
}

// SegmentReport is one segment file.
type SegmentReport struct {
	File         string    `json:"file"`
	Size         int64     `json:"size"`
	From         uint64    `json:"from"`
	To           uint64    `json:"to"`               // below From when it holds no record
	Begun        time.Time `json:"begun,omitzero"`   // zero when the header is damaged
	Written      time.Time `json:"written,omitzero"` // last, by the file system's word
	Records      int       `json:"records"`          // sound ones
	Waiting      int       `json:"waiting"`          // of these, not yet released
	WaitingBytes int64     `json:"waiting_bytes"`    // of their data
	Damage       []Damaged `json:"damage,omitempty"`
	// Unfinished is the size of a record that is being written, or was when the
	// power went; no harm is done.
	Unfinished int64 `json:"unfinished,omitempty"`
	// Foreign: the segment is of another spool, or under a wrong name, and will be
	// set aside. Its records are not counted as waiting.
	Foreign bool `json:"foreign,omitempty"`
}

// Damaged is a stretch of a segment that holds no readable record.
type Damaged struct {
	Offset int64 `json:"offset"`
	Size   int64 `json:"size"`
	// From and To are the sequences that stood there; 0, 0 when none or unknown.
	From uint64 `json:"from,omitempty"`
	To   uint64 `json:"to,omitempty"`
	// Waited is how many of them were still to be delivered.
	Waited  uint64 `json:"waited,omitempty"`
	Problem string `json:"problem,omitempty"` // of the disk, if it was that
}

// Inspected is a sound record met by Inspect.
type Inspected struct {
	Record
	Epoch   uint64 // of the spool
	File    string
	Offset  int64
	Waiting bool // not yet released, by the state
}

// Sound reports whether nothing is damaged, missing or foreign.
func (in *Inspection) Sound() bool {
	damaged := func(g SegmentReport) bool { return len(g.Damage) > 0 || g.Foreign }
	return in.State != "damaged" && in.State != "unreadable" && len(in.Missing)+len(in.Faults) == 0 &&
		!slices.ContainsFunc(in.Segments, damaged)
}

// Waiting sums up the records that wait.
func (in *Inspection) Waiting() (records int, bytes int64) {
	for _, g := range in.Segments {
		records, bytes = records+g.Waiting, bytes+g.WaitingBytes
	}
	return records, bytes
}

// looks is how often Inspect looks at a spool that seems damaged while somebody
// changes it.
const looks = 3

// Inspect reads the spool in folder dir through, past all damage, and changes
// nothing; it takes no lock, so the collector may be running. Each, unless nil, is
// shown every sound record in ascending order (Data is valid during the call only)
// and may end the inspection with an error. Damage is no error.
func Inspect(ctx context.Context, dir string, each func(Inspected) error) (*Inspection, error) {
	return inspect(ctx, dir, osDisk{}, each)
}

func inspect(ctx context.Context, dir string, d disk, each func(Inspected) error) (*Inspection, error) {
	if each == nil {
		each = func(Inspected) error { return nil }
	}
	// A segment that the collector is writing, or has just removed, can look
	// damaged for a moment. So the damage is looked at first, and again.
	for look := 1; look < looks; look++ {
		before := signature(dir)
		l := looker{ctx: ctx, dir: dir, disk: d, each: func(Inspected) error { return nil }}
		in, err := l.look()
		if err != nil {
			return nil, fmt.Errorf("inspect spool %s: %w", dir, err)
		}
		if in.Sound() || before == signature(dir) {
			break
		}
	}
	l := looker{ctx: ctx, dir: dir, disk: d, each: each}
	in, err := l.look()
	if err != nil {
		return nil, fmt.Errorf("inspect spool %s: %w", dir, err)
	}
	return in, nil
}

// signature changes when the folder does.
func signature(dir string) string {
	var b strings.Builder
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			fmt.Fprintln(&b, e.Name(), info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// looker is one look at a folder.
type looker struct {
	ctx  context.Context
	dir  string
	disk disk
	each func(Inspected) error
	in   *Inspection
	st   state
	gone []span // of segments that went away meanwhile
}

func (l *looker) look() (*Inspection, error) {
	files, known, err := l.begin()
	if err != nil {
		return nil, err
	}
	l.in.Epoch, l.in.Next = chooseEpoch(l.st, known, files), l.st.next
	for i, f := range files {
		if l.ctx.Err() != nil {
			return nil, expired(l.ctx, "not all of it was looked at")
		}
		last := uint64(1<<64 - 2)
		if i+1 < len(files) {
			last = files[i+1].first - 1
		}
		if err := l.segment(f, last); err != nil {
			return nil, err
		}
	}
	l.missing()
	return l.in, nil
}

// begin lists the folder and reads the state, of one moment: a segment that was begun
// in between would be missing.
func (l *looker) begin() (files []found, known bool, err error) {
	for range 10 {
		l.in = &Inspection{Dir: l.dir, Segments: []SegmentReport{}}
		if files, err = l.list(); err != nil {
			return nil, false, err
		}
		if known, err = l.readState(); err != nil {
			return nil, false, err
		}
		newest := ""
		if len(files) > 0 {
			newest = files[len(files)-1].name
		}
		if later, err := newestSegment(l.dir); err != nil || later <= newest {
			return files, known, err
		}
	}
	return files, known, nil
}

// newestSegment returns the name of the last segment in dir, or none.
func newestSegment(dir string) (newest string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if _, ok := parseSegmentName(e.Name()); ok {
			newest = e.Name()
		}
	}
	return newest, err
}

// list finds the files and reads the headers.
func (l *looker) list() (files []found, err error) {
	entries, err := os.ReadDir(l.dir) // sorted, and so by first sequence
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		name := entry.Name()
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			l.fault(name, err)
			continue
		}
		if strings.HasSuffix(name, badSuffix) {
			l.in.Aside = append(l.in.Aside, AsideFile{name, info.Size()})
		}
		if first, ok := parseSegmentName(name); ok {
			files = append(files, found{name: name, first: first, size: info.Size()})
		}
	}
	if holder, err := os.ReadFile(filepath.Join(l.dir, "lock")); err == nil {
		l.in.Holder = strings.TrimSpace(string(holder))
	}
	for i := range files {
		err := (&Spool{dir: l.dir, opts: Options{disk: l.disk}}).readHeader(&files[i])
		if errors.Is(err, ErrVersion) {
			return nil, fmt.Errorf("segment %s: %w", files[i].name, err)
		}
		if err != nil {
			files[i].headerErr = err
		}
	}
	return files, nil
}

func (l *looker) fault(name string, err error) {
	l.in.Faults = append(l.in.Faults, InspectedFault{name, err.Error()})
}

// readState reads the state file. Without one that can be believed all records wait.
func (l *looker) readState() (known bool, err error) {
	l.st = state{next: 1}
	f, err := l.disk.Open(filepath.Join(l.dir, stateName), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		l.in.State = "absent"
		return false, nil
	}
	var content []byte
	if err == nil {
		defer f.Close()
		content, err = io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	}
	if err != nil {
		l.in.State = "unreadable"
		l.fault(stateName, err)
		return false, nil
	}
	if info, err := os.Stat(filepath.Join(l.dir, stateName)); err == nil {
		l.in.StateAt = info.ModTime()
	}
	st, err := decodeState(content)
	if errors.Is(err, errState) {
		l.in.State = "damaged"
		return false, nil
	}
	if err != nil {
		return false, err
	}
	l.in.State, l.st = "sound", st
	return true, nil
}

// segment reads one segment through.
func (l *looker) segment(f found, last uint64) error {
	file, err := l.disk.Open(filepath.Join(l.dir, f.name), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		l.gone = append(l.gone, span{f.first, last})
		return nil
	}
	g := SegmentReport{File: f.name, Size: f.size, From: f.first, To: f.first - 1, Begun: f.header.created}
	if info, err := os.Stat(filepath.Join(l.dir, f.name)); err == nil {
		g.Size, g.Written = info.Size(), info.ModTime() // it may have grown since it was listed
	}
	if err != nil {
		l.fault(f.name, err)
		l.in.Segments = append(l.in.Segments, g)
		return nil
	}
	defer file.Close()
	g.Foreign = f.headerErr == nil && (f.header.epoch != l.in.Epoch || f.header.first != f.first)
	var start int64
	if f.headerErr == nil {
		start = segmentHeader
	}
	w := window{r: &salvage{r: file, size: g.Size, answers: l.in.State == "sound"}, end: g.Size}
	stopped := false
	seen, err := w.visit(start, f.first, min(last, f.first+uint64(g.Size/smallest)), func(off int64, seq uint64, data []byte) error {
		err := l.record(&g, Inspected{Record{seq, data}, l.in.Epoch, f.name, off, !g.Foreign && l.waits(seq)})
		stopped = err != nil
		return err
	})
	if stopped {
		return err
	}
	if err != nil {
		l.fault(f.name, err)
	}
	g.To = seen.end - 1
	l.damage(&g, &w, seen, err == nil)
	l.in.Segments = append(l.in.Segments, g)
	return nil
}

// record counts a record and shows it.
func (l *looker) record(g *SegmentReport, r Inspected) error {
	if l.ctx.Err() != nil {
		return expired(l.ctx, "not all of it was looked at")
	}
	g.Records++
	if r.Waiting {
		g.Waiting++
		g.WaitingBytes += int64(len(r.Data))
	}
	return l.each(r)
}

// damage notes what of g holds no record; whole says that its end was reached.
func (l *looker) damage(g *SegmentReport, w *window, seen survey, whole bool) {
	for _, h := range seen.holes {
		d := Damaged{Offset: h.off, Size: h.size}
		if h.lost.first <= h.lost.last {
			d.From, d.To, d.Waited = h.lost.first, h.lost.last, l.waiting(h.lost)
		}
		if err := w.r.unread(h.off, h.size); err != nil {
			d.Problem = err.Error()
		}
		g.Damage = append(g.Damage, d)
	}
	tail := g.Size - seen.tail
	switch {
	case !whole || tail <= 0:
	case seen.torn:
		g.Unfinished = tail
	default:
		d := Damaged{Offset: seen.tail, Size: tail}
		if err := w.r.unread(seen.tail, tail); err != nil {
			d.Problem = err.Error()
		}
		g.Damage = append(g.Damage, d)
	}
}

// waits reports whether a record is still to be delivered, by the state.
func (l *looker) waits(seq uint64) bool { return l.waiting(span{seq, seq}) > 0 }

// waiting counts those of r that are still to be delivered, by the state.
func (l *looker) waiting(r span) (n uint64) {
	if r.last >= l.st.next {
		n += r.last - max(r.first, l.st.next) + 1
	}
	i, _ := slices.BinarySearchFunc(l.st.live, r.first, func(s span, seq uint64) int {
		if s.last < seq {
			return -1
		}
		return 1
	})
	for ; i < len(l.st.live) && l.st.live[i].first <= r.last; i++ {
		n += min(r.last, l.st.live[i].last) - max(r.first, l.st.live[i].first) + 1
	}
	return n
}

// missing finds what the state lists and no segment holds.
func (l *looker) missing() {
	live := l.st.live
	if l.st.coarse && len(live) > 0 {
		live = live[:len(live)-1]
	}
	covered := slices.Clone(l.gone)
	for _, g := range l.in.Segments {
		if g.To+1 > g.From {
			covered = append(covered, span{g.From, g.To})
		}
		for _, d := range g.Damage {
			if d.From > 0 {
				covered = append(covered, span{d.From, d.To})
			}
		}
	}
	slices.SortFunc(covered, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	for _, r := range live {
		at := r.first
		for _, c := range covered {
			if c.last >= at && c.first <= r.last {
				l.miss(at, c.first)
				at = max(at, c.last+1)
			}
		}
		l.miss(at, r.last+1)
	}
}

// miss notes the sequences from first to before end, if any.
func (l *looker) miss(first, end uint64) {
	if first < end {
		l.in.Missing = append(l.in.Missing, SequenceRange{first, end - 1})
	}
}
