package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"citygrid/hub/enrolment"
	"citygrid/internal/secret"
	"citygrid/schemas/seal"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"citygrid": main})
}

const testPassphrase = "a passphrase of many words"

// testKeys makes a key folder with the collector c1 once: it takes a second.
var testKeys = sync.OnceValues(func() (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "citygrid-test-keys-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	keys, passphrase := enrolment.Office{Folder: enrolment.Folder(dir), By: "test"}, secret.New(testPassphrase)
	if err := keys.Init("test", passphrase, seal.MinRounds); err != nil {
		return nil, err
	}
	master, err := seal.ReadMaster(keys.Master(), passphrase)
	if err != nil {
		return nil, err
	}
	if _, err := keys.Issue(master, enrolment.Request{Area: "310115", Collector: "c1", Bundle: filepath.Join(dir, "c1.bundle")}); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, path := range []string{keys.Master(), keys.List(), keys.HubPassword(), keys.Audit(), filepath.Join(dir, "c1.bundle")} {
		if files[filepath.Base(path)], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	return files, nil
})

// copyKeys puts a copy of testKeys into a new folder.
func copyKeys(dir string) error {
	files, err := testKeys()
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// TestScripts runs the stories in testdata/script. Each finds a key folder of
// tenant test with collector c1 in keys, and its passphrase in pass and in the
// variable P.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			env.Setenv("P", testPassphrase)
			env.Setenv("TMPDIR", env.WorkDir)
			if err := os.WriteFile(filepath.Join(env.WorkDir, "pass"), []byte(testPassphrase+"\n"), 0o600); err != nil {
				return err
			}
			return copyKeys(filepath.Join(env.WorkDir, "keys"))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code": exitCode, "private": private, "keyless": keyless, "forge": forge,
		},
	})
}

// exitCode runs a command and checks its exit code: code N command args...
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command args...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = "?"
		if exit, ok := err.(interface{ ExitCode() int }); ok {
			got = strconv.Itoa(exit.ExitCode())
		}
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s (%v)", got, args[0], err)
	}
}

// private checks that files have mode 0600: private files...
func private(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if (info.Mode().Perm() == 0o600) == neg {
			ts.Fatalf("%s has mode %v", name, info.Mode())
		}
	}
}

// forge replaces the first place of a text in a file: forge file old new.
func forge(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: forge file old new")
	}
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	changed := strings.Replace(string(data), args[1], args[2], 1)
	if changed == string(data) {
		ts.Fatalf("%s has no %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, []byte(changed), 0o600))
}

// keyless checks that the last output holds no secret of a bundle or a master
// key file: keyless files...
func keyless(ts *testscript.TestScript, neg bool, args []string) {
	out := strings.ToLower(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	for _, name := range args {
		var fields map[string]any
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(name)), &fields))
		for _, field := range []string{"key", "broker_password", "sealed", "salt"} {
			hidden, ok := fields[field].(string)
			if !ok {
				continue
			}
			raw, err := hex.DecodeString(hidden) // not every field is hex
			if strings.Contains(out, strings.ToLower(hidden)) || err == nil && len(raw) > 0 && strings.Contains(out, string(raw)) {
				ts.Fatalf("the output shows %s of %s", field, name)
			}
		}
	}
	if neg {
		ts.Fatalf("keyless has no opposite")
	}
}
