package main

import (
	"context"
	"errors"
	"fmt"
	"net"
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
	replay := backup.Files("replay", []string{filepath.Join(data, "replay")}, backup.Temporary)
	replay.Absent = "replay state: this hub has stored nothing yet"
	settings := backup.Files("config", configFiles(cfg, file), backup.Temporary)
	settings.Required = true
	// They are there already: the command was told the one that names the others.
	settings.Free, settings.Put = nil, func(context.Context, string) error { return nil }
	parts = append(parts, replay, keysPart(cfg, file), settings)
	if cfg.Master.File == "" {
		missing = append(missing, "master keys: they come from master.command or master.hex: keep copies of all in use (citygrid keys ls) where they are kept")
	}
	databases, elsewhere := databaseParts(cfg, data)
	parts, missing = append(parts, databases...), append(missing, elsewhere...)
	if dir := cfg.Grid.Media.Dir; dir != "" { // after the journals that name the photos
		parts = append(parts, backup.Files("media", []string{cfg.Path(dir)}, backup.Temporary))
	} else if cfg.Grid.Media.S3 != nil {
		missing = append(missing, "photos: they are in a bucket (grid.media.s3), whose service has copies of its own")
	}
	parts = append(parts, refusedPart(data))
	if cfg.Influx.Backup == "" {
		return parts, append(missing, "readings: influx.backup is not set. InfluxDB 1.8: set it to the bind-address of its RPC service; 2.x: influx backup, after this copy")
	}
	return append(parts, readingsPart(cfg, filepath.Join(data, "influxdb"))), missing
}

// databaseParts are the databases in files. Sections may share one, which is copied once.
func databaseParts(cfg *config.Config, data string) (parts []backup.Part, missing []string) {
	had := make(map[string]bool)
	for _, db := range []struct{ name, dsn string }{
		{"ledger", cfg.Ledger.DSN}, {"grid", cfg.Grid.DSN}, {"accounts", cfg.Accounts.DSN}, {"completeness", "sqlite:" + filepath.Join(data, "completeness.db")},
	} {
		path, isFile := strings.CutPrefix(db.dsn, "sqlite:")
		path = filepath.Clean(cfg.Path(path))
		switch {
		case db.dsn == "":
		case !isFile:
			missing = append(missing, fmt.Sprintf("%s: it is in PostgreSQL: pg_dump --format=custom, after this copy", db.name))
		case !had[path]:
			had[path] = true
			parts = append(parts, backup.SQLite(db.name+".db", "sqlite:"+path))
		}
	}
	return parts, missing
}

// refusedPart is what the hub has refused.
func refusedPart(data string) backup.Part {
	var paths []string
	for _, name := range []string{"rejected.jsonl", "dead-letters.jsonl", "dead-letters.jsonl.1", "blocked"} {
		paths = append(paths, filepath.Join(data, name))
	}
	return backup.Files("refused", paths, backup.Temporary)
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
	part := backup.Part{
		Name: "readings",
		Take: func(ctx context.Context, to string) error { return influxd.Copy(ctx, "", host, database, to) },
		Put: func(ctx context.Context, from string) error {
			return influxd.PutBack(ctx, "", host, database, from)
		},
	}
	if !cfg.Influx.Bundled {
		return part
	}
	part.Free = func(string) error {
		if _, _, err := net.SplitHostPort(host); err != nil {
			return fmt.Errorf("influx.backup: %w", err)
		}
		return backup.Free(bundled)
	}
	part.Put = func(ctx context.Context, from string) error {
		if err := part.Free(from); err != nil {
			return err
		}
		// Of another name: the database that Start makes must not be in the way.
		server, err := influxd.Start(ctx, influxd.Options{Dir: bundled, Database: "citygrid_restore", Backup: host})
		if err != nil {
			return err
		}
		return errors.Join(influxd.PutBack(ctx, "", host, database, from), server.Stop(), backup.Adopt(bundled))
	}
	return part
}

// lockFolder keeps the hub out of its data_dir, which is made for the hub, whoever calls.
func lockFolder(dir string) (release func() error, err error) {
	if err := backup.Folder(dir); err != nil {
		return nil, err
	}
	release, err = durable.Lock(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("data folder %s: %w", dir, err)
	}
	return release, nil
}
