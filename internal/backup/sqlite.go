package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"citygrid/internal/sqldb"
)

// SQLite is the part name made of the SQLite database at dsn, "sqlite:PATH", also while
// it is in use. One that is not there yet is left out.
func SQLite(name, dsn string) Part {
	path := strings.TrimPrefix(dsn, "sqlite:")
	return Part{
		Name: name,
		Take: func(ctx context.Context, to string) error {
			if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return sqldb.Copy(ctx, dsn, to)
		},
		Free: func(from string) error {
			if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return freeDatabase(path)
		},
		Put: func(ctx context.Context, from string) error {
			if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err := errors.Join(freeDatabase(path), sqldb.Whole(ctx, from)); err != nil {
				return err
			}
			return copyFile(from, path)
		},
		Absent: fmt.Sprintf("%s: %s is not there yet", strings.TrimSuffix(name, ".db"), path),
	}
}

// freeDatabase reports what is left of an old database at path. A log of its writes would
// be played into the new one.
func freeDatabase(path string) error {
	for _, beside := range []string{"-wal", "-shm", "-journal"} {
		if _, err := os.Lstat(path + beside); err == nil {
			return fmt.Errorf("%s%s is there: move away what is left of the old database", path, beside)
		}
	}
	return Free(path)
}
