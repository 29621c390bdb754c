package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"citygrid/hub/config"
	"citygrid/internal/backup"
	"citygrid/internal/durable"
	"citygrid/internal/influxd"
)

// backupParts are what a hub keeps, in the order in which it is copied: see package
// backup for why the replay state is the first. missing says what is kept elsewhere.
func backupParts(cfg *config.Config, file string) (parts []backup.Part, missing []string) {
	data := cfg.Path(cfg.DataDir)
	in := func(names ...string) (paths []string) {
		for _, n := range names {
			paths = append(paths, filepath.Join(data, n))
		}
		return paths
	}
	settings := backup.Files("config", configFiles(cfg, file), backup.Temporary)
	// They are there already: the command was told the one that names the others.
	settings.Put = func(context.Context, string) error { return nil }
	parts = append(parts,
		backup.Files("replay", in("replay"), backup.Temporary),
		backup.Files("keys", []string{filepath.Dir(cfg.Path(cfg.Enrolment))}, backup.Temporary),
		settings)
	for _, db := range []struct{ name, dsn string }{
		{"ledger", cfg.Ledger.DSN}, {"grid", cfg.Grid.DSN}, {"accounts", cfg.Accounts.DSN}, {"completeness", "sqlite:" + filepath.Join(data, "completeness.db")},
	} {
		path, isFile := strings.CutPrefix(db.dsn, "sqlite:")
		switch {
		case db.dsn == "":
		case !isFile:
			missing = append(missing, fmt.Sprintf("%s: it is in PostgreSQL: pg_dump --format=custom, after this copy", db.name))
		default:
			parts = append(parts, backup.SQLite(db.name+".db", "sqlite:"+cfg.Path(path)))
		}
	}
	if dir := cfg.Grid.Media.Dir; dir != "" { // after the journals that name the photos
		parts = append(parts, backup.Files("media", []string{cfg.Path(dir)}, backup.Temporary))
	} else if cfg.Grid.Media.S3 != nil {
		missing = append(missing, "photos: they are in a bucket (grid.media.s3), whose service has copies of its own")
	}
	parts = append(parts, backup.Files("refused", in("rejected.jsonl", "dead-letters.jsonl", "dead-letters.jsonl.1", "blocked"), backup.Temporary))
	if cfg.Influx.Backup == "" {
		return parts, append(missing, "readings: influx.backup is not set. InfluxDB 1.8: set it to the bind-address of its RPC service; 2.x: influx backup, after this copy")
	}
	return append(parts, readingsPart(cfg, filepath.Join(data, "influxdb"))), missing
}

// configFiles are the configuration and the files and folders that it names.
func configFiles(cfg *config.Config, file string) []string {
	paths := []string{file}
	for _, named := range append([]string{cfg.Installations, cfg.Codes, cfg.Grid.Limits, cfg.Ledger.Mappings}, cfg.Ledger.Tariffs...) {
		if named != "" {
			paths = append(paths, cfg.Path(named))
		}
	}
	return paths
}

// readingsPart copies the readings from an InfluxDB 1.8 that runs, and puts them back
// into one that runs; the bundled one is started for that.
func readingsPart(cfg *config.Config, bundled string) backup.Part {
	host, database := cfg.Influx.Backup, cfg.Influx.Bucket
	return backup.Part{
		Name: "readings",
		Take: func(ctx context.Context, to string) error { return influxd.Copy(ctx, "", host, database, to) },
		Put: func(ctx context.Context, from string) error {
			if !cfg.Influx.Bundled {
				return influxd.PutBack(ctx, "", host, database, from)
			}
			if there, err := os.ReadDir(bundled); err == nil && len(there) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
				return errors.Join(err, fmt.Errorf("%s is there already and not empty: nothing is written over; move it away", bundled))
			}
			if _, _, err := net.SplitHostPort(host); err != nil {
				return fmt.Errorf("influx.backup: %w", err)
			}
			// Of another name: the database that Start makes must not be in the way.
			server, err := influxd.Start(ctx, influxd.Options{Dir: bundled, Database: "citygrid_restore", Backup: host})
			if err != nil {
				return err
			}
			return errors.Join(influxd.PutBack(ctx, "", host, database, from), server.Stop())
		},
	}
}

// lockFolder keeps the hub out of its data_dir.
func lockFolder(dir string) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	release, err = durable.Lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", dir, err)
	}
	return release, nil
}
