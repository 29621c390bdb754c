package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"citygrid/hub/config"
	"citygrid/hub/enrolment"
	"citygrid/internal/backup"
)

// keysPart is the key folder, and the enrolment list and the master keys where they lie
// elsewhere. A copy that has not all of those in use is an error, for without them
// nothing that collectors send can be opened. file is the hub's configuration.
func keysPart(cfg *config.Config, file string) backup.Part {
	list, folder := cfg.Path(cfg.Enrolment), keyFolder(cfg, file)
	var paths []string
	if folder != "" {
		paths = []string{folder}
	}
	for _, path := range append([]string{list}, masterFiles(cfg)...) {
		if !copiedWith(folder, path) {
			paths = append(paths, path)
		}
	}
	part := backup.Files("keys", paths, backup.Temporary)
	part.Required = true
	all := part.Take
	part.Take = func(ctx context.Context, to string) error {
		if err := all(ctx, to); err != nil {
			return err
		}
		return hasKeys(cfg, folder, to)
	}
	return part
}

// keyFolder is the folder of the enrolment list, which holds what belongs to the keys and
// nothing else; "" where the list lies beside the configuration or the data, for then the
// folder is no part: databases would be copied as plain files, and no restore would find
// it empty.
func keyFolder(cfg *config.Config, file string) string {
	folder := filepath.Dir(cfg.Path(cfg.Enrolment))
	if within(folder, file) || within(folder, cfg.Path(cfg.DataDir)) {
		return ""
	}
	return folder
}

// within reports whether path lies in the folder, at any depth, or is it. One of the two
// may be relative to the working folder.
func within(folder, path string) bool {
	folder, err := filepath.Abs(folder)
	path, bad := filepath.Abs(path)
	rel, apart := filepath.Rel(folder, path)
	return errors.Join(err, bad, apart) == nil && filepath.IsLocal(rel)
}

// masterFiles are the places of the sealed master keys, by generation, whether they are
// in use or not: at a restore nobody knows yet.
func masterFiles(cfg *config.Config) (paths []string) {
	if cfg.Master.File == "" {
		return nil
	}
	for generation := 1; generation <= math.MaxUint8; generation++ {
		paths = append(paths, enrolment.MasterFile(cfg.Path(cfg.Master.File), uint8(generation)))
	}
	return paths
}

// copiedWith reports whether a copy of the folder has the file at path. There is none of
// the folder "".
func copiedWith(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && folder != "" && filepath.IsLocal(rel) && !slices.ContainsFunc(strings.Split(rel, string(filepath.Separator)), backup.Temporary)
}

// hasKeys reports what is missing from the copy in the folder to of the key folder, which
// may be "", and of the keys elsewhere.
func hasKeys(cfg *config.Config, folder, to string) error {
	list := cfg.Path(cfg.Enrolment)
	in := func(path string) string { // where the copy has it
		if rel, err := filepath.Rel(folder, path); err == nil && copiedWith(folder, path) {
			return filepath.Join(to, filepath.Base(folder), rel)
		}
		return filepath.Join(to, filepath.Base(path))
	}
	if _, err := os.Stat(in(list)); err != nil {
		return fmt.Errorf("the list of the collectors %s: %w", list, err)
	}
	inUse, err := enrolment.Load(in(list)) // the one that was copied
	if err != nil || cfg.Master.File == "" {
		return err
	}
	for _, generation := range inUse.MastersInUse() {
		path := enrolment.MasterFile(cfg.Path(cfg.Master.File), generation)
		switch _, err := os.Stat(in(path)); {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("master key %d is in use and %s is not there: nothing that its collectors sent can be opened without it", generation, path)
		case err != nil:
			return err
		}
	}
	return nil
}
