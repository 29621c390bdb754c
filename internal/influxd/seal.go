package influxd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// sealLogs makes the server begin a new file of its write-ahead log in every
// shard instead of going on in the last one.
//
// A server that is killed may leave half an entry at the end of that file.
// InfluxDB 1.8.10 opens the file for writing at its end first and cuts the half
// entry off afterwards (tsdb/engine/tsm1: Engine.Open calls WAL.Open, then
// reloadCache), so what it writes next stands behind a hole. The reader of the
// start after that takes the hole for damage and cuts off everything behind it:
// all points that were acknowledged between the two kills are gone. An empty
// file with the next number prevents it: WAL.Open removes it and starts afresh.
func sealLogs(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "wal", "*", "*", "*", "_*.wal"))
	if err != nil {
		return err
	}
	last := make(map[string]string) // by the shard's folder
	slices.Sort(files)
	for _, f := range files {
		last[filepath.Dir(f)] = f
	}
	for shard, f := range last {
		if err := sealLog(shard, f); err != nil {
			return fmt.Errorf("begin a new write-ahead log: %w", err)
		}
	}
	return nil
}

// sealLog creates the successor of the file last, unless last is empty itself.
func sealLog(shard, last string) error {
	fi, err := os.Stat(last)
	if err != nil || fi.Size() == 0 {
		return err
	}
	digits := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(last), "_"), ".wal")
	id, err := strconv.Atoi(digits)
	if err != nil {
		return fmt.Errorf("%s: the name holds no number", last)
	}
	f, err := os.OpenFile(filepath.Join(shard, fmt.Sprintf("_%05d.wal", id+1)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}
