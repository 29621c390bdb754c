package chaos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// The folders of the streams' spools in a collector's data folder.
func streams() map[string]schemas.Stream {
	return map[string]schemas.Stream{"spool": schemas.Readings, "cards": schemas.Cards, "events": schemas.Events}
}

// archive keeps every segment that a collector's spools ever wrote: a hard link, so that
// what is appended later is in it, too, and what is removed stays. It must be on the
// same file system. Files are named by their inodes: a spool may begin anew, and a folder
// be replaced, with the old names.
type archive struct {
	dir string // of this archive
	of  string // the collector's data folder

	mu    sync.Mutex
	grown int64
}

// sweep links what is new, and reports whether the spool of the readings has grown.
func (a *archive) sweep() (grown bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	total := int64(0)
	for folder := range streams() {
		to := filepath.Join(a.dir, folder)
		if err := os.MkdirAll(to, 0o700); err != nil {
			return false, err
		}
		names, err := filepath.Glob(filepath.Join(a.of, folder, "*.seg"))
		if err != nil {
			return false, err
		}
		for _, name := range names {
			size, err := keep(name, to)
			if err != nil {
				return false, err
			}
			if folder == "spool" {
				total += size
			}
		}
	}
	grown, a.grown = total > a.grown, total
	return grown, nil
}

// keep links a segment into a folder, if it is still there, and returns its size.
func keep(name, to string) (size int64, err error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	link := filepath.Join(to, linkName(info))
	if _, err := os.Stat(link); err == nil {
		return info.Size(), nil
	}
	if err := os.Link(name, link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	return info.Size(), nil
}

func linkName(info fs.FileInfo) string { return fmt.Sprint(inodeOf(info), ".seg") }

// each calls fn with every record of every stream that was ever on disk.
func (a *archive) each(fn func(schemas.Stream, record) error) error {
	return a.segments(func(s schemas.Stream, path string, list []record, _ bool) error {
		for _, r := range list {
			if err := fn(s, r); err != nil {
				return fmt.Errorf("%s: record %d: %w", path, r.seq, err)
			}
		}
		return nil
	})
}

// segments calls fn with the records of every segment, and whether it ends torn.
func (a *archive) segments(fn func(s schemas.Stream, path string, list []record, torn bool) error) error {
	return filepath.WalkDir(a.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".seg") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		list, torn := parseSegment(data)
		return fn(streams()[filepath.Base(filepath.Dir(path))], path, list, torn)
	})
}

// takenBack returns the envelopes in segments that a spool began and took away again, since
// the disk was full before all of the first batch was in: nobody was told that they are
// there, and the collector has them in memory. Such a segment ends torn, and its file is not
// in the collector's folder any more; a start that finds one cuts it.
func (a *archive) takenBack() (map[envelope]bool, error) {
	there := make(map[string]bool)
	for folder := range streams() {
		names, err := filepath.Glob(filepath.Join(a.of, folder, "*.seg"))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			info, err := os.Stat(name)
			if err != nil {
				return nil, err
			}
			there[linkName(info)] = true
		}
	}
	back := make(map[envelope]bool)
	err := a.segments(func(_ schemas.Stream, path string, list []record, torn bool) error {
		if !torn || there[filepath.Base(path)] {
			return nil
		}
		for _, r := range list {
			e, err := envelopeOf(r.data)
			if err != nil {
				return fmt.Errorf("%s: record %d: %w", path, r.seq, err)
			}
			back[e] = true
		}
		return nil
	})
	return back, err
}

// waiting returns the envelopes in the collector's spools whose session the hub has begun to
// refuse as that of a copy: they are not lost, and stay until the box has a new key.
func (t *trial) waiting(refused map[envelope]letter) (map[envelope]bool, error) {
	copies := make(map[seal.Context]bool)
	for e, l := range refused {
		copies[e.context] = copies[e.context] || l.Code == seal.BootConflict.String()
	}
	waiting := make(map[envelope]bool)
	left := &archive{dir: t.own.of}
	err := left.each(func(_ schemas.Stream, r record) error {
		e, err := envelopeOf(r.data)
		if copies[e.context] {
			waiting[e] = true
		}
		return err
	})
	return waiting, err
}

// last returns the envelope of readings that was written last; the zero envelope: there is
// none.
func (a *archive) last() (e envelope, err error) {
	names, err := filepath.Glob(filepath.Join(a.dir, "spool", "*.seg"))
	if err != nil {
		return e, err
	}
	var newest time.Time
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return e, err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return e, err
		}
		list, _ := parseSegment(data)
		if len(list) == 0 || info.ModTime().Before(newest) {
			continue
		}
		newest = info.ModTime()
		if e, err = envelopeOf(list[len(list)-1].data); err != nil {
			return e, err
		}
	}
	return e, nil
}

// record is one record of a segment, and where in the file it stands.
type record struct {
	seq      uint64
	from, to int
	data     []byte
}

const (
	segmentHeader = 36
	recordHeader  = 16
)

// parseSegment reads a segment as collector/spool/FORMAT.md has it, up to the first
// bytes that are no record; torn says that there are some.
func parseSegment(data []byte) (list []record, torn bool) {
	if len(data) < segmentHeader {
		return nil, len(data) > 0
	}
	for at := segmentHeader; at < len(data); {
		rest := data[at:]
		if len(rest) < recordHeader {
			return list, true
		}
		size := int(binary.LittleEndian.Uint32(rest))
		if size == 0 || size > len(rest)-recordHeader {
			return list, true
		}
		if crc32.Checksum(rest[8:recordHeader+size], crc32.MakeTable(crc32.Castagnoli)) != binary.LittleEndian.Uint32(rest[4:]) {
			return list, true
		}
		end := at + recordHeader + size
		list = append(list, record{seq: binary.LittleEndian.Uint64(rest[8:]), from: at, to: end, data: rest[recordHeader : recordHeader+size]})
		at = end
	}
	return list, false
}
