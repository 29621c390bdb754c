package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"citygrid/hub/config"
	"citygrid/hub/enrolment"
	"citygrid/internal/backup"
)

// keysSite is the configuration of a hub whose list and master keys lie where they are
// put: list has two generations in use.
func keysSite(t *testing.T, master, list string) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	file = filepath.Join(dir, "hub.yaml")
	save := func(path, text string) {
		path = filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	save("hub.yaml", `data_dir: data
listen: 127.0.0.1:0
`+master+`
enrolment: `+list+`
broker: {url: "tcp://127.0.0.1:1", user: hub, password: "env:NONE"}
influx: {url: "http://unused"}
`)
	inUse := &enrolment.List{Masters: []enrolment.MasterKey{{Generation: 1, State: enrolment.DecryptOnly}, {Generation: 3, State: enrolment.Active}}}
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(list)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := inUse.Save(filepath.Join(dir, list)); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []uint8{1, 3} {
		if cfg.Master.File != "" {
			save(enrolment.MasterFile(cfg.Master.File, g), "master")
		}
	}
	return dir, file
}

// backedUp runs citygrid backup and returns what it says.
func backedUp(t *testing.T, file string) (to, said string, err error) {
	t.Helper()
	to = filepath.Join(t.TempDir(), "copy")
	root := newRoot()
	var out bytes.Buffer
	root.SetArgs([]string{"backup", "-c", file, "--to", to})
	root.SetOut(&out)
	root.SilenceErrors, root.SilenceUsage = true, true
	err = root.ExecuteContext(t.Context())
	return to, out.String(), err
}

// TestBackupHasTheMasterKeys wherever they and the list lie, and they go back there.
func TestBackupHasTheMasterKeys(t *testing.T) {
	for _, c := range []struct{ master, list string }{
		{"keys/master.key", "keys/enrolment.yaml"},
		{"secrets/master.key", "lists/enrolment.yaml"},
		{"keys/master/master.key", "keys/enrolment.yaml"},
		{"keys/.hidden/master.key", "keys/enrolment.yaml"},
		{"keys/.master.key", "keys/.enrolment.yaml"},
		{".keys/master.key", ".keys/enrolment.yaml"},
		{"keysafe/master.key", "keys/enrolment.yaml"},
	} {
		dir, file := keysSite(t, "master: "+c.master+"\npassphrase: env:NONE", c.list)
		to, said, err := backedUp(t, file)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if strings.Contains(said, "master") {
			t.Errorf("%+v: %s", c, said)
		}
		files := []string{c.list, c.master, enrolment.MasterFile(c.master, 3)}
		for _, path := range files {
			if err := os.RemoveAll(filepath.Dir(filepath.Join(dir, path))); err != nil {
				t.Fatal(err)
			}
		}
		if err := restoreFrom(t, file, to); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		for _, path := range files {
			if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
				t.Errorf("%+v: after the restore: %v", c, err)
			}
		}
	}
}

// TestBackupOfAListBesideTheConfiguration copies the list and the keys, and not all that
// lies there; they go back beside what is there.
func TestBackupOfAListBesideTheConfiguration(t *testing.T) {
	for _, c := range []struct{ master, list, data string }{
		{"keys/master.key", "enrolment.yaml", filepath.Join(t.TempDir(), "data")},
		{"master.key", "enrolment.yaml", "data"},
		{"keys/master.key", "data/enrolment.yaml", "data"}, // and beside the data
	} {
		dir, file := keysSite(t, "master: "+c.master+"\npassphrase: env:NONE", c.list)
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, bytes.Replace(text, []byte("data_dir: data\n"), []byte("data_dir: "+c.data+"\n"), 1), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		foreign := filepath.Join(dir, filepath.Dir(c.list), "ledger.db")
		if err := os.WriteFile(foreign, []byte("half a page"), 0o600); err != nil {
			t.Fatal(err)
		}
		to, _, err := backedUp(t, file)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		err = filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == "ledger.db" {
				t.Errorf("%+v: the copy has %s", c, path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		files := []string{c.list, c.master, enrolment.MasterFile(c.master, 3)}
		for _, path := range files {
			if err := os.Remove(filepath.Join(dir, path)); err != nil {
				t.Fatal(err)
			}
		}
		if err := restoreFrom(t, file, to); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		for _, path := range append(files, "hub.yaml") {
			if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
				t.Errorf("%+v: after the restore: %v", c, err)
			}
		}
		if _, err := os.Stat(foreign); err != nil {
			t.Error(err)
		}
	}
}

// TestBackupWithoutAKey fails: it is of no use.
func TestBackupWithoutAKey(t *testing.T) {
	for _, lost := range []string{"lists/enrolment.yaml", "secrets/master.key", "secrets/master-3.key"} {
		dir, file := keysSite(t, "master: secrets/master.key\npassphrase: env:NONE", "lists/enrolment.yaml")
		if err := os.Remove(filepath.Join(dir, lost)); err != nil {
			t.Fatal(err)
		}
		to, said, err := backedUp(t, file)
		if err == nil || !strings.Contains(err.Error(), lost) || said != "" {
			t.Errorf("without %s: %v, %s", lost, err, said)
		}
		if _, err := backup.Check(to); err == nil {
			t.Errorf("without %s the copy is whole", lost)
		}
	}
}

// TestBackupNamesKeysElsewhere: a master key that no file holds is not in the copy, and
// the copy says so.
func TestBackupNamesKeysElsewhere(t *testing.T) {
	for _, master := range []string{"master: {command: [/bin/false], tenant: x}", "master: {hex: env:NONE, tenant: x}"} {
		_, file := keysSite(t, master, "keys/enrolment.yaml")
		_, said, err := backedUp(t, file)
		if err != nil || !strings.Contains(said, "not in it: master keys: ") {
			t.Errorf("%s: %v, %s", master, err, said)
		}
	}
}

// TestOneDatabaseOfTwoSections is copied once, and so put back once.
func TestOneDatabaseOfTwoSections(t *testing.T) {
	cfg := &config.Config{}
	cfg.Ledger.DSN, cfg.Accounts.DSN, cfg.Grid.DSN = "sqlite:city.db", "sqlite:./city.db", "postgres://db/grid"
	parts, missing := databaseParts(cfg, "data")
	var names []string
	for _, p := range parts {
		names = append(names, p.Name)
	}
	if !slices.Equal(names, []string{"ledger.db", "completeness.db"}) || len(missing) != 1 || !strings.HasPrefix(missing[0], "grid: ") {
		t.Errorf("%q without %q", names, missing)
	}
}

func TestWithin(t *testing.T) {
	here := t.TempDir()
	t.Chdir(here)
	for path, want := range map[string]bool{"hub.yaml": true, filepath.Join(here, "data"): true, here: true, "../hub.yaml": false, here + "x": false} {
		if within(here, path) != want || within(".", path) != want {
			t.Errorf("%s in %s: want %t", path, here, want)
		}
	}
}

// restoreFrom puts a copy back, as an operator does.
func restoreFrom(t *testing.T, file, copied string) error {
	t.Helper()
	root := newRoot()
	root.SetArgs([]string{"restore", "-c", file, "--from", copied})
	root.SetOut(&bytes.Buffer{})
	return root.ExecuteContext(t.Context())
}
