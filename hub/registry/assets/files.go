package assets

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"citygrid/hub/registry/census"
	"citygrid/internal/gm"
	"citygrid/internal/sqldb"
)

// part is one file of what was given: a Shapefile is several.
type part struct{ name, path string }

// partSize is what is kept in one row, before compression.
const partSize = 1 << 20

// digest finds the files, and their common SM3. For a single file it is that of its
// bytes; for several that of their names, lengths and bytes, in this order.
func (f *fileRun) digest() error {
	if err := f.find(); err != nil {
		return err
	}
	sum := gm.NewSM3()
	for _, p := range f.parts {
		if err := f.sum(sum, p); err != nil {
			return err
		}
	}
	f.SM3 = hex.EncodeToString(sum.Sum(nil))
	how := gm.NewSM3()
	fmt.Fprintf(how, "%s|%s|%s|%s|%v", f.Read.CRS, f.Read.Format, f.Read.Standard, strings.ToLower(f.Read.Encoding), f.Read.Mapping) // maps print in order
	f.settings = hex.EncodeToString(how.Sum(nil)[:8])
	return nil
}

// find lists the parts.
func (f *fileRun) find() error {
	ext := filepath.Ext(f.Path)
	if !strings.EqualFold(ext, ".shp") {
		f.parts = []part{{filepath.Base(f.Path), f.Path}}
		return nil
	}
	stem := strings.TrimSuffix(f.Path, ext)
	for _, ending := range []string{".shp", ".dbf", ".prj", ".cpg"} {
		for _, e := range []string{ending, strings.ToUpper(ending)} {
			if _, err := os.Stat(stem + e); err == nil {
				f.parts = append(f.parts, part{filepath.Base(f.Path[:len(stem)]) + ending, stem + e})
				break
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if len(f.parts) == 0 {
		return fmt.Errorf("%s: %w", f.Path, fs.ErrNotExist)
	}
	return nil
}

// sum adds a part to the digest, and counts what are likely its records.
func (f *fileRun) sum(sum hash.Hash, p part) error {
	in, err := os.Open(p.path)
	if err != nil {
		return err
	}
	defer in.Close()
	if len(f.parts) > 1 {
		info, err := in.Stat()
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n", filepath.Ext(p.name), info.Size())
	}
	n, err := io.Copy(io.MultiWriter(sum, &recordCounter{file: f}), in)
	f.bytes += n
	if err != nil {
		return fmt.Errorf("read %s: %w", p.path, err)
	}
	return nil
}

// recordCounter guesses the number of records for the progress: lines of CSV, the
// word Feature of GeoJSON.
type recordCounter struct{ file *fileRun }

// Write counts what is in p.
func (c *recordCounter) Write(p []byte) (int, error) {
	switch format, _ := census.FormatOf(c.file.Path); format {
	case census.CSV:
		c.file.records += int64(bytes.Count(p, []byte("\n")))
	case census.GeoJSON:
		c.file.records += int64(bytes.Count(p, []byte(`"Feature"`)))
	}
	return len(p), nil
}

// keepRaw stores the files as they are now, and refuses them when they are not what
// was read any more.
func (m *run) keepRaw(ctx context.Context, f *fileRun) (err error) {
	k := m.r.db.Bulk(m.tx, "registry_raw", "import, name, part, body", "")
	defer func() { err = k.End(ctx, err) }()
	again := &fileRun{File: f.File, parts: f.parts}
	sum := gm.NewSM3()
	for _, p := range f.parts {
		if err := again.sum(sum, p); err != nil {
			return err
		}
		if err := m.keepPart(ctx, k, f.ID, p); err != nil {
			return err
		}
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.SM3 {
		return fmt.Errorf("%s was changed while it was read; nothing was changed: import it again when nobody writes to it", f.Path)
	}
	return nil
}

func (m *run) keepPart(ctx context.Context, k *sqldb.Bulk, id int64, p part) error {
	in, err := os.Open(p.path)
	if err != nil {
		return err
	}
	defer in.Close()
	buf := make([]byte, partSize)
	for n := 0; ; n++ {
		got, err := io.ReadFull(in, buf)
		if got > 0 || n == 0 {
			body, bad := packed(buf[:got])
			if bad != nil {
				return bad
			}
			if bad := k.Add(ctx, id, p.name, n, body); bad != nil {
				return bad
			}
			if bad := k.Flush(ctx); bad != nil { // or a bulk would hold 64 MiB
				return bad
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", p.path, err)
		}
	}
}

func packed(body []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// store writes what was imported.
func (m *run) store(ctx context.Context) error {
	for _, f := range m.files {
		if f.Same || f.Added+f.Changed == 0 {
			f.ID = 0
			continue
		}
		mapping := "plain"
		if f.Read.Mapping != nil {
			mapping = f.Read.Mapping.Name
		}
		crs := ""
		if !f.Read.CRS.IsZero() {
			crs = f.Read.CRS.String()
		}
		_, err := m.tx.NewRaw("INSERT INTO registry_imports (id, kind, file, sm3, settings, bytes, crs, mapping, standard, records, added, changed, unchanged, unlocated, warnings, by_whom, at_ms, reason) "+
			"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", f.ID, string(f.Kind()), f.FileSummary.File, f.SM3, f.settings, f.bytes, crs, mapping, f.Read.Standard,
			f.Records, f.Added, f.Changed, f.Unchanged, f.Unlocated, f.Warnings, m.o.By, millis(m.now), m.o.Reason).Exec(ctx)
		if err != nil {
			return fmt.Errorf("record of the import: %w", err)
		}
		if err := m.keepRaw(ctx, f); err != nil {
			return err
		}
	}
	return nil
}
