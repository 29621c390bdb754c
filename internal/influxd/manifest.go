package influxd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mendManifests writes the table of contents of every index partition in which it was
// cut short.
//
// InfluxDB 1.8.10 overwrites the file in place (tsdb/index/tsi1: Manifest.Write), so a
// server that is killed just then, when it makes a shard, say, leaves it empty. From
// then on it cannot open the shard: every write of that time ends with status 500,
// "unexpected end of JSON input", for ever. What the file held is known: the names of
// the files beside it, the newest first, and levels that nobody can change.
func mendManifests(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "data", "*", "*", "*", "index", "*", "MANIFEST"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if json.Valid(text) {
			continue
		}
		if err := mendManifest(path); err != nil {
			return fmt.Errorf("mend an index that a kill has cut short: %w", err)
		}
	}
	return nil
}

// manifest is the file as InfluxDB 1.8.10 has it (tsi1.Manifest).
type manifest struct {
	Levels  []level  `json:"levels"`
	Files   []string `json:"files"`
	Version int      `json:"version"`
}

// level is tsi1.CompactionLevel.
type level struct {
	M uint64 `json:"m,omitempty"`
	K uint64 `json:"k,omitempty"`
}

// levels are tsi1.DefaultCompactionLevels.
func levels() []level {
	return []level{
		{}, {1 << 25, 6}, {1 << 25, 6}, {1 << 26, 6}, {1 << 27, 6}, {1 << 28, 6}, {1 << 29, 6}, {1 << 30, 6},
	}
}

// mendManifest writes the file anew, and replaces the old one in one step.
func mendManifest(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	m := manifest{Levels: levels(), Files: []string{}, Version: 1}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext == ".tsl" || ext == ".tsi" {
			m.Files = append(m.Files, e.Name())
		}
	}
	slices.SortFunc(m.Files, byAge)
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// byAge orders index files as InfluxDB lists them: "L0-00000003.tsl" before
// "L0-00000001.tsl" before "L1-00000002.tsi".
func byAge(a, b string) int {
	levelA, numberA, _ := strings.Cut(a, "-")
	levelB, numberB, _ := strings.Cut(b, "-")
	return cmp.Or(strings.Compare(levelA, levelB), strings.Compare(numberB, numberA))
}
