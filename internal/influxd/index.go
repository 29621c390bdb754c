package influxd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// errIndexBroken: the server ended while it opened an index.
var errIndexBroken = errors.New("its index is broken")

// indexTrace is in the last words of a server that an index has ended.
const indexTrace = "tsdb/index/tsi1."

// dropIndexes takes away what InfluxDB 1.8.10 makes anew when it starts, from the points
// themselves (tsdb/engine/tsm1, LoadMetadataIndex): the indexes of the shards and the
// file of series that they refer to.
//
// A full disk can leave a series in that file whose key has not found room
// (tsdb/series_segment.go). A query over it breaks then, and the next start ends with
// "index out of range" in ReadSeriesKeyMeasurement, and so does every later one.
func dropIndexes(dir string) error {
	for _, pattern := range []string{filepath.Join("*", "*", "*", "index"), filepath.Join("*", "_series")} {
		paths, err := filepath.Glob(filepath.Join(dir, "data", pattern))
		if err != nil {
			return err
		}
		for _, path := range paths {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Errorf("make a broken index anew: %w", err)
			}
		}
	}
	return nil
}
